"""Small charts of one outcome over consecutive periods, laid out for the SVG of a page: points with intervals, and an axis that shows the change."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipelines.core.period import Period
from pipelines.trends.centre_trends import Outcome, Point

WIDTH, HEIGHT = 320.0, 130.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 12.0, 10.0, 22.0
LEAST_SPAN = 0.2  # of the axis: differences of a few points must not look like a cliff
_STEPS = (0.05, 0.1, 0.2, 0.25, 0.5)
_MOST_LINES = 5


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
    low, high, step = _axis([p.low or 0.0 for p in known], [p.high or 0.0 for p in known])
    first, last = outcome.points[0].period.first.toordinal(), outcome.points[-1].period.first.toordinal()

    def x(point: Point) -> float:
        share = (point.period.first.toordinal() - first) / (last - first) if last > first else 0.5
        return round(LEFT + 8 + (WIDTH - LEFT - RIGHT - 16) * share, 1)

    def y(rate: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - rate) / (high - low), 1)

    points = tuple(ChartPoint(x(p), y(p.rate or 0.0), y(p.high or 0.0), y(p.low or 0.0), _change(outcome, p), p) for p in known)
    lines = tuple((y(low + n * step), low + n * step) for n in range(round((high - low) / step) + 1))
    ends = [(points[0].x, "start", points[0].point.period), (points[-1].x, "end", points[-1].point.period)]
    return SmallChart(points, lines, tuple(ends if len(points) > 1 else [(points[0].x, "middle", points[0].point.period)]))


def _axis(lows: list[float], highs: list[float]) -> tuple[float, float, float]:
    """The ends and the step of an axis within 0 to 1 that holds all intervals."""
    lowest, highest = min(lows), max(highs)
    if highest - lowest < LEAST_SPAN:
        middle = min(max((lowest + highest) / 2, LEAST_SPAN / 2), 1 - LEAST_SPAN / 2)
        lowest, highest = middle - LEAST_SPAN / 2, middle + LEAST_SPAN / 2
    for step in _STEPS:
        low, high = math.floor(lowest / step + 1e-9) * step, math.ceil(highest / step - 1e-9) * step
        if round((high - low) / step) < _MOST_LINES:
            break
    return max(low, 0.0), min(high, 1.0), step


def _change(outcome: Outcome, point: Point) -> str:
    if point.tested is None or not point.tested.is_significant:
        return ""
    return "worse" if outcome.is_worse(point.tested) else "better"
