"""Confidence intervals and quantiles of the normal distribution, by scipy.

In SQL the same quantiles are the macros `interval_90` and `interval_apart`; a test compares them. scipy.stats takes seconds and 90 MB
to import, so it is imported only when an interval is computed: the server and the command line start without it.
"""

from __future__ import annotations

from functools import cache


@cache  # pages compare the same weeks repeatedly, and scipy's exact test takes half a millisecond
def share_interval(part: int, whole: int, level: float = 0.9) -> tuple[float, float]:
    """The confidence interval of a share (Wilson), 0 to 1; the whole range where there are no observations."""
    from scipy.stats import binomtest

    if whole <= 0:
        return 0.0, 1.0
    low, high = binomtest(part, whole).proportion_ci(level, method="wilson")
    return float(low), float(high)


@cache
def normal_quantile(chance: float) -> float:
    """The normal quantile of a probability: 1.645 for 0.95."""
    from scipy.stats import norm

    return float(norm.ppf(chance))
