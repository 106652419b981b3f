"""The changes of the latest week as short rows: for the page of a centre, its printed sheet and the start page."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.core.published import Row
from pipelines.trends.cells import MEASURES, SCORE
from pipelines.trends.centre_trends import Outcome, Trends
from pipelines.trends.significance import Tested


@dataclass(frozen=True, slots=True)
class WeekChange:
    """One figure of a period and the one before; `direction` is better, worse, same where the difference may be chance, or few.

    `now` and `before` are percentages; None without calls. `counts` are of a share: its numerator and denominator, now and before.
    """

    name: str
    now: float | None
    before: float | None
    direction: str
    counts: tuple[int, int, int, int] | None = None


def change_of(outcome: Outcome) -> str:
    """The change of the chosen period: worse, better, same or few (too few calls to say)."""
    return _change(outcome, outcome.tested)


def figures(trends: Trends) -> list[WeekChange]:
    """The score and the measures, changed or not."""
    by_name = {outcome.name: outcome for outcome in trends.outcomes}
    return [_row(by_name[name]) for name in (SCORE, *MEASURES) if name in by_name]


def criteria(trends: Trends) -> list[WeekChange]:
    """The criteria that changed by more than chance, those for the worse first."""
    return [_row(outcome) for outcome in trends.changed if outcome.is_criterion]


COLUMNS = (
    "outcome", "line", "first_day", "last_day", "calls", "rate_pct", "compared_first_day", "compared_last_day", "compared_calls", "compared_rate_pct",
    "adjusted_change_pct", "low_pct", "high_pct", "is_significant", "change",
)  # fmt: skip


def table(trends: Trends) -> list[Row]:
    """A row with COLUMNS for each outcome in the whole centre, and for each line with enough calls, for a workbook."""
    rows = []
    for outcome in trends.outcomes:
        for line, tested in (("all", outcome.tested), *outcome.lines):
            now, before = outcome.points[-1], outcome.compared
            change = tested.change if tested else None
            rates = (change.rate, change.before_rate) if change else (now.rate, before.rate)
            numbers = (change.adjusted, tested.low, tested.high) if tested and change else (None, None, None)
            values = (
                outcome.name, line, trends.period.first, trends.period.last, change.calls if change else now.calls, _pct(rates[0]), before.period.first,
                before.period.last, change.before_calls if change else before.calls, _pct(rates[1]), *(_pct(n) for n in numbers),
                tested.is_significant if tested else None, _change(outcome, tested),
            )  # fmt: skip
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _pct(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _change(outcome: Outcome, tested: Tested | None) -> str:
    if tested is None:
        return "few"
    if not tested.is_significant:
        return "same"
    return "worse" if outcome.is_worse(tested) else "better"


def _row(outcome: Outcome) -> WeekChange:
    now, before = outcome.points[-1], outcome.compared
    rates = [None if p.rate is None else 100 * p.rate for p in (now, before)]
    counts = None
    if outcome.name != SCORE:
        counts = (round(now.calls * (now.rate or 0)), now.calls, round(before.calls * (before.rate or 0)), before.calls)
    return WeekChange(outcome.name, rates[0], rates[1], change_of(outcome), counts)
