"""Model, phrases and lexicon combined into one probability."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.turn_model import ACTS
from pipelines.score.combination import CallPosition, abuse_features, load_combination

CHANCE = st.floats(0, 1)


def test_every_act_is_combined_and_no_other() -> None:
    assert tuple(load_combination().acts) == ACTS


@given(st.sampled_from(ACTS), CHANCE, CHANCE, st.booleans(), st.booleans())
def test_a_surer_model_never_makes_an_act_less_likely(act: str, one: float, other: float, is_opening: bool, is_closing: bool) -> None:
    place = CallPosition(is_opening, is_closing)
    low, high = (load_combination().act(act, p, 0.0, place) for p in sorted((one, other)))
    assert 0 <= low <= high <= 1


@pytest.mark.parametrize("line", ["abuse", "operator_abuse"])
@given(model=CHANCE, lexicon=CHANCE)
def test_abuse_that_the_lexicon_has_too_is_never_less_likely(line: str, model: float, lexicon: float) -> None:
    combined = getattr(load_combination(), line)
    assert 0 <= combined.chance(abuse_features(model, 0.0)) <= combined.chance(abuse_features(model, lexicon)) <= 1
