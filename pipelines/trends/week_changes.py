"""The changes of the latest week as short rows: for the page of a centre, its printed sheet and the start page."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.trends.cells import MEASURES, SCORE
from pipelines.trends.centre_trends import Outcome, Trends


@dataclass(frozen=True, slots=True)
class WeekChange:
    """One figure of a period and the one before; `told` is better, worse, same where the difference may be chance, or few.

    `now` and `before` are percentages; None without calls. `counts` are of a share: its numerator and denominator, now and before.
    """

    name: str
    now: float | None
    before: float | None
    told: str
    counts: tuple[int, int, int, int] | None = None


def change_of(outcome: Outcome) -> str:
    """The change of the chosen period: worse, better, same or few (too few calls to say)."""
    if outcome.tested is None:
        return "few"
    if not outcome.tested.is_significant:
        return "same"
    return "worse" if outcome.is_worse(outcome.tested) else "better"


def figures(trends: Trends) -> list[WeekChange]:
    """The score and the measures, changed or not."""
    by_name = {outcome.name: outcome for outcome in trends.outcomes}
    return [_row(by_name[name]) for name in (SCORE, *MEASURES) if name in by_name]


def criteria(trends: Trends) -> list[WeekChange]:
    """The criteria that changed by more than chance, those for the worse first."""
    return [_row(outcome) for outcome in trends.changed if outcome.is_criterion]


def _row(outcome: Outcome) -> WeekChange:
    now, before = outcome.points[-1], outcome.compared
    rates = [None if p.rate is None else 100 * p.rate for p in (now, before)]
    counts = None
    if outcome.name != SCORE:
        counts = (round(now.calls * (now.rate or 0)), now.calls, round(before.calls * (before.rate or 0)), before.calls)
    return WeekChange(outcome.name, rates[0], rates[1], change_of(outcome), counts)
