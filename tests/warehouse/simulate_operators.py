"""Simulated operators of known quality, to check the coverage of the published intervals.

`python -m tests.warehouse.simulate_operators --runs 200` fills an empty warehouse with that many simulated centres, queries the real
views, and prints how often the 90 % intervals hold the true quality, and how often two operators are distinguished. It contains no data
of real calls.

A call has up to 14 criteria, each passed with a probability that depends on the operator, on the call's topic, client type, topic and
client type together, line, hours and language, and on the call itself; some do not apply, and two calls in a hundred are failed
automatically. So scores are bounded, skewed and uneven, and nothing in them is additive or normal. An operator's true quality is the mean
score that they would have over all the calls of their centre.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.core.confidence import normal_quantile
from pipelines.warehouse import marts
from pipelines.warehouse.file import migrate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEIGHTS = np.array([5, 5, 5, 15, 5, 3, 10, 18, 4, 5, 5, 10, 15, 6], dtype=np.float64)
EASE = np.array([3.0, 2.5, 2.0, 1.2, 0.8, 0.5, 0.3, 1.5, 0.0, 0.2, 2.0, 4.0, 2.0, 1.0])  # log odds of a pass, criterion by criterion
APPLIES = 0.7  # chance that a criterion is asked of a call
AUTO_FAIL = 0.02
CALL_SD = 0.7  # how much easier one call is than the next one alike, in log odds
LEVELS = {"topic": 10, "client_type": 5, "line": 2, "hours": 8, "language": 2}
EFFECT_SD = {"topic": 0.5, "client_type": 0.4, "line": 0.3, "hours": 0.15, "language": 0.15}
TOGETHER_SD = 0.2  # of topic and client type together
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_ETA = np.linspace(-9, 9, 1801)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a made-up centre is like."""

    name: str
    operators: int = 50
    fewest: int = 5  # scored calls of an operator in the month, spread evenly in proportion
    most: int = 400
    quality_sd: float = 0.45  # between operators, in log odds; 0.45 are about 6 points
    is_skewed: bool = False  # most operators good, a few much worse
    unlikeness: float = 6.0  # how different the operators' mixes are; less is more different
    own_line: float = 0.9  # share of an operator's calls on their own line


SCENARIOS = (
    Scenario("a centre of 50, 5 to 400 calls each"),
    Scenario("operators further apart", quality_sd=0.8),
    Scenario("operators closer together", quality_sd=0.2),
    Scenario("a few much worse than the rest", is_skewed=True),
    Scenario("very different call mixes", unlikeness=1.5),
    Scenario("every operator on one line only", own_line=1.0),
    Scenario("a centre of 12", operators=12),
    Scenario("5 to 20 calls each", most=20),
    Scenario("100 to 400 calls each", fewest=100),
)


@dataclass(frozen=True, slots=True)
class World:
    """A month of one centre: its calls, and what its operators are really like."""

    calls: pl.DataFrame
    truth: pl.DataFrame  # centre_id, operator_id, quality_pct


def expected_score(eta: Floats) -> Floats:
    """The mean score of calls whose log odds lie `eta` above the criteria's own, before automatic fails."""
    return np.interp(eta, _ETA, _EXPECTED)


def _expected_table() -> Floats:
    rng = np.random.default_rng(0)
    asked = (rng.random((40_000, len(WEIGHTS))) < APPLIES) * WEIGHTS
    asked = asked[asked.sum(axis=1) > 0]
    share = (asked / asked.sum(axis=1, keepdims=True)).mean(axis=0)
    chances = 1 / (1 + np.exp(-(_ETA[:, None, None] + EASE[None, :, None] + CALL_SD * _NODES[None, None, :])))
    means: Floats = 100 * (chances @ (_NODE_WEIGHTS / _NODE_WEIGHTS.sum())) @ share
    return means


_EXPECTED = _expected_table()


def simulate(
    scenario: Scenario,
    seed: int,
    centre_id: str,
    quality: Floats | None = None,
    mixes: Floats | None = None,
    topic_slope: float = 0.0,
) -> World:
    """One centre for one month; `quality` (log odds) and topic `mixes` [operator, topic] may be given, else they are drawn.

    `topic_slope` makes the first topics harder than the last, by that much to either side of the middle.
    """
    rng = np.random.default_rng(seed)
    count = scenario.operators
    if quality is None:
        drawn = 2.0 - rng.gamma(4.0, 0.5, count) if scenario.is_skewed else rng.standard_normal(count)
        quality = drawn * scenario.quality_sd
    calls = np.round(np.exp(rng.uniform(np.log(scenario.fewest), np.log(scenario.most), count))).astype(np.int64)
    who: Ints = np.repeat(np.arange(count), calls)
    level: dict[str, Ints] = {}
    for factor in ("topic", "client_type", "language"):
        usual = rng.dirichlet(np.full(LEVELS[factor], 3.0))
        shares = rng.dirichlet(usual * scenario.unlikeness * LEVELS[factor] / 4 + 0.02, count)
        level[factor] = _draw(rng, mixes if factor == "topic" and mixes is not None else shares, who)
    own = (rng.random(count) < 0.35).astype(np.int64)
    level["line"] = np.where(rng.random(len(who)) < scenario.own_line, own[who], 1 - own[who])
    begins = rng.choice([0, 8, 12], count, p=[0.15, 0.5, 0.35])
    hour: Ints = begins[who] + rng.integers(0, 9, len(who))
    level["hours"] = hour // 3
    effects = {factor: rng.standard_normal(size) * EFFECT_SD[factor] for factor, size in LEVELS.items()}
    effects["topic"] += np.linspace(-topic_slope, topic_slope, LEVELS["topic"])
    together = rng.standard_normal((LEVELS["topic"], LEVELS["client_type"])) * TOGETHER_SD
    mix: Floats = sum((effects[f][level[f]] for f in LEVELS), together[level["topic"], level["client_type"]])
    call_effect = rng.standard_normal(len(who)) * CALL_SD
    chances = 1 / (1 + np.exp(-((mix + quality[who] + call_effect)[:, None] + EASE)))
    asked = (rng.random(chances.shape) < APPLIES) * WEIGHTS
    won = (rng.random(chances.shape) < chances) * asked
    with np.errstate(invalid="ignore"):
        score = 100 * won.sum(axis=1) / asked.sum(axis=1)
    score = np.where(rng.random(len(who)) < AUTO_FAIL, 0.0, score)
    seen, times = np.unique(mix, return_counts=True)
    true_pct = [(1 - AUTO_FAIL) * float(expected_score(seen + q) @ times) / len(mix) for q in quality]
    minute = rng.integers(0, 60, len(who))
    frame = pl.DataFrame({
        "call_id": [f"{centre_id}-{n}" for n in range(len(who))],
        "centre_id": centre_id,
        "operator_id": [f"op-{n:03d}" for n in who],
        "line": [f"line {n}" for n in level["line"]],
        "started_at": np.datetime64("2024-10-01T00:00", "us") + rng.integers(0, 31, len(who)).astype("timedelta64[D]")
        + hour.astype("timedelta64[h]") + minute.astype("timedelta64[m]"),
        "topic": [f"topic {n}" for n in level["topic"]],
        "client_type": [f"type {n}" for n in level["client_type"]],
        "language": [f"l{n}" for n in level["language"]],
        "score_pct": pl.Series(score).fill_nan(None),
    })  # fmt: skip
    truth = pl.DataFrame({"centre_id": centre_id, "operator_id": [f"op-{n:03d}" for n in range(count)], "quality_pct": true_pct})
    return World(frame, truth)


def _draw(rng: np.random.Generator, shares: Floats, who: Ints) -> Ints:
    """A level for each call, by the shares of whoever takes it."""
    bounds = np.cumsum(shares, axis=1)[who]
    drawn: Ints = np.minimum((rng.random(len(who))[:, None] > bounds).sum(axis=1), shares.shape[1] - 1)
    return drawn


def fill(db: duckdb.DuckDBPyConnection, worlds: Sequence[World]) -> None:
    """Put made-up calls into the private tables of an empty warehouse, as a load would."""
    db.register("made", pl.concat([world.calls for world in worlds]))
    db.execute(
        """insert into core.calls by name
           select call_id, centre_id, timezone('UTC', started_at) as started_at, 'inbound' as direction, line, operator_id,
               'graded' as status, 'redacted' as text_kept, '' as content_md5, timestamptz '2024-11-01 00:00:00+00' as loaded_at
           from made"""
    )
    db.execute(
        """insert into core.metrics by name
           select call_id, language, topic, 1.0 as topic_confidence, client_type, 1.0 as client_type_confidence, 90.0 as handling_time_s,
               0.0 as overlap_ratio, 0.0 as dead_air_s, 0.0 as hold_s, 0 as interruptions_by_operator, 0 as interruptions_by_client,
               1.0 as asr_confidence, '' as speech_model, '' as scored_by
           from made"""
    )
    db.execute(
        """insert into core.evaluations by name
           select call_id, 'card' as scorecard_id, '1' as scorecard_version, score_pct, coalesce(score_pct = 0, false) as is_auto_fail, 100.0 as coverage_pct,
               false as needs_review, timestamptz '2024-11-01 00:00:00+00' as evaluated_at
           from made"""
    )
    db.unregister("made")
    db.execute("insert into core.unpublished select call_id from core.calls")
    marts.refresh(db)


def warehouse_of(worlds: Sequence[World], threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A warehouse in memory that holds these centres; the caller closes it."""
    db = duckdb.connect(config={"threads": threads})
    db.execute("set timezone = 'UTC'")
    migrate(db)
    fill(db, worlds)
    return db


def cards_of(worlds: Sequence[World], period: str = "month") -> pl.DataFrame:
    """The operators' scores as the view operator_scores (and so operator_scorecards) gives them, each beside its operator's true quality."""
    db = warehouse_of(worlds)
    try:
        cards = db.execute("from operator_scores where period = ? order by centre_id, operator_id, period_start", [period]).pl()
    finally:
        db.close()
    return cards.join(pl.concat([world.truth for world in worlds]), on=["centre_id", "operator_id"])


def coverage(cards: pl.DataFrame) -> float:
    """Share of the intervals that hold the true quality, 0 to 1."""
    held = cards.select(((pl.col("score_low_pct") <= pl.col("quality_pct")) & (pl.col("quality_pct") <= pl.col("score_high_pct"))).mean())
    return float(held.item())


@dataclass(frozen=True, slots=True)
class Pair:
    """How often two operators of one centre were told apart, as shares of the runs."""

    by_groups: float  # they share no group
    by_plain_means: float  # the plain 90 % intervals of their raw means do not meet


def compare_two(runs: int, first: float, second: float, *, same_mix: bool = False, seed: int = 0) -> Pair:
    """Two operators of given quality (log odds) with 200 calls each among ten others: one takes hard topics, the other easy ones.

    Their mixes overlap by a tenth; with `same_mix` both take what all others take.
    """
    scenario = Scenario("two operators", operators=12, fewest=200, most=200)
    topics = LEVELS["topic"]
    mixes = np.full((12, topics), 1 / topics)
    if not same_mix:
        mixes[0, : topics // 2], mixes[0, topics // 2 :] = 1.9 / topics, 0.1 / topics
        mixes[1] = mixes[0, ::-1]
    worlds = []
    for n in range(runs):
        quality = np.random.default_rng([seed, n]).standard_normal(12) * scenario.quality_sd
        quality[:2] = first, second
        worlds.append(simulate(scenario, seed + n, f"centre {n}", quality, mixes, topic_slope=1.2))
    cards = cards_of(worlds)
    plain = (
        pl.concat([world.calls for world in worlds]).group_by("centre_id", "operator_id")
        .agg(mean=pl.col("score_pct").mean(), half=normal_quantile(0.95) * pl.col("score_pct").std() / pl.len().sqrt())
    )  # fmt: skip
    both = cards.join(plain, on=["centre_id", "operator_id"])
    one, two = (both.filter(pl.col("operator_id") == name).sort("centre_id") for name in ("op-000", "op-001"))
    apart = (one["last_group"] < two["first_group"]) | (two["last_group"] < one["first_group"])
    plainly = (one["mean"] - two["mean"]).abs() > one["half"] + two["half"]
    return Pair(float(apart.to_numpy().mean()), float(plainly.to_numpy().mean()))


def run(runs: int, first: int = 0, at_once: int = 20) -> None:
    """Print what every scenario gives with the seeds from `first` on."""
    print(f"{'scenario':42} {'operators':>9} {'coverage':>9} {'width':>7} {'error':>7} {'error of raw mean':>18}")
    for scenario in SCENARIOS:
        parts = []
        for start in range(first, first + runs, at_once):
            worlds = [simulate(scenario, seed, f"centre {seed}") for seed in range(start, min(start + at_once, first + runs))]
            raw = pl.concat([w.calls for w in worlds]).group_by("centre_id", "operator_id").agg(raw_pct=pl.col("score_pct").mean())
            parts.append(cards_of(worlds).join(raw, on=["centre_id", "operator_id"]))
        cards = pl.concat(parts)
        width = float(cards.select((pl.col("score_high_pct") - pl.col("score_low_pct")).mean()).item())
        errors = [float(cards.select((pl.col(c) - pl.col("quality_pct")).pow(2).mean().sqrt()).item()) for c in ("score_pct", "raw_pct")]
        print(f"{scenario.name:42} {len(cards):9} {coverage(cards):9.3f} {width:7.1f} {errors[0]:7.2f} {errors[1]:18.2f}", flush=True)
    for label, pair in (
        ("equal operators, hard and easy topics", compare_two(runs, 0.0, 0.0, seed=first)),
        ("equal operators, the same topics", compare_two(runs, 0.0, 0.0, same_mix=True, seed=first)),
        ("one clearly better, hard and easy topics", compare_two(runs, 0.9, -0.9, seed=first)),
    ):
        print(f"{label:42} told apart by groups {pair.by_groups:.3f}, by plain means {pair.by_plain_means:.3f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How often the published intervals hold the true quality of made-up operators.")
    parser.add_argument("--runs", type=int, default=200, help="made-up centres for each scenario")
    parser.add_argument("--seed", type=int, default=0, help="the first of so many seeds (default: %(default)s)")
    given = parser.parse_args()
    started = time.process_time()
    run(given.runs, given.seed)
    print(f"{time.process_time() - started:.0f} s of processor time")
