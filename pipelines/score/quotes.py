"""Splits turns into sentences, and selects the sentence to quote for a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipelines.core.records import Turn

LONGEST_WORDS = 16  # longer sentences are cut: recognition omits full stops
_STOPS = (".", "?", "!", "…")
_CLOSERS = "\"'»)”"


def sentence_that_does(turn: Turn, logits: NDArray[np.float32], spans: Sequence[tuple[int, int]] = ()) -> tuple[int, int]:
    """The sentence that supports a result: first token, last token + 1.

    Args:
        turn: the turn.
        logits: the contribution of each token.
        spans: positions of matching phrases; sentences without one are used only where there is none.
    """
    sentences = sentences_of(turn) or [(0, len(turn.tokens))]
    named = [s for s in sentences if any(first < s[1] and s[0] < last for first, last in spans)]
    return max(named or sentences, key=lambda s: float(logits[s[0] : s[1]].max()))


def sentences_of(turn: Turn) -> list[tuple[int, int]]:
    """The sentences of a turn: first token, last token + 1; a single word is joined with what follows, a long sentence is cut at a comma."""
    bounds = [0]
    for n, token in enumerate(turn.tokens, 1):
        is_end = token.text.rstrip(_CLOSERS).endswith(_STOPS)
        if n == len(turn.tokens) or (is_end and n - bounds[-1] > 1):
            bounds.append(n)
    pieces = [piece for first, last in pairwise(bounds) for piece in _parts(turn, first, last)]
    if len(pieces) > 1 and pieces[-1][1] - pieces[-1][0] == 1:  # nothing follows the last word
        pieces[-2:] = [(pieces[-2][0], pieces[-1][1])]
    return [piece for piece in pieces if any(not token.text.startswith("[") for token in turn.tokens[slice(*piece)])]


def _parts(turn: Turn, first: int, last: int) -> Iterator[tuple[int, int]]:
    """A long sentence cut at the comma nearest to its middle, or in the middle, until no part is too long."""
    if last - first <= LONGEST_WORDS:
        yield first, last
        return
    middle = (first + last) // 2
    commas = [n + 1 for n in range(first + 2, last - 3) if turn.tokens[n].text.endswith((",", ";", "—"))]
    cut = min(commas, key=lambda n: abs(n - middle), default=middle)
    yield from _parts(turn, first, cut)
    yield from _parts(turn, cut, last)
