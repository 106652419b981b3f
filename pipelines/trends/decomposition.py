"""What contributed to a change: each operator, topic or line, divided into a part of its rate and a part of its share of the calls.

The change of a rate is the sum over the levels of a factor of `share x rate`, now minus before. As Kitagawa (1955,
https://doi.org/10.1080/01621459.1955.10501299) divides it, with averages of the two periods as weights:

- rate part: average share x (rate now - rate before): the level itself got better or worse;
- mix part: (share now - share before) x (average rate - average of all): more or fewer calls of a level that is better or worse than others.

Both add up, over the levels, to the unadjusted change. It is the decomposition of Oaxaca and Blinder for a single factor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipelines.core.confidence import normal_quantile
from pipelines.trends.cells import FACTORS, Cells, Floats, Mask

_LEVEL = 0.95  # one-sided: the interval is one of 90 %
_POOLED = 2.0  # calls of the whole centre with which a level's variance is pooled, so that few calls do not look alike by chance


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one level of a factor contributed; parts and bounds as shares (-1 to 1), rates are None where the level has no calls.

    `usual` is what it would have contributed with the change of all calls: its share of the calls times that change.
    """

    factor: str
    level: str
    calls: int
    before_calls: int
    rate: float | None
    before_rate: float | None
    rate_part: float
    mix_part: float
    low: float
    high: float
    usual: float

    @property
    def stands_out(self) -> bool:
        """Whether it contributed more than its share of the calls explains."""
        return self.total * self.usual > 0 and abs(self.total) > abs(self.usual) and not self.low <= self.usual <= self.high

    @property
    def total(self) -> float:
        """The rate and mix parts together."""
        return self.rate_part + self.mix_part


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A change by the levels of one factor, the largest contribution first, with the sums of their parts."""

    factor: str
    levels: tuple[Contribution, ...]
    rate_part: float
    mix_part: float

    @property
    def is_even(self) -> bool:
        """Whether no level contributed more than its share of the calls explains."""
        return not any(c.stands_out for c in self.levels)

    def top(self, count: int) -> list[Contribution]:
        """The levels that contributed most in the direction of the change, and whose interval has zero outside."""
        sign = math.copysign(1.0, self.rate_part + self.mix_part)
        return [c for c in self.levels if c.total * sign > 0 and (c.low > 0 or c.high < 0)][:count]


def decompose(cells: Cells, now: Mask, before: Mask, inflation: float) -> list[Decomposition]:
    """The unadjusted change between the cells of two masks, by each factor with at least two levels.

    `inflation` is that of variances by correlated verdicts; both masks must contain calls.
    """
    return [found for factor in FACTORS if (found := _by_factor(cells, factor, now, before, inflation)) is not None]


def _by_factor(cells: Cells, factor: str, now: Mask, before: Mask, inflation: float) -> Decomposition | None:
    codes = cells.level[factor]
    size = int(codes.max()) + 1
    if len(np.unique(codes[now | before])) < 2:
        return None
    sides = [_of_levels(cells, factor, mask, size) for mask in (now, before)]
    calls, own, variances = ([side[n] for side in sides] for n in range(3))
    shares = [n / n.sum() for n in calls]
    # A level without calls in a period has no rate there: its whole contribution is one of the mix.
    rates = [np.where(np.isnan(own[0]), own[1], own[0]), np.where(np.isnan(own[1]), own[0], own[1])]
    means = [float(np.nansum(share * rate)) for share, rate in zip(shares, rates, strict=True)]
    share, rate, mean = (shares[0] + shares[1]) / 2, (rates[0] + rates[1]) / 2, (means[0] + means[1]) / 2
    rate_part = share * (rates[0] - rates[1])
    mix_part = (shares[0] - shares[1]) * (rate - mean)
    of_shares = sum(s * (1 - s) / n.sum() for s, n in zip(shares, calls, strict=True))
    errors = np.sqrt(inflation * (share**2 * (variances[0] + variances[1]) + (rate - mean) ** 2 * of_shares))
    half = normal_quantile(_LEVEL) * errors
    levels = [
        Contribution(
            factor, cells.names[factor][n], int(calls[0][n]), int(calls[1][n]), _rate(rates[0][n], calls[0][n]), _rate(rates[1][n], calls[1][n]),
            float(rate_part[n]), float(mix_part[n]), float(rate_part[n] + mix_part[n] - half[n]), float(rate_part[n] + mix_part[n] + half[n]),
            float(share[n] * (means[0] - means[1])),
        )
        for n in np.flatnonzero(calls[0] + calls[1]).tolist()
    ]  # fmt: skip
    levels.sort(key=lambda c: (-abs(c.total), c.level))
    return Decomposition(factor, tuple(levels), float(np.nansum(rate_part)), float(np.nansum(mix_part)))


def _of_levels(cells: Cells, factor: str, mask: Mask, size: int) -> tuple[Floats, Floats, Floats]:
    """Per level: the number of calls, their mean (nan without calls), and the variance of the mean (0 without calls)."""
    codes = cells.level[factor][mask]
    calls, total, squares = (
        np.bincount(codes, values[mask], size).astype(np.float64) for values in (cells.calls, cells.total, cells.squares)
    )
    mean = total.sum() / calls.sum()
    whole = max(squares.sum() / calls.sum() - mean**2, 0.25 / (calls.sum() + 4))
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = total / calls
        spread = np.maximum(squares - calls * rate**2, 0.0)
        variance = (spread + _POOLED * whole) / (calls + _POOLED) / calls
    return calls, rate, np.where(calls > 0, variance, 0.0)


def _rate(rate: float, calls: float) -> float | None:
    return float(rate) if calls else None
