"""The `callgrade` command: one module for each sub-command."""
