"""Small charts of one outcome over consecutive periods, laid out for the SVG of a page: points with intervals, and an axis that shows the change."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.core.axis import axis
from pipelines.core.period import Period
from pipelines.trends.centre_trends import Outcome, Point

WIDTH, HEIGHT = 320.0, 130.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 12.0, 10.0, 22.0


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One period in the chart: where its rate and the ends of its interval are drawn; `change` is worse, better or empty."""

    x: float
    y: float
    top: float
    bottom: float
    change: str
    point: Point


@dataclass(frozen=True, slots=True)
class SmallChart:
    """A chart of one outcome; lines of the axis as (y, share from 0 to 1), labels of the first and last period as (x, anchor, period)."""

    points: tuple[ChartPoint, ...]
    lines: tuple[tuple[float, float], ...]
    labels: tuple[tuple[float, str, Period], ...]


def draw(outcome: Outcome) -> SmallChart:
    """The periods with calls at distances proportional to time, on an axis from just below the lowest interval to just above the highest."""
    known = [p for p in outcome.points if p.rate is not None and p.low is not None and p.high is not None]
    if not known:
        return SmallChart((), (), ())
    marks = axis([bound for p in known for bound in (p.low or 0.0, p.high or 0.0)])
    low, high = marks[0], marks[-1]
    first, last = outcome.points[0].period.first.toordinal(), outcome.points[-1].period.first.toordinal()

    def x(point: Point) -> float:
        share = (point.period.first.toordinal() - first) / (last - first) if last > first else 0.5
        return round(LEFT + 8 + (WIDTH - LEFT - RIGHT - 16) * share, 1)

    def y(rate: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - rate) / (high - low), 1)

    points = tuple(ChartPoint(x(p), y(p.rate or 0.0), y(p.high or 0.0), y(p.low or 0.0), _change(outcome, p), p) for p in known)
    lines = tuple((y(mark), mark) for mark in marks)
    ends = [(points[0].x, "start", points[0].point.period), (points[-1].x, "end", points[-1].point.period)]
    return SmallChart(points, lines, tuple(ends if len(points) > 1 else [(points[0].x, "middle", points[0].point.period)]))


def _change(outcome: Outcome, point: Point) -> str:
    if point.tested is None or not point.tested.is_significant:
        return ""
    return "worse" if outcome.is_worse(point.tested) else "better"
