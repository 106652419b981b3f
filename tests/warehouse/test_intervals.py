"""Coverage of the published intervals for simulated operators of known quality (`simulate_operators` runs the same at length)."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipelines.core.confidence import normal_quantile
from tests.warehouse.simulate_operators import Scenario, World, cards_of, compare_two, coverage, simulate, warehouse_of


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [simulate(Scenario("small", operators=30, most=120), seed, f"centre {seed}") for seed in range(12)]


def test_ninety_percent_intervals_hold_the_true_quality_of_nine_operators_in_ten(worlds: list[World]) -> None:
    cards = cards_of(worlds)
    assert len(cards) == 360
    assert 0.86 <= coverage(cards) <= 0.94  # 360 operators in 12 centres: two standard errors about 88 to 92 %
    raw = pl.concat([w.calls for w in worlds]).group_by("centre_id", "operator_id").agg(raw=pl.col("score_pct").mean())
    errors = cards.join(raw, on=["centre_id", "operator_id"]).select(
        adjusted=(pl.col("score_pct") - pl.col("quality_pct")).abs().mean(), raw=(pl.col("raw") - pl.col("quality_pct")).abs().mean()
    )
    assert errors["adjusted"][0] < 0.8 * errors["raw"][0]


def test_two_equal_operators_with_different_mixes_are_not_distinguished() -> None:
    pair = compare_two(8, 0.0, 0.0)
    assert pair.by_plain_means >= 0.9  # the plain means blame the one who takes the hard calls
    assert pair.by_groups <= 0.1


def test_a_clearly_better_operator_is_distinguished_despite_taking_the_hard_calls() -> None:
    assert compare_two(8, 0.9, -0.9).by_groups >= 0.9


def test_the_quantiles_in_sql_are_those_of_the_normal_distribution() -> None:
    db = warehouse_of([simulate(Scenario("one", operators=2), 3, "c")])
    try:
        in_sql = db.execute("select interval_90(), interval_apart()").fetchone()
    finally:
        db.close()
    assert in_sql is not None and [float(z) for z in in_sql] == pytest.approx([normal_quantile(0.95), normal_quantile(0.975)], abs=5e-4)


def test_the_fit_in_sql_is_the_ridge_regression_it_claims_to_be() -> None:
    """Solved here by numpy from the design matrix: prior calls are the penalties, the mean has none."""
    world = simulate(Scenario("one", operators=8, fewest=40, most=80), 3, "c")
    db = warehouse_of([world])
    try:
        found = {
            (factor, level): effect for factor, level, effect in db.execute("select factor, level, effect_pct from mix_effects").fetchall()
        }
    finally:
        db.close()
    calls = world.calls.drop_nulls("score_pct")
    hours = calls["started_at"].dt.hour() // 3 * 3
    columns = {
        "mean": [""] * len(calls), "topic": calls["topic"], "client type": calls["client_type"],
        "topic and client type": [f"{t}, {c}" for t, c in zip(calls["topic"], calls["client_type"], strict=True)],
        "line": calls["line"], "direction": ["inbound"] * len(calls), "hours": [str(h) for h in hours], "language": calls["language"],
        "operator": calls["operator_id"],
    }  # fmt: skip
    places: dict[tuple[str, str], int] = {}
    rows = [[places.setdefault((factor, name), len(places)) for name in names] for factor, names in columns.items()]
    design = np.zeros((len(calls), len(places)))
    for places_of_factor in rows:
        design[np.arange(len(calls)), places_of_factor] = 1
    penalty = np.diag([{"mean": 0.0, "topic and client type": 30.0, "operator": 2.0}.get(factor, 10.0) for factor, _ in places])
    exact = np.linalg.solve(design.T @ design + penalty, design.T @ calls["score_pct"].to_numpy())
    assert set(found) == set(places)
    of_mix = np.array([factor != "operator" for factor, _ in places])
    fitted = np.array([found[key] for key in places])
    expected, expected_exactly = (design[:, of_mix] @ effects[of_mix] for effects in (fitted, exact))
    # Only differences between calls count: a shift of all of them is taken out again when a score is put on the scale of the centre.
    assert np.abs((expected - expected.mean()) - (expected_exactly - expected_exactly.mean())).max() < 0.1
    assert np.ptp(expected_exactly) > 10
