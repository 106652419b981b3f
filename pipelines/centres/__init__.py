"""Centre profiles: their schema, their loader, and the packaged ones."""
