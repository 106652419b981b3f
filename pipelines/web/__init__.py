"""The web application: HTTP only."""
