"""The audio step: decodes recordings, separates their tracks, detects speech and holds."""
