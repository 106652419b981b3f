"""The redact step: detects and masks personal data in turns. One recognizer per kind."""
