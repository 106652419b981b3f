"""Texts, numbers and dates of pages, reports and alerts in the languages of their readers."""
