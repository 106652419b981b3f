"""An ordinary week has no new group; a reason that was never called about before is found, with its calls."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.discovery import scan
from pipelines.discovery.scan import LEAST_MEMBERS, NewGroup, new_groups

TOPICS, WIDTH = 25, 48


def calls(rng: np.random.Generator, number: int, spread: float = 0.9) -> np.ndarray:
    """Calls about topics of different frequency, whose wordings scatter widely."""
    centres = np.random.default_rng(0).normal(size=(TOPICS, WIDTH))
    shares = 1 / np.arange(1, TOPICS + 1)
    return (centres[rng.choice(TOPICS, number, p=shares / shares.sum())] + rng.normal(size=(number, WIDTH)) * spread).astype(np.float32)


def week(seed: int, planted: int, number: int = 200, before: int = 800) -> list[NewGroup]:
    rng = np.random.default_rng(seed)
    new = calls(rng, number)
    new[:planted] = rng.normal(size=WIDTH) * 1.2 + rng.normal(size=(planted, WIDTH)) * 0.9
    return new_groups(np.concatenate([new, calls(rng, before)]), np.arange(number + before) < number)


@pytest.fixture(autouse=True)
def fewer_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "PERMUTATIONS", 199)


def test_of_twenty_ordinary_weeks_at_most_one_shows_a_group() -> None:
    assert sum(bool(week(seed, 0)) for seed in range(20)) <= 1


def test_a_reason_in_three_percent_of_the_calls_is_found_with_its_calls_and_little_else() -> None:
    found = [week(seed, 9, 300, 1200) for seed in range(10)]
    assert sum(any(len(set(g.members) & set(range(9))) >= LEAST_MEMBERS for g in groups) for groups in found) >= 9
    for group, *_ in filter(None, found):
        assert len(set(group.members) - set(range(9))) <= len(group.members) / 3
        assert group.p_value <= scan.ALPHA and len(group.members) >= scan.LEAST_GROWTH * group.expected


def test_two_reasons_of_one_week_are_told_apart() -> None:
    rng = np.random.default_rng(4)
    new, before = calls(rng, 200), calls(rng, 800)
    for first in (0, 10):
        new[first : first + 10] = rng.normal(size=WIDTH) * 1.5 + rng.normal(size=(10, WIDTH)) * 0.6
    found = new_groups(np.concatenate([new, before]), np.arange(1000) < 200)
    assert len(found) == 2
    assert {frozenset(range(10)), frozenset(range(10, 20))} == {frozenset(g.members) for g in found}


def test_a_topic_that_is_only_somewhat_more_frequent_is_no_new_reason() -> None:
    rng = np.random.default_rng(5)
    centre = rng.normal(size=WIDTH) * 2
    new, before = calls(rng, 300), calls(rng, 900)
    new[:60], before[:90] = centre + rng.normal(size=(60, WIDTH)) * 0.5, centre + rng.normal(size=(90, WIDTH)) * 0.5  # twice as many
    assert new_groups(np.concatenate([new, before]), np.arange(1200) < 300) == []


def test_the_same_calls_give_the_same_groups() -> None:
    assert week(3, 8) == week(3, 8) != []


@pytest.mark.parametrize(("new", "before"), [(0, 10), (3, 0), (0, 0), (3, 3), (10, 0)])
def test_too_few_calls_show_nothing(new: int, before: int) -> None:
    vectors = np.random.default_rng(1).normal(size=(new + before, 4)).astype(np.float32)
    assert new_groups(vectors, np.arange(new + before) < new) == []
