"""The axis of a chart holds every value, stays within 0 to 1, and is neither flat nor crowded."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.axis import LEAST_SPAN, axis


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_axis_holds_all_values_in_a_few_even_steps(values: list[float]) -> None:
    lines = axis(values)
    assert 0 <= lines[0] <= min(values) + 1e-6 and max(values) - 1e-6 <= lines[-1] <= 1
    assert 2 <= len(lines) <= 6 and lines[-1] - lines[0] >= LEAST_SPAN - 1e-9
    assert len({round(b - a, 6) for a, b in itertools.pairwise(lines)}) == 1


def test_a_fall_of_thirty_points_takes_most_of_the_axis() -> None:
    assert axis([0.82, 0.49]) == pytest.approx((0.4, 0.5, 0.6, 0.7, 0.8, 0.9))
