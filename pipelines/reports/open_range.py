"""The range that undecided points leave open in the score of a call: a score of 100 % of 30 % decided points may end anywhere from 30 to 100 %."""

from __future__ import annotations

from dataclasses import dataclass

# Below this share of decided points a score is shown as its range only, not as one number.
LEAST_COVERAGE_PCT = 80.0
_ALL_PCT = 99.5  # rounds to all points


@dataclass(frozen=True, slots=True)
class OpenRange:
    """The lowest and highest score (0 to 100) that decisions on the open points can lead to, and whether only the range is shown."""

    low_pct: float
    high_pct: float
    is_wide: bool


def open_range(score_pct: float | None, coverage_pct: float | None, is_auto_fail: bool | None = False) -> OpenRange | None:
    """The range of a score, or None where all points are decided, nothing was scored, or an automatic fail sets the score whatever is open."""
    if score_pct is None or coverage_pct is None or coverage_pct >= _ALL_PCT or is_auto_fail:
        return None
    won = score_pct * coverage_pct / 100
    return OpenRange(won, won + 100 - coverage_pct, coverage_pct < LEAST_COVERAGE_PCT)
