"""The audio step: decodes a recording, tells its tracks apart, finds speech and holds."""
