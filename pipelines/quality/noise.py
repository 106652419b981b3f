"""Simulates recognition errors in turns, to measure how much a verdict depends on single words.

Other voices and other lines cause errors in other words: a figure that drops with a few changed words will not hold for calls that
nobody has measured. The errors are those of training, learned from recognised calls (`models.training.noise`).
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

from models.training.noise import garbled, with_moved_stop
from pipelines.core.records import Token, Turn


def misheard(turn: Turn, rate: float, draw: random.Random) -> Turn:
    """The turn with about `rate` of its words lost, misrecognised, split or joined, and half as many stops moved; masks stay.

    The probability of a changed word is reduced by up to half. At least one word remains.
    """
    if not rate:
        return turn
    found = garbled([token.text for token in turn.tokens], turn.language, rate, draw)
    split = {first for (_, first, _), (_, second, _) in pairwise(found) if first == second}
    tokens: list[Token] = []
    for word, first, last in found:
        own = turn.tokens[first:last]
        start_s, end_s, probability = own[0].start_s, own[-1].end_s, min(token.probability for token in own)
        if first in split:
            middle_s = (start_s + end_s) / 2
            start_s, end_s = (middle_s, end_s) if tokens and tokens[-1].end_s == middle_s else (start_s, middle_s)
        if len(own) > 1 or word != own[0].text:
            probability *= draw.uniform(0.5, 1.0)
        elif not word.startswith("["):
            word = with_moved_stop(word, rate / 2, draw)
        tokens.append(Token(word, start_s, end_s, probability))
    return replace(turn, tokens=tuple(tokens) or turn.tokens[:1])
