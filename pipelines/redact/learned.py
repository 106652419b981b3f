"""Recognizes personal data with the turn model: spoken numbers, names and addresses, in the context of the whole call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from models.text.turn_model import KINDS, TurnReading
from pipelines.redact.numbers import NUMERIC, harmless_words
from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.turns.words import TurnContext

LEAST = 0.5  # minimum probability of personal data for masking a word
LEAST_BESIDE = 0.2  # the same next to a masked word: the rest of a number, a surname after a first name
LEAST_OF_OPERATOR = 0.8  # of an operator's number: amounts, times and tickets are frequent, and numbers read back are found separately


class LearnedRecognizer(Recognizer):
    """Words that are personal data, as runs of one kind, of all kinds. A number with a unit, or one that counts thousands, is not."""

    can_be_ruled_out = False  # it is the model itself

    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        return _learned(call.readings, call.turns, call.taken) if call.readings else []


def _learned(readings: Sequence[TurnReading], contexts: Sequence[TurnContext], taken: Sequence[set[int]]) -> list[PersonalSpan]:
    spans: list[PersonalSpan] = []
    for turn, (reading, h, own) in enumerate(zip(readings, contexts, taken, strict=True)):
        personal = reading.personal
        if not len(personal):
            continue
        harmless = harmless_words(h)
        kinds = [KINDS[1 + int(k)] for k in personal[:, 1:].argmax(1)]
        kept = [
            kind if is_meant and n not in own and not (n in harmless and kind in NUMERIC) else ""
            for n, (kind, is_meant) in enumerate(zip(kinds, _meant(personal, own), strict=True))
        ]
        at = 0
        for kind, run in groupby(kept):
            first, at = at, at + sum(1 for _ in run)
            is_doubtful = h.role == "operator" and kind in NUMERIC and 1 - personal[first:at, 0].min() < LEAST_OF_OPERATOR
            if kind and not is_doubtful:
                spans.append(PersonalSpan(turn, first, at, kind))
    return spans


def _meant(personal: NDArray[np.float32], own: Iterable[int]) -> NDArray[np.bool_]:
    """The words that are personal data: likely ones, and less likely ones next to them or to masked words."""
    chance = 1 - personal[:, 0]
    is_meant = chance >= LEAST
    grown = is_meant.copy()
    grown[list(own)] = True
    is_maybe = chance >= LEAST_BESIDE
    for order in (range(1, len(grown)), range(len(grown) - 2, -1, -1)):
        for n in order:
            beside = n - 1 if order.step > 0 else n + 1
            grown[n] |= is_maybe[n] and grown[beside]
    return np.asarray(grown, dtype=np.bool_)
