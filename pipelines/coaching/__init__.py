"""Coaching clips and packs: selection, cutting, and beeping of personal data."""
