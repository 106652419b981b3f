"""What the turn model makes of a call: `redact` asks it for personal data, `score` for all else.

The model reads what no list of phrases foresees, and errs where a phrase would not. What it reads is a probability, never a verdict: `acts`, `abuse`
and `topic` combine it with phrases and lexicons. Nobody's feelings are read from a voice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.text.loading import MODELS_DIR, get_turn_model
from models.text.turn_model import CallReading, TurnModel, TurnReading, TurnText
from pipelines.records import Turn


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in a call; empty where nothing read it."""

    turns: Mapping[int, TurnReading] = field(default_factory=dict)  # by turn number
    client_type: Mapping[str, float] = field(default_factory=dict)
    topics: Mapping[str, float] = field(default_factory=dict)  # logits; only those of one centre can be compared

    @classmethod
    def of(cls, turns: Sequence[Turn], found: CallReading) -> Reading:
        """The reading of these turns, which were given to the model in this order."""
        return cls({turn.turn_no: one for turn, one in zip(turns, found.turns, strict=True)}, found.client_type, found.topics)


NOTHING_READ = Reading()


def read_calls(calls: Sequence[Sequence[Turn]], profile: str = "offline", models_dir: Path | None = None) -> list[Reading]:
    """What the turn model of a profile makes of each call; calls are best read together."""
    return read_with(get_turn_model(profile, models_dir or MODELS_DIR), calls)


def read_with(model: TurnModel, calls: Sequence[Sequence[Turn]]) -> list[Reading]:
    """What a given model makes of each call."""
    found = model.read([texts_of(turns) for turns in calls])
    return [Reading.of(turns, one) for turns, one in zip(calls, found, strict=True)]


def texts_of(turns: Sequence[Turn]) -> list[TurnText]:
    """The turns of a call as the model reads them."""
    return [TurnText(tuple(token.text for token in turn.tokens), turn.role) for turn in turns]
