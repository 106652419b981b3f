"""Signing in: sessions, known devices, OpenID Connect."""
