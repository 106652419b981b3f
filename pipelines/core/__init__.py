"""What every package stands on: records, staged batches, settings, errors, versions of steps, safe text and files."""
