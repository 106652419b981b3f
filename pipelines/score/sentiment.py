"""Sentiment per turn, negative, neutral or positive, by the turn model. Words only: no emotion is inferred from a voice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from pipelines.core.records import Finding, Turn, TurnSentiment
from pipelines.turns.model_reading import NOTHING_READ, ModelReading

Sentiment = Literal["negative", "neutral", "positive"]
_ABUSIVE_CONFIDENCE = 0.95
_ABUSE_SURE = 0.6  # abuse above this confidence is negative, whatever the model reads


def judge_sentiment(turns: Sequence[Turn], reading: ModelReading = NOTHING_READ, abuse: Sequence[Finding] = ()) -> list[TurnSentiment]:
    """The sentiment of every turn of one call, in order, with a confidence from 0 to 1; both roles, from the masked words.

    Args:
        turns: the turns of the call.
        reading: the turn model's output; a turn without words or output is neutral with no confidence.
        abuse: findings of the call; an abusive turn is negative.
    """
    abusive = {finding.turn_no for finding in abuse if finding.confidence >= _ABUSE_SURE}
    return [_judged(turn, reading, turn.turn_no in abusive) for turn in turns]


def _judged(turn: Turn, reading: ModelReading, is_abusive: bool) -> TurnSentiment:
    read = reading.turns.get(turn.turn_no)
    if is_abusive:
        known = read.sentiment["negative"] if read is not None else 0.0
        return TurnSentiment(turn.call_id, turn.turn_no, "negative", round(max(known, _ABUSIVE_CONFIDENCE), 3))
    if read is None or not turn.tokens:
        return TurnSentiment(turn.call_id, turn.turn_no, "neutral", 0.0)
    label = max(read.sentiment, key=lambda name: read.sentiment[name])
    return TurnSentiment(turn.call_id, turn.turn_no, cast(Sentiment, label), round(read.sentiment[label], 3))
