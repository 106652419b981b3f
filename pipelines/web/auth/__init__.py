"""Authentication: cookies, known devices, OpenID Connect."""
