"""The quality of judgement on writers excluded from every fit does not drop unnoticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.core.settings import ROOT
from pipelines.quality.bootstrap import HEADLINES, headlines
from pipelines.quality.dialogue_calls import write_calls
from pipelines.quality.figures import figures_of, is_number
from pipelines.quality.gates import UNSEEN, UNSEEN_CENTRES, shortfalls
from pipelines.quality.replay import replay


@pytest.mark.slow
def test_unseen_writers_are_judged_as_well_as_before(tmp_path: Path) -> None:
    judged = replay(write_calls(ROOT / "tests" / "quality" / "dialogues", tmp_path))

    found = figures_of(judged)
    assert not shortfalls({"all": found}, gates=UNSEEN)
    assert found.calls == len(judged) == 147

    figures = headlines(judged)
    assert set(figures) == set(HEADLINES)
    assert all(low <= value <= high for value, low, high in figures.values())
    value, low, high = figures["criteria right of decided"]
    assert np.isclose(value, found.right_of_decided) and 0.01 < high - low < 0.06


@pytest.mark.parametrize(
    ("word", "language", "is_one"),
    [("45", "ru", True), ("сорок", "ru", True), ("двадцять", "uk", True), ("hetven,", "hu", True), ("seven", "en", True), ("один", "ru", False),
     ("egy", "hu", False), ("світло", "uk", False), ("hello", "en", False)],
)  # fmt: skip
def test_numbers_are_distinguished_from_words(word: str, language: str, is_one: bool) -> None:
    assert is_number(word, language) == is_one


@pytest.mark.slow
def test_centres_that_nobody_had_seen_are_judged_by_their_own_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two centres with topics and criteria of their own, by two writers; the examples in their profiles were written without the calls."""
    monkeypatch.setenv("CALLGRADE_CENTRES", str(ROOT / "tests" / "quality" / "centres"))
    judged = replay(write_calls(ROOT / "tests" / "quality" / "own_centre_dialogues", tmp_path))

    found = figures_of(judged)
    assert found.calls == len(judged) == 80
    assert not shortfalls({"all": found}, gates=UNSEEN_CENTRES)
