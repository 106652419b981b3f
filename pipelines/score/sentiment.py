"""How the words of each turn sound: negative, neutral or positive. Words only: nobody's feelings are read from a voice.

The text classifier of the profile reads every turn; abuse heard in the turn, and bare thanks or a bare goodbye, are surer than any model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, cast

from models.classifier import LABELS, MODELS_DIR, get_classifier
from pipelines.records import Turn, TurnSentiment
from pipelines.score.abuse import abuse_in_turn

Sentiment = Literal["negative", "neutral", "positive"]
_LEAST_WORDS = 1
_ABUSIVE_CONFIDENCE = 0.95


class Reader(Protocol):
    """What judges the texts: `models.classifier.TextClassifier`, or a stand-in of a test."""

    def sentiment(self, texts: Sequence[str]) -> list[tuple[str, float]]: ...


def judge_sentiment(
    turns: Sequence[Turn], profile: str = "offline", models_dir: Path | None = None, reader: Reader | None = None
) -> list[TurnSentiment]:
    """The sentiment of every turn of one call, in order, with a confidence from 0 to 1; both roles, from the masked words.

    Args:
        turns: the turns of the call.
        profile: which text model of the registry reads them.
        models_dir: where weights lie; None for the project's own.
        reader: reads in place of the profile's model.
    """
    worded = [turn for turn in turns if len(turn.tokens) >= _LEAST_WORDS]
    if worded and reader is None:
        reader = get_classifier(profile, models_dir or MODELS_DIR)
    read = reader.sentiment([_plain(turn.text) for turn in worded]) if worded and reader is not None else []
    by_turn = dict(zip((turn.turn_no for turn in worded), read, strict=True))
    return [_judged(turn, *by_turn.get(turn.turn_no, ("neutral", 0.0))) for turn in turns]


def _judged(turn: Turn, label: str, confidence: float) -> TurnSentiment:
    if label not in LABELS:
        raise ValueError(f"the text model answered {label!r}; it must be one of {', '.join(LABELS)}")
    if any(finding.confidence >= 0.6 for finding in abuse_in_turn(turn)):
        label, confidence = "negative", max(confidence if label == "negative" else 0.0, _ABUSIVE_CONFIDENCE)
    return TurnSentiment(turn.call_id, turn.turn_no, cast(Sentiment, label), round(confidence, 3))


def _plain(text: str) -> str:
    """Placeholders say nothing about feelings, and the model has never seen them."""
    return " ".join(word for word in text.split() if not word.startswith("[")) or "."
