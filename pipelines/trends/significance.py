"""Tests of many changes at once: which of them are more than chance.

1. How much the calls of one operator or day resemble each other is estimated poorly from a single criterion, so the inflation of each
   variance is moderated towards what is usual among all changes of the page (empirical Bayes, Smyth 2004,
   https://doi.org/10.2202/1544-6115.1027, the method of limma in genomics). It is never taken to be below 1.
2. A page looks at every criterion, line and past period at once, so the false discovery rate over all of them is controlled, by the
   procedure of Benjamini and Hochberg (1995), https://doi.org/10.1111/j.2517-6161.1995.tb02031.x. What the page is opened for, the
   changes of the chosen period, has six tenths of the weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.trends.cells import Floats
from pipelines.trends.change import Change

FALSE_DISCOVERY_RATE = 0.05
# How much of the weight the whole centre's changes of the chosen period have, those of its lines, and those of the periods before.
PARTS = {"chosen": 0.6, "line": 0.2, "past": 0.2}
LEVEL = 0.9  # of intervals, as everywhere
# The changes of a page come from the same calls, so that they tell less about the usual inflation than as many independent ones.
_MOST_FREEDOM = 60.0


@dataclass(frozen=True, slots=True)
class Tested:
    """A change with its test; `low` and `high` bound its 90 % interval, `is_significant` allows for everything the page looks at."""

    change: Change
    low: float
    high: float
    p_value: float
    is_significant: bool


def shares_of(groups: Sequence[str], parts: Mapping[str, float]) -> list[float]:
    """The weight of each change from its group's part of the whole, divided among the changes of the group."""
    sizes = Counter(groups)
    return [parts[group] / sizes[group] for group in groups]


def usual_inflation(changes: Sequence[Change]) -> tuple[float, float]:
    """The usual inflation of variances and its degrees of freedom (at most 60), from those with degrees of freedom."""
    from scipy.special import digamma, polygamma

    known = [c for c in changes if c.freedom > 0 and c.inflation > 0]
    if len(known) < 3:
        return 1.0, 0.0
    half = np.array([c.freedom for c in known]) / 2
    logs = np.log([c.inflation for c in known]) - digamma(half) + np.log(half)
    centre = float(logs.mean())
    beyond = float(logs.var(ddof=1) - polygamma(1, half).mean())
    if beyond <= 0:
        return float(np.exp(centre)), _MOST_FREEDOM
    half_prior = _inverse_trigamma(beyond)
    return float(np.exp(centre + digamma(half_prior) - np.log(half_prior))), min(2 * half_prior, _MOST_FREEDOM)


def find_significant(changes: Sequence[Change], shares: Sequence[float], rate: float = FALSE_DISCOVERY_RATE) -> list[Tested]:
    """Test the changes that a page looks at together, in their order; `rate` is the false discovery rate.

    `shares` are positive weights of the changes: one with a greater share of their sum is found more easily, at the cost of the others
    (p-values divided by weights, Genovese, Roeder and Wasserman 2006, https://doi.org/10.1093/biomet/93.3.509).
    """
    if not changes:
        return []
    from scipy.stats import false_discovery_control, t

    usual, prior = usual_inflation(changes)
    own = np.array([max(c.freedom, 0.0) for c in changes])
    seen = np.array([c.inflation if c.freedom > 0 else 1.0 for c in changes])
    freedom = np.maximum(own + prior, 1.0)
    inflation: Floats = np.maximum((prior * usual + own * seen) / freedom, 1.0)
    errors = np.sqrt(inflation * np.array([c.variance for c in changes]))
    adjusted = np.array([c.adjusted for c in changes])
    p_values = np.clip(2 * t.sf(np.abs(adjusted) / errors, freedom), 0.0, 1.0)
    halves = t.ppf((1 + LEVEL) / 2, freedom) * errors
    weights = np.array(shares) * len(changes) / sum(shares)
    below = false_discovery_control(np.clip(p_values / weights, 0.0, 1.0)) <= rate
    return [
        Tested(c, max(c.adjusted - half, -1.0), min(c.adjusted + half, 1.0), float(p), bool(found))
        for c, half, p, found in zip(changes, halves.tolist(), p_values, below, strict=True)
    ]


def _inverse_trigamma(value: float) -> float:
    """The x with trigamma(x) = value, by Newton's method as in limma."""
    from scipy.special import polygamma

    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return float(1 / value)
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x
