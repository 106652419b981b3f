"""Reads the published copy of the warehouse for pages and reports."""
