"""How well a site is served: recognition measured against references, and what regrading would change."""
