"""The web application: HTTP routes, authentication and request handling."""
