"""Shared foundations: records, staged batches, settings, errors, step versions, safe text and files."""
