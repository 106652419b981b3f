"""The change of one outcome between two periods, adjusted for operators, topics, lines and days of the week.

The estimate is the coefficient of the period in a linear model of the verdicts (0 or 1) with an effect of every level of these factors, by
the theorem of Frisch, Waugh and Lovell: https://en.wikipedia.org/wiki/Frisch-Waugh-Lovell_theorem. Verdicts of one operator are
correlated, and so are those of one day; the variance is the two-way cluster-robust one of Cameron, Gelbach and Miller (2011),
https://doi.org/10.1198/jbes.2010.07136, with clusters by operator and by day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.trends.cells import FACTORS, Cells, Floats, Ints, Mask

# A change is estimated only from so many calls in each period, from so many operators with calls in both, and from so many clusters of days.
FEWEST_CALLS, FEWEST_OPERATORS, FEWEST_DAYS = 30, 3, 6
# Comparable calls: as many as two periods with half of them each and the same mix would need. Periods without common operators have none.
FEWEST_COMPARABLE = 40.0
_WEEK_DAYS = 7
_RIDGE = 1e-7  # the factors' levels sum to the same constant: keeps the system solvable


@dataclass(frozen=True, slots=True)
class Change:
    """An estimate of a change, before tests.

    Attributes:
        calls, before_calls: decided calls in the two periods.
        rate, before_rate: their means, 0 to 1, unadjusted.
        adjusted: the change (now minus before), adjusted for the mix, -1 to 1.
        variance: of `adjusted`, if calls were independent.
        inflation: the cluster-robust variance divided by `variance`.
        freedom: degrees of freedom of the inflation; 0 where there are too few clusters to estimate it.
    """

    calls: int
    before_calls: int
    rate: float
    before_rate: float
    adjusted: float
    variance: float
    inflation: float
    freedom: float


def estimate(cells: Cells, now: Mask, before: Mask) -> Change | None:
    """The change from the cells of one mask to those of another, or None where there are too few calls to say.

    Needs in each period `FEWEST_CALLS` calls, and `FEWEST_OPERATORS` operators with calls in both, and overlapping mixes.
    """
    taken = now | before
    used, is_now = cells.within(taken), now[taken]
    calls, before_calls = used.calls[is_now].sum(), used.calls[~is_now].sum()
    if min(calls, before_calls) < FEWEST_CALLS:
        return None
    operators = used.level["operator"]
    if len(np.intersect1d(operators[is_now], operators[~is_now])) < FEWEST_OPERATORS:
        return None
    fitted = _fit(used, is_now.astype(np.float64))
    if fitted is None:
        return None
    adjusted, variance, scores, information = fitted
    inflation, freedom = _inflation(scores / information, operators, used.day, variance)
    return Change(
        int(calls), int(before_calls), float(used.total[is_now].sum() / calls), float(used.total[~is_now].sum() / before_calls),
        adjusted, variance, inflation, freedom,
    )  # fmt: skip


def _fit(cells: Cells, period: Floats) -> tuple[float, float, Floats, float] | None:
    """The period's coefficient, its variance for independent calls, each cell's score, and the information; None without overlap."""
    levels, size = _levels(cells, period)
    gram = np.zeros((size, size))
    for a in levels:
        for b in levels:
            gram += np.bincount(a * size + b, cells.calls, size * size).reshape(size, size)
    gram[np.diag_indices(size)] += _RIDGE * cells.calls.sum()
    of_period = np.zeros(size)
    of_value = np.zeros(size)
    for a in levels:
        of_period += np.bincount(a, cells.calls * period, size)
        of_value += np.bincount(a, cells.total, size)
    effects = np.linalg.solve(gram, np.column_stack([of_period, of_value]))
    rest, mean = period.copy(), np.zeros(len(period))
    for a in levels:
        rest -= effects[a, 0]
        mean += effects[a, 1]
    information = float((cells.calls * rest * period).sum())
    if information < FEWEST_COMPARABLE / 4:  # n/4 of n calls with half of them in each period and no confounding
        return None
    adjusted = float((rest * cells.total).sum() / information)
    fit = mean + adjusted * rest
    errors = cells.squares - 2 * fit * cells.total + cells.calls * fit**2
    free = max(cells.calls.sum() - size, 1.0)
    correction = cells.calls.sum() / free  # for the degrees of freedom that the levels take
    variance = float((rest**2 * errors).sum() / information**2 * correction)
    # With hardly any failures the residuals vanish, and with them the variance: as if one more call of four had gone either way.
    variance = max(variance, 0.25 / (cells.calls.sum() + 4) / information)
    scores = rest * (cells.total - cells.calls * fit) * np.sqrt(correction)
    return adjusted, variance, scores, information


def _levels(cells: Cells, period: Floats) -> tuple[list[Ints], int]:
    """Each cell's column in the design, per factor, and the number of columns; days of the week only where both periods have all of them."""
    codes = [cells.level[factor] for factor in FACTORS]
    week_day = (cells.day + 3) % _WEEK_DAYS  # 1970 began on a Thursday; Monday is 0
    if all(len(np.unique(cells.day[period == side])) >= _WEEK_DAYS - 2 for side in (0.0, 1.0)):
        codes.append(week_day)
    found, size = [], 0
    for factor in codes:
        present, place = np.unique(factor, return_inverse=True)
        found.append(place.astype(np.int64) + size)
        size += len(present)
    return found, size


def _inflation(scores: Floats, operators: Ints, days: Ints, variance: float) -> tuple[float, float]:
    """The cluster-robust variance over the one of independent calls, and its degrees of freedom."""
    by_operator, groups = _clustered(scores, operators)
    by_day, n_days = _clustered(scores, days)
    if n_days < FEWEST_DAYS:  # single days cannot be compared with each other: operators only
        return by_operator / variance, groups - 1.0
    by_both, _ = _clustered(scores, operators * (days.max() + 1) + days)
    return max(by_operator + by_day - by_both, by_operator, by_day) / variance, min(groups, n_days) - 1.0


def _clustered(scores: Floats, clusters: Ints) -> tuple[float, int]:
    """The variance of a sum of scores with independent clusters (with the usual correction for few of them), and their number."""
    _, place = np.unique(clusters, return_inverse=True)
    sums = np.bincount(place, scores)
    groups = len(sums)
    return float((sums**2).sum()) * groups / max(groups - 1, 1), groups
