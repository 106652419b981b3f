"""The redact step: personal data in turns is found and masked. One recognizer for each kind."""
