"""A centre's weekly scores as a chart; what changed beyond chance is in `pipelines.trends`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

from pipelines.core.axis import axis
from pipelines.core.grouping import grouped
from pipelines.core.published import Published, Row

WEEKS_SHOWN = 16
WIDTH, HEIGHT = 1000.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 16.0, 12.0, 30.0


@dataclass(frozen=True, slots=True)
class WeekPoint:
    """One week in the chart."""

    x: float
    y: float
    top: float
    bottom: float
    week: Row


@dataclass(frozen=True, slots=True)
class TrendChart:
    """Weekly scores with their intervals."""

    dots: tuple[WeekPoint, ...]
    lines: tuple[tuple[float, int], ...]  # y, percent
    labels: tuple[tuple[float, date], ...]


def weeks(published: Published) -> dict[str, list[Row]]:
    """The weeks with calls by centre, oldest first.

    All centres are read at once, because the view computes all of them for any query.
    """
    rows = published.rows(
        """select centre_id, period_start, calls, graded, scored_calls, score_pct, score_low_pct, score_high_pct, abusive_calls, auto_fails, needs_review
           from centre_scorecards
           where period = 'week' and line = 'all' and period_start is not null and centre_id is not null
           order by centre_id, period_start"""
    )
    return grouped(rows, itemgetter("centre_id"))


def draw(shown: Sequence[Row]) -> TrendChart:
    """Weeks as dots with their intervals, on an axis that shows their range, at distances proportional to time."""
    scored = [w for w in shown if w["score_pct"] is not None]
    if not scored:
        return TrendChart((), (), ())
    first, last = scored[0]["period_start"], scored[-1]["period_start"]
    days = max((last - first).days, 1)
    marks = axis([pct / 100 for w in scored for pct in (_or(w["score_low_pct"], w["score_pct"]), _or(w["score_high_pct"], w["score_pct"]))])
    low, high = 100 * marks[0], 100 * marks[-1]

    def x(day: date) -> float:
        share = (day - first).days / days if first != last else 0.5
        return round(LEFT + 20 + (WIDTH - LEFT - RIGHT - 40) * share, 1)

    def y(pct: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - pct) / (high - low), 1)

    dots = tuple(
        WeekPoint(
            x(w["period_start"]),
            y(w["score_pct"]),
            y(_or(w["score_high_pct"], w["score_pct"])),
            y(_or(w["score_low_pct"], w["score_pct"])),
            w,
        )
        for w in scored
    )
    labels: list[tuple[float, date]] = []
    for dot in dots:
        if not labels or dot.x - labels[-1][0] > 110:
            labels.append((dot.x, dot.week["period_start"]))
    return TrendChart(dots, tuple((y(100 * mark), round(100 * mark)) for mark in marks), tuple(labels))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
