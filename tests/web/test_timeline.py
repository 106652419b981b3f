from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.queries import timeline

SECOND = st.floats(0, 600, allow_nan=False)


def turn(role: str, start_s: float, end_s: float, level_db: float | None = None) -> dict[str, Any]:
    return {"role": role, "start_s": start_s, "end_s": end_s, "voice_level_db": level_db}


TURNS = st.lists(st.builds(lambda role, a, length, db: turn(role, a, a + length, db), st.sampled_from(["operator", "client", "unknown"]), SECOND,
                           st.floats(0, 30), st.none() | st.floats(-60, 60)), max_size=12)  # fmt: skip


@given(TURNS, st.floats(0, 700))
def test_everything_is_drawn_inside_the_picture(turns: list[dict[str, Any]], duration_s: float) -> None:
    line = timeline.draw(duration_s, turns, [], [], [("warned", duration_s / 2)])
    for shape in (*line.turns, *line.overlaps, *line.moments, *line.ticks):
        assert timeline.LABEL <= shape.x <= timeline.WIDTH
        assert shape.y >= 0 and shape.y + shape.height <= line.height
        assert shape.x + shape.width <= timeline.WIDTH + 2  # a very short turn is still drawn two units wide
    assert len(line.turns) == len(turns)


@given(TURNS)
def test_overlaps_are_joined_and_in_order(turns: list[dict[str, Any]]) -> None:
    ordered = sorted(turns, key=lambda t: t["start_s"])
    spans = timeline.overlaps(ordered)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))
    assert all(start_s < end_s for start_s, end_s in spans)


def test_a_louder_turn_is_taller_and_silence_on_the_level_is_the_usual_height() -> None:
    quiet, usual, loud = timeline.draw(10, [turn("client", 0, 1, -6), turn("client", 2, 3), turn("client", 4, 5, 6)], [], [], []).turns
    assert quiet.height < usual.height == timeline.USUAL_HEIGHT < loud.height


def test_a_lane_for_unknown_speakers_is_there_only_when_needed() -> None:
    assert [s.data["role"] for s in timeline.draw(5, [turn("operator", 0, 1)], [], [], []).lanes] == ["client", "operator"]
    assert [s.data["role"] for s in timeline.draw(5, [turn("unknown", 0, 1)], [], [], []).lanes] == ["client", "operator", "unknown"]


def test_long_calls_have_few_ticks() -> None:
    for length in (3, 60, 599, 3600, 4 * 3600):
        assert 1 <= len(timeline.draw(length, [], [], [], []).ticks) <= 14
