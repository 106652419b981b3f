"""The Dags, and nothing else: each task is one call into `pipelines`."""
