"""How the words of each turn sound: negative, neutral or positive. Words only: nobody's feelings are read from a voice.

The text classifier of the profile reads every sentence, and a turn is what its sentences say together; abuse heard in the turn is surer than any model. A client's turns are then read
together, since who was upset a moment ago mostly still is, and thanks come late: a turn that says little takes its mood from those around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from models.classifier import LABELS, MODELS_DIR, get_classifier
from pipelines.records import Turn, TurnSentiment
from pipelines.score.abuse import abuse_in_turn
from pipelines.score.reading import plain, sentences_of

Sentiment = Literal["negative", "neutral", "positive"]
Rows = NDArray[np.float64]  # a turn a row: how likely it is negative, neutral, positive
_ABUSIVE = (0.97, 0.02, 0.01)
_ABUSIVE_CONFIDENCE = 0.95
# How a client's mood goes on from turn to turn, and how it begins: rounded from written-down calls (docs/quality.md has the figures without it).
_BEGINS = np.array([0.40, 0.55, 0.05])
_GOES_ON = np.array([[0.60, 0.35, 0.05], [0.20, 0.55, 0.25], [0.05, 0.40, 0.55]])  # [mood of a turn][mood of the next one]


class Reader(Protocol):
    """What judges the texts: `models.classifier.TextClassifier`, or a stand-in of a test."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """How likely each text is negative, neutral and positive."""
        ...


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
    worded = [turn for turn in turns if turn.tokens]
    if not worded:
        return [_judged(turn, None, False) for turn in turns]
    rows = _read(worded, reader or get_classifier(profile, models_dir or MODELS_DIR))
    abusive = {turn.turn_no for turn in worded if any(finding.confidence >= 0.6 for finding in abuse_in_turn(turn))}
    rows[[turn.turn_no in abusive for turn in worded]] = _ABUSIVE
    client = [turn.role == "client" for turn in worded]
    rows[client] = in_context(rows[client])
    by_turn = {turn.turn_no: row for turn, row in zip(worded, rows, strict=True)}
    return [_judged(turn, by_turn.get(turn.turn_no), turn.turn_no in abusive) for turn in turns]


def _read(turns: Sequence[Turn], reader: Reader) -> Rows:
    """How likely each turn is negative, neutral, positive: what its sentences say together, by their length.

    The sentences are read for what they do anyway; reading the turn once more as a whole costs half as much again and tells no more.
    """
    parts = [sentences_of(turn) or [(0, 1, plain(""))] for turn in turns]
    read = iter(
        np.log(np.clip(np.array(reader.probabilities([text for some in parts for *_, text in some]), dtype=np.float64), 1e-6, None))
    )
    rows = np.exp([np.average([next(read) for _ in some], axis=0, weights=[last - first for first, last, _ in some]) for some in parts])
    return cast(Rows, rows / rows.sum(axis=1, keepdims=True))


def in_context(rows: Rows) -> Rows:
    """How likely each turn of one person is negative, neutral, positive, given all turns of theirs: the forward-backward algorithm."""
    if not len(rows):
        return rows
    sure = np.clip(rows, 1e-6, None)
    before, after = np.empty_like(sure), np.ones_like(sure)
    for n, row in enumerate(sure):
        before[n] = row * (before[n - 1] @ _GOES_ON if n else _BEGINS)
        before[n] /= before[n].sum()
    for n in range(len(sure) - 2, -1, -1):
        after[n] = _GOES_ON @ (sure[n + 1] * after[n + 1])
        after[n] /= after[n].sum()
    both = before * after
    return cast(Rows, both / both.sum(axis=1, keepdims=True))


def _judged(turn: Turn, row: Rows | None, is_abusive: bool) -> TurnSentiment:
    if row is None:
        return TurnSentiment(turn.call_id, turn.turn_no, "neutral", 0.0)
    label, confidence = LABELS[int(row.argmax())], float(row.max())
    if is_abusive:
        label, confidence = "negative", max(confidence if label == "negative" else 0.0, _ABUSIVE_CONFIDENCE)
    return TurnSentiment(turn.call_id, turn.turn_no, cast(Sentiment, label), round(confidence, 3))
