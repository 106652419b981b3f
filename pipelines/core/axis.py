"""The axis of a chart of rates: from just below the lowest value to just above the highest, in round steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEAST_SPAN = 0.2  # differences of a few points must not look like a cliff
_STEPS = (0.05, 0.1, 0.2, 0.25, 0.5)
_MOST_STEPS = 5


def axis(values: Sequence[float]) -> tuple[float, ...]:
    """The lines of an axis within 0 to 1 that holds all values, from the lowest up; the first and last are its ends."""
    lowest, highest = min(values), max(values)
    if highest - lowest < LEAST_SPAN:
        middle = min(max((lowest + highest) / 2, LEAST_SPAN / 2), 1 - LEAST_SPAN / 2)
        lowest, highest = middle - LEAST_SPAN / 2, middle + LEAST_SPAN / 2
    for step in _STEPS:
        first, last = math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9)
        if last - first <= _MOST_STEPS:
            break
    return tuple(min(max(n * step, 0.0), 1.0) for n in range(first, last + 1))
