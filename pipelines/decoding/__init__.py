"""Decodes untrusted recordings in separate processes with time and memory limits.

`processes.decode` is the entry point for the pipeline; `worker` runs in the other process and imports as little as possible.
"""
