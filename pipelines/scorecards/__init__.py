"""Changes of scorecards: drafts, edits of the YAML, previews on past calls, activation from a day, undo, and regrading of a span."""
