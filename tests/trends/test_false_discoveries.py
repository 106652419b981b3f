"""The trends of made-up weeks: nothing is reported where nothing changed, a planted fall is found in its first week, few calls say nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.trends.cells import Cells
from pipelines.trends.change import FEWEST_CALLS, Change, estimate
from pipelines.trends.significance import find_significant, shares_of
from tests.trends.simulate_weeks import SCENARIOS, Scenario, ordinary, page, planted, simulate

RUNS = 20


@pytest.mark.parametrize("scenario", [SCENARIOS[0], SCENARIOS[3]], ids=lambda s: s.name)
def test_few_pages_of_ordinary_weeks_report_a_change(scenario: Scenario) -> None:
    """Of 20 pages, at a rate of 5 %, more than 4 report something once in 400 times; the seeds are fixed."""
    found = [ordinary(scenario, seed)[0] for seed in range(RUNS)]
    assert sum(n > 0 for n in found) <= 4


def test_a_fall_from_79_to_50_per_cent_is_found_in_its_first_week_and_hardly_anything_else() -> None:
    found = [planted(SCENARIOS[0], 1000 + seed) for seed in range(RUNS)]
    assert sum(is_found for is_found, _ in found) >= RUNS - 3
    assert np.mean([false for _, false in found]) <= 0.1


def test_a_shift_of_the_mix_alone_changes_the_rate_but_not_the_adjusted_rate() -> None:
    """Two topics passed in 90 and 30 %, by every operator alike; in the second week the hard topic has most of the calls."""
    rng = np.random.default_rng(1)
    topic = np.r_[np.repeat([0, 1], [300, 100]), np.repeat([0, 1], [100, 300])]
    day = np.r_[np.arange(400) % 7, 7 + np.arange(400) % 7]
    passed = (rng.random(800) < np.where(topic == 0, 0.9, 0.3)).astype(float)
    cells = Cells(np.ones(800), passed, passed, day, {"operator": rng.integers(0, 8, 800), "topic": topic, "line": np.zeros(800, int)})
    found = estimate(cells, day >= 7, day < 7)
    assert found is not None
    assert found.rate - found.before_rate < -0.2 and abs(found.adjusted) < 0.08


def _world(calls: int, operators: int) -> Cells:
    n = np.arange(2 * calls)
    passed = np.r_[np.ones(calls), np.zeros(calls)]
    level = {"operator": n % operators, "topic": np.zeros(2 * calls, int), "line": np.zeros(2 * calls, int)}
    return Cells(np.ones(2 * calls), passed, passed, n // calls * 7 + n % 7, level)


def test_a_handful_of_calls_or_a_single_operator_gives_no_verdict_whatever_they_say() -> None:
    for calls, operators, is_said in ((FEWEST_CALLS - 1, 5, False), (FEWEST_CALLS, 5, True), (400, 2, False)):
        cells = _world(calls, operators)
        assert (estimate(cells, cells.day >= 7, cells.day < 7) is not None) == is_said


def test_periods_without_common_operators_are_not_compared() -> None:
    cells = _world(200, 5)
    apart = Cells(
        cells.calls, cells.total, cells.squares, cells.day, cells.level | {"operator": cells.level["operator"] + 5 * (cells.day >= 7)}
    )
    assert estimate(apart, cells.day >= 7, cells.day < 7) is None


def test_calls_of_one_operator_that_all_go_one_way_count_less_than_as_many_independent_ones() -> None:
    scenario = SCENARIOS[0]
    drifting = [c.inflation for _, _, c in page(simulate(Scenario("x", drift_sd=1.2, criteria=6), 1), scenario.weeks)]
    steady = [
        c.inflation
        for _, _, c in page(simulate(Scenario("x", drift_sd=0.0, operator_day_sd=0.0, day_sd=0.0, criteria=6), 1), scenario.weeks)
    ]
    assert np.median(drifting) > 1.5 * np.median(steady)


@given(st.lists(st.floats(-0.4, 0.4), min_size=1, max_size=40))
def test_a_larger_change_is_never_less_significant_and_intervals_hold_the_estimate(sizes: Sequence[float]) -> None:
    changes = [Change(100, 100, 0.5, 0.5, size, 0.003, 1.0, 10.0) for size in sizes]
    found = find_significant(changes, shares_of(["chosen"] * len(changes), {"chosen": 1.0}))
    assert all(t.low <= t.change.adjusted <= t.high for t in found)
    assert all(t.low > 0 or t.high < 0 for t in found if t.is_significant)
    by_size = sorted(found, key=lambda t: abs(t.change.adjusted))
    first = next((n for n, t in enumerate(by_size) if t.is_significant), len(by_size))
    assert all(t.is_significant for t in by_size[first:])
