"""Runs the turn model on calls: `redact` uses its personal data, `score` everything else.

The model covers wordings that no list of phrases has, and makes errors that a phrase would not. Its output is a probability, never a
verdict: `speech_acts`, `abuse` and `topic` combine it with phrases and lexicons. No emotion is inferred from a voice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.text.loading import MODELS_DIR, get_turn_model
from models.text.prototypes import Prototypes
from models.text.turn_model import TurnModel, TurnReading, TurnText
from pipelines.core.records import Turn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ModelReading:
    """The model's output for a call; empty where it did not run."""

    turns: Mapping[int, TurnReading] = field(default_factory=dict)  # by turn number
    client_type: Mapping[str, float] = field(default_factory=dict)
    topics: Mapping[str, float] = field(default_factory=dict)  # see `Prototypes.scores`; only those of one centre can be compared
    vector: NDArray[np.float32] | None = field(default=None, compare=False)  # of the call, see `CallReading.vector`


NOTHING_READ = ModelReading()


TopicExamples = Mapping[str, Sequence[str]]  # a centre's own: topic → a description and a few sentences


def read_calls(
    calls: Sequence[Sequence[Turn]],
    profile: str = "offline",
    models_dir: Path | None = None,
    topic_examples: Sequence[TopicExamples] | None = None,
) -> list[ModelReading]:
    """The output of a profile's turn model for each call; faster for many calls together. `topic_examples`: see `read_with`."""
    return read_with(get_turn_model(profile, models_dir or MODELS_DIR), calls, topic_examples)


def read_with(
    model: TurnModel, calls: Sequence[Sequence[Turn]], topic_examples: Sequence[TopicExamples] | None = None
) -> list[ModelReading]:
    """The output of a given model for each call; `topic_examples` are those of the centre of each call, if any."""
    found = model.read([texts_of(turns) for turns in calls])
    prototypes: dict[tuple[tuple[str, tuple[str, ...]], ...], Prototypes] = {}  # by the sentences: each call may have its own mapping
    readings = []
    for turns, one, examples in zip(calls, found, topic_examples or [{}] * len(calls), strict=True):
        topics = one.topics
        if examples:
            key = tuple((topic, tuple(sentences)) for topic, sentences in examples.items())
            if key not in prototypes:
                prototypes[key] = model.prototypes(examples)
            topics = prototypes[key].scores(one.vector)
        by_turn = {turn.turn_no: reading for turn, reading in zip(turns, one.turns, strict=True)}
        readings.append(ModelReading(by_turn, one.client_type, topics, one.vector))
    return readings


def texts_of(turns: Sequence[Turn]) -> list[TurnText]:
    """The turns of a call as model input."""
    return [TurnText(tuple(token.text for token in turn.tokens), turn.role) for turn in turns]
