"""Evaluation: accuracy against references, the fits based on it, and the effects of regrading."""
