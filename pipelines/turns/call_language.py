"""The language of a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipelines.core.records import Turn


def language_of_most_words(turns: Iterable[Turn]) -> str | None:
    """The language of most words of a call; None when no turn has a language."""
    words: Counter[str] = Counter()
    for turn in turns:
        if turn.language:
            words[turn.language] += len(turn.tokens)
    return words.most_common(1)[0][0] if words else None
