"""The timeline of a call as shapes: turns with their loudness, overlaps, holds, findings and the times of the abuse procedure.

Pure geometry in the units of the drawing (1000 wide); the template turns it into SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.core.intervals import union

Row = dict[str, Any]

WIDTH = 1000.0
LABEL = 92.0  # width of the lane's name
MARKS_HEIGHT = 26.0
LANE_HEIGHT = 54.0
POINTS_HEIGHT = 22.0  # the strip of criteria, where there are any
POINT_WIDTH = 17.0  # overlapping points move to the right
AXIS_HEIGHT = 24.0
USUAL_HEIGHT = 26.0  # a turn at the speaker's own median level
PER_DB = 1.9  # how much taller a turn gets for each decibel above it
LOUDEST_DB = 10.0
MARKED = (
    "abuse",
    "forbidden_phrase",
    "dead_air",
    "dropped_speech",
    "interruption",
    "channel_mapping",
)  # marks a raised voice on its turn
_TICKS_S = (5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle (or, for marks and ticks, a point) in the drawing with the data it represents."""

    x: float
    y: float
    width: float
    height: float
    data: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All shapes of the drawing, from back to front."""

    length_s: float
    height: float
    min_width_px: int
    lanes: tuple[Shape, ...]
    holds: tuple[Shape, ...]
    overlaps: tuple[Shape, ...]
    turns: tuple[Shape, ...]
    marks: tuple[Shape, ...]
    moments: tuple[Shape, ...]
    points: tuple[Shape, ...]
    ticks: tuple[Shape, ...]


def draw(
    duration_s: float,
    turns: Sequence[Row],
    holds: Sequence[Row],
    findings: Sequence[Row],
    moments: Sequence[tuple[str, float]],
    criteria: Sequence[Row] = (),
) -> Timeline:
    """The timeline of one call; `moments` are named times of the abuse procedure in seconds, `criteria` those with a place in the call."""
    length: float = max([duration_s, *(t["end_s"] for t in turns), 1.0])
    roles = [r for r in ("client", "operator", "unknown") if r != "unknown" or any(t["role"] == "unknown" for t in turns)]
    top = {role: MARKS_HEIGHT + n * LANE_HEIGHT for n, role in enumerate(roles)}
    bottom = MARKS_HEIGHT + len(roles) * LANE_HEIGHT

    def x(second: float) -> float:
        return round(LABEL + (WIDTH - LABEL) * min(max(second / length, 0.0), 1.0), 2)

    def across(start_s: float, end_s: float, y: float, height: float, data: Row, least: float = 1.5) -> Shape:
        return Shape(x(start_s), round(y, 2), round(max(x(end_s) - x(start_s), least), 2), round(height, 2), data)

    blocks = []
    for turn in turns:
        level = min(max(turn.get("voice_level_db") or 0.0, -LOUDEST_DB), LOUDEST_DB)
        height = USUAL_HEIGHT + level * PER_DB
        lane = top.get(turn["role"], top["client"])
        blocks.append(across(turn["start_s"], turn["end_s"], lane + (LANE_HEIGHT - height) / 2, height, turn))
    marked = [f for f in findings if f["kind"] in MARKED]
    strip = POINTS_HEIGHT if criteria else 0.0
    return Timeline(
        length_s=length,
        height=bottom + strip + AXIS_HEIGHT,
        min_width_px=int(min(max(length * 4, 660), 2400)),
        lanes=tuple(Shape(LABEL, top[role], WIDTH - LABEL, LANE_HEIGHT, {"role": role}) for role in roles),
        holds=tuple(across(h["start_s"], h["end_s"], MARKS_HEIGHT, bottom - MARKS_HEIGHT, h) for h in holds),
        overlaps=tuple(across(s, e, MARKS_HEIGHT, bottom - MARKS_HEIGHT, {"start_s": s, "end_s": e}) for s, e in overlaps(turns)),
        turns=tuple(blocks),
        marks=tuple(Shape(x((f["start_s"] + f["end_s"]) / 2), MARKS_HEIGHT / 2, 0, 0, f) for f in marked),
        moments=tuple(Shape(x(s), MARKS_HEIGHT, 0, bottom - MARKS_HEIGHT, {"name": name, "at_s": s}) for name, s in moments),
        points=_points([(x((c["start_s"] + c["end_s"]) / 2), c) for c in criteria], bottom + POINTS_HEIGHT / 2),
        ticks=tuple(Shape(x(s), bottom + strip, 0, AXIS_HEIGHT, {"at_s": s}) for s in _tick_seconds(length)),
    )


def _points(placed: Sequence[tuple[float, Row]], y: float) -> tuple[Shape, ...]:
    """Points moved apart where they would overlap; the last of a group ends at the right edge."""
    xs: list[float] = []
    ordered = sorted(placed, key=lambda pair: pair[0])
    for at, _ in ordered:
        xs.append(max(at, xs[-1] + POINT_WIDTH) if xs else max(at, LABEL + POINT_WIDTH / 2))
    for n in range(len(xs) - 1, -1, -1):
        xs[n] = min(xs[n], WIDTH - POINT_WIDTH / 2 if n == len(xs) - 1 else xs[n + 1] - POINT_WIDTH)
    return tuple(Shape(round(at, 2), y, 0, 0, row) for at, (_, row) in zip(xs, ordered, strict=True))


def overlaps(turns: Sequence[Row]) -> list[tuple[float, float]]:
    """The intervals in which turns of two roles overlap, merged, in order."""
    return union(
        (max(a["start_s"], b["start_s"]), min(a["end_s"], b["end_s"]))
        for n, a in enumerate(turns)
        for b in turns[n + 1 : n + 8]
        if a["role"] != b["role"]
    )


def _tick_seconds(length: float) -> range:
    step = next((s for s in _TICKS_S if length / s <= 12), _TICKS_S[-1])
    return range(0, int(length) + 1, step)
