"""Confidence intervals and quantiles of the normal distribution, by scipy.

In SQL the same quantiles are the macros `interval_90` and `interval_apart`; a test compares them. scipy.stats takes seconds and 90 MB
to import, so it is imported only when an interval is computed: the server and the command line start without it.
"""

from __future__ import annotations

import math
from functools import cache


@cache  # pages compare the same weeks repeatedly, and scipy's exact test takes half a millisecond
def share_interval(part: int, whole: int, level: float = 0.9) -> tuple[float, float]:
    """The confidence interval of a share (Wilson), 0 to 1; the whole range where there are no observations."""
    from scipy.stats import binomtest

    if whole <= 0:
        return 0.0, 1.0
    low, high = binomtest(part, whole).proportion_ci(level, method="wilson")
    return float(low), float(high)


def effective_share_interval(share: float, calls: float, level: float = 0.9) -> tuple[float, float]:
    """The Wilson interval of a share of so many independent calls; a fraction where correlated calls are worth fewer independent ones."""
    if calls <= 0:
        return 0.0, 1.0
    z = normal_quantile((1 + level) / 2)
    centre = (share + z * z / (2 * calls)) / (1 + z * z / calls)
    half = z / (1 + z * z / calls) * math.sqrt(share * (1 - share) / calls + z * z / (4 * calls * calls))
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)


@cache
def normal_quantile(chance: float) -> float:
    """The normal quantile of a probability: 1.645 for 0.95."""
    from scipy.stats import norm

    return float(norm.ppf(chance))
