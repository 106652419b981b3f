"""A centre's weekly trends: the latest week against the one before, with changes beyond chance marked, and all weeks as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import itemgetter

from pipelines.core.confidence import share_interval
from pipelines.core.grouping import grouped
from pipelines.core.published import Published, Row

WEEKS_SHOWN = 16
WIDTH, HEIGHT = 1000.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 16.0, 12.0, 30.0
# the compared figures: key of the name in the strings, column, and whether a higher value is worse
COUNTED = (("n_critical", "auto_fails", True), ("n_abusive", "abusive_calls", True), ("n_review", "needs_review", True))


@dataclass(frozen=True, slots=True)
class WeekChange:
    """One figure of the latest week and the week before; `told` is better, worse, or same where the difference may be chance."""

    name: str
    now: float | None
    before: float | None
    told: str
    counts: tuple[int, int, int, int] | None = None  # of a share: numerator and denominator, now and before


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


def changes(now: Row, before: Row) -> list[WeekChange]:
    """The changes from one week to another."""
    told = "same"
    if now["score_low_pct"] is not None and before["score_low_pct"] is not None:
        told = (
            "better"
            if now["score_low_pct"] > before["score_high_pct"]
            else "worse"
            if now["score_high_pct"] < before["score_low_pct"]
            else "same"
        )
    found = [WeekChange("score", now["score_pct"], before["score_pct"], told)]
    for name, column, is_worse in COUNTED:
        found.append(_share(name, (now[column], now["calls"]), (before[column], before["calls"]), is_worse))
    return found


def criteria_changes(published: Published, centre_id: str, now: date, before: date) -> list[WeekChange]:
    """The criteria whose pass rate differs between two weeks by more than chance, worse ones first."""
    rows = published.rows(
        """select r.criterion_id,
                  count(*) filter (where c.started_local >= ? and r.verdict = 'pass') as passed_now,
                  count(*) filter (where c.started_local >= ?) as decided_now,
                  count(*) filter (where c.started_local < ? and r.verdict = 'pass') as passed_before,
                  count(*) filter (where c.started_local < ?) as decided_before
           from criterion_results as r
           join calls as c using (call_id)
           where c.centre_id = ? and r.judge = 'machine' and r.verdict in ('pass', 'fail')
             and (c.started_local >= ? and c.started_local < ? or c.started_local >= ? and c.started_local < ?)
           group by r.criterion_id
           order by r.criterion_id""",
        now, now, now, now, centre_id, now, now + timedelta(days=7), before, before + timedelta(days=7),
    )  # fmt: skip
    found = [_share(r["criterion_id"], (r["passed_now"], r["decided_now"]), (r["passed_before"], r["decided_before"]), False) for r in rows]
    return sorted((c for c in found if c.told != "same"), key=lambda c: (c.told != "worse", c.name))


def draw(shown: Sequence[Row]) -> TrendChart:
    """Weeks as dots with their intervals, from 0 to 100 per cent, at distances proportional to time."""
    scored = [w for w in shown if w["score_pct"] is not None]
    if not scored:
        return TrendChart((), (), ())
    first, last = scored[0]["period_start"], scored[-1]["period_start"]
    days = max((last - first).days, 1)

    def x(day: date) -> float:
        share = (day - first).days / days if first != last else 0.5
        return round(LEFT + 20 + (WIDTH - LEFT - RIGHT - 40) * share, 1)

    def y(pct: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - pct / 100), 1)

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
    return TrendChart(dots, tuple((y(pct), pct) for pct in (0, 25, 50, 75, 100)), tuple(labels))


def _share(name: str, now: tuple[int, int], before: tuple[int, int], is_worse: bool) -> WeekChange:
    """A share of two weeks; it counts as changed when the intervals do not overlap, a conservative test."""
    (low, high), (low_before, high_before) = share_interval(*now), share_interval(*before)
    told = "same"
    if low > high_before:
        told = "worse" if is_worse else "better"
    elif high < low_before:
        told = "better" if is_worse else "worse"
    return WeekChange(name, _pct(*now), _pct(*before), told, (*now, *before))


def _pct(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
