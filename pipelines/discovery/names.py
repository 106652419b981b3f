"""Names a group of calls by the words that distinguish it from all others: class-based tf-idf over lemmas."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from models.languages.language import LANGUAGES, lemma, words_of
from pipelines.discovery.openings import PLACEHOLDER, Opening

MOST_WORDS = 4
LEAST_CALLS, LEAST_SHARE = 3, 0.25  # of the group that a word must occur in
LEAST_LETTERS = 3


def distinguishing_words(group: Sequence[Opening], others: Iterable[Opening]) -> tuple[str, ...]:
    """The lemmas that name a group, the most distinguishing first.

    A lemma counts once a call. Its score is the share of the group's calls that have it times the logarithm of how much more often they
    have it than the other calls; words of fewer than three calls or a quarter of the group are left out, so that no single call shows.
    """
    inside = Counter(word for one in group for word in _lemmas(one))
    rest = list(others)
    outside = Counter(word for one in rest for word in _lemmas(one))
    least = max(LEAST_CALLS, LEAST_SHARE * len(group))

    def score(word: str) -> float:
        share = inside[word] / len(group)
        return share * math.log(share / ((outside[word] + 0.5) / (len(rest) + 1)))

    scored = sorted(((score(word), word) for word, calls in inside.items() if calls >= least), key=lambda one: (-one[0], one[1]))
    return tuple(word for value, word in scored[:MOST_WORDS] if value > 0)


def _lemmas(opening: Opening) -> set[str]:
    text, language = PLACEHOLDER.sub(" ", opening.words), opening.language
    words = [word for word in words_of(text) if len(word) >= LEAST_LETTERS and not word.isdigit()]
    return {lemma(word, language) if language in LANGUAGES else word for word in words}
