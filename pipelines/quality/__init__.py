"""How well a site and its rules work: recognition and judgement measured against references, what is fitted to that, and what regrading would change."""
