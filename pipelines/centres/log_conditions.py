"""The conditions of a criterion that the call log decides: direction, line and hour."""

from __future__ import annotations

from pipelines.centres.profile import Centre
from pipelines.centres.scorecard import Applies
from pipelines.core.records import Call


def fits_direction(applies: Applies, call: Call) -> bool:
    """Whether a call has one of the directions of a criterion; without directions, any."""
    return not applies.directions or call.direction in applies.directions


def fits_line(applies: Applies, call: Call) -> bool:
    """Whether a call came on one of the lines of a criterion; without lines, any."""
    return not applies.lines or (call.line or "") in applies.lines


def is_at_night(call: Call, centre: Centre) -> bool | None:
    """Whether a call began outside the hours of the full service; None where its start is unknown."""
    return None if call.started_at is None else centre.hours.is_night(call.started_at.astimezone(centre.timezone).hour)
