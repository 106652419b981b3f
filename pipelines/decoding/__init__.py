"""Sound out of recordings that nobody vouches for: decoded in processes of their own, with limits of time and memory.

`processes.decode` is what the rest of the pipeline calls; `worker` runs in the other process and imports as little as it can.
"""
