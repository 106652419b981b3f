"""Noise for measurements corrupts words as configured, and nothing else."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipelines.quality.noise import misheard
from tests.spoken import dialogue

WORDS = st.lists(
    st.sampled_from(["Здравствуйте,", "чем", "могу", "помочь?", "[ACCOUNT]", "do", "o", "п'ять", "12."]), min_size=1, max_size=30
)


@given(WORDS, st.floats(0, 1), st.integers(0, 99))
def test_masks_and_the_order_of_words_stay(words: list[str], rate: float, seed: int) -> None:
    (turn,) = dialogue(("client", " ".join(words)))
    spoiled = misheard(turn, rate, random.Random(seed))
    assert 1 <= len(spoiled.tokens) <= 2 * len(turn.tokens)
    starts = [token.start_s for token in spoiled.tokens]
    assert starts == sorted(starts)
    if rate < 1:
        kept = [token.text for token in spoiled.tokens if token.text.startswith("[")]
        assert kept == [word for word in words if word.startswith("[")]


def test_about_as_many_words_are_spoiled_as_were_asked_for() -> None:
    (turn,) = dialogue(("client", "перерасчёт " * 3000))
    assert misheard(turn, 0.0, random.Random(1)) == turn
    spoiled = misheard(turn, 0.06, random.Random(1))
    changed = sum(token.text.rstrip(",.") != "перерасчёт" for token in spoiled.tokens)
    assert 2950 < len(spoiled.tokens) < 3030
    assert 90 < changed < 220
    assert all(a.end_s <= b.start_s for a, b in pairwise(spoiled.tokens))
