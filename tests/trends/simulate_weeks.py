"""Made-up weeks of a centre, to check how often the trends page reports a change where there is none, and finds one that is there.

`python -m tests.trends.simulate_weeks --runs 200` prints for each scenario: how many pages report anything in ordinary weeks (the false
discovery rate where nothing changed), the rate of false ones among the changes reported beside a planted fall, and how often the fall (of
one criterion from 79 to 50 %) is found in its first week. It contains no data of real calls.

Verdicts depend, in log odds, on the criterion, the operator, the operator's week and day, the day of the centre, the topic, the line and
the day of the week; the mixes of topics, of lines and of operators shift from week to week.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pipelines.core.period import Period
from pipelines.trends.cells import Cells, Floats, Ints, day_number
from pipelines.trends.change import Change, estimate
from pipelines.trends.significance import PARTS, Tested, find_significant, shares_of

FIRST_DAY = date(2026, 1, 5)  # a Monday
BEFORE, FALLEN = 0.79, 0.50


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a made-up centre is like; spreads are standard deviations in log odds."""

    name: str
    operators: int = 20
    calls: int = 300  # a week
    weeks: int = 13
    criteria: int = 20
    operator_sd: float = 0.5
    drift_sd: float = 0.15  # of one operator from week to week
    operator_day_sd: float = 0.2
    day_sd: float = 0.05
    topic_sd: float = 0.6
    mix_shift: float = 0.3  # of log shares, from week to week
    turnover: float = 0.0  # share of operators replaced by new ones in the last week
    applies: float = 0.8


SCENARIOS = (
    Scenario("300 calls a week, 20 operators"),
    Scenario("105 calls a week, 8 operators", operators=8, calls=105),
    Scenario("1,200 calls a week, 50 operators", operators=50, calls=1200),
    Scenario("operators who drift", drift_sd=0.4),
    Scenario("operators far apart, good and bad days", operator_sd=1.0, operator_day_sd=0.6),
    Scenario("strong shifts of topics and lines", mix_shift=1.0, topic_sd=1.0),
    Scenario("a third of the operators new", turnover=0.33),
)


@dataclass(frozen=True, slots=True)
class World:
    """A centre's cells per criterion, and the weeks."""

    cells: dict[str, Cells]
    weeks: list[Period]


def simulate(scenario: Scenario, seed: int, fall_week: int | None = None) -> World:
    """One centre; the criterion c00 falls from 79 to 50 % in the week `fall_week` (from 0), for all operators."""
    rng = np.random.default_rng(seed)
    weeks = Period("week", FIRST_DAY, date.fromordinal(FIRST_DAY.toordinal() + 6))
    periods = [weeks]
    while len(periods) < scenario.weeks:
        periods.append(periods[-1].after)
    count, topics, lines = scenario.operators, 8, 3
    week: Ints = np.repeat(np.arange(scenario.weeks), scenario.calls)
    popularity = rng.standard_normal(count) * 0.3 + rng.standard_normal((scenario.weeks, count)) * scenario.mix_shift
    who = _drawn(rng, popularity, week)
    if scenario.turnover:
        gone = int(count * scenario.turnover)
        who = np.where((week == scenario.weeks - 1) & (who < gone), who + count, who)
        count += gone
    topic = _drawn(rng, rng.standard_normal(topics) * 0.7 + rng.standard_normal((scenario.weeks, topics)) * scenario.mix_shift, week)
    line = _drawn(rng, rng.standard_normal(lines) * 0.5 + rng.standard_normal((scenario.weeks, lines)) * scenario.mix_shift, week)
    week_day = _drawn(rng, np.log([4, 4, 4, 4, 4, 1, 1]) + rng.standard_normal((scenario.weeks, 7)) * scenario.mix_shift / 3, week)
    day = week * 7 + week_day
    names: dict[str, Sequence[str]] = {
        "operator": [f"op-{n}" for n in range(count)], "topic": [f"t{n}" for n in range(topics)], "line": [f"l{n}" for n in range(lines)],
    }  # fmt: skip
    cells = {}
    for number in range(scenario.criteria):
        ease = np.log(BEFORE / (1 - BEFORE)) if number == 0 else rng.uniform(-0.5, 2.5)
        eta: Floats = ease + (
            (rng.standard_normal(count) * scenario.operator_sd)[who]
            + (rng.standard_normal((scenario.weeks, count)) * scenario.drift_sd)[week, who]
            + (rng.standard_normal((scenario.weeks * 7, count)) * scenario.operator_day_sd)[day, who]
            + (rng.standard_normal(scenario.weeks * 7) * scenario.day_sd)[day]
            + (rng.standard_normal(topics) * scenario.topic_sd)[topic]
            + (rng.standard_normal(lines) * 0.3)[line]
            + (rng.standard_normal(7) * 0.1)[week_day]
        )
        if number == 0 and fall_week is not None:
            eta = eta + np.where(week >= fall_week, np.log(FALLEN / (1 - FALLEN)) - np.log(BEFORE / (1 - BEFORE)), 0.0)
        applies = rng.random(len(week)) < scenario.applies
        passed = (rng.random(len(week)) < 1 / (1 + np.exp(-eta)))[applies].astype(np.float64)
        level = {"operator": who[applies], "topic": topic[applies], "line": line[applies]}
        cells[f"c{number:02d}"] = Cells(np.ones(len(passed)), passed, passed, day[applies] + day_number(FIRST_DAY), level, names)
    return World(cells, periods)


def page(world: World, weeks: int) -> list[tuple[str, int, Change]]:
    """What a page that ends with a week looks at: each criterion's change in every week up to it."""
    found = []
    for name, cells in world.cells.items():
        masks = [cells.of_period(week) for week in world.weeks[:weeks]]
        for number in range(1, weeks):
            if change := estimate(cells, masks[number], masks[number - 1]):
                found.append((name, number, change))
    return found


def results_of(looked: Sequence[tuple[str, int, Change]], weeks: int) -> list[Tested]:
    """The tests of such a page; the last week is the chosen one."""
    groups = ["chosen" if number == weeks - 1 else "past" for _, number, _ in looked]
    return find_significant([change for _, _, change in looked], shares_of(groups, PARTS))


def _drawn(rng: np.random.Generator, logits: Floats, week: Ints) -> Ints:
    shares = np.exp(logits)
    bounds = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)[week]
    drawn: Ints = np.minimum((rng.random(len(week))[:, None] > bounds).sum(axis=1), shares.shape[1] - 1)
    return drawn


def ordinary(scenario: Scenario, seed: int) -> tuple[int, int]:
    """Of a centre in which nothing changed: the number of changes that its page reports, and of those in the latest week."""
    looked = page(simulate(scenario, seed), scenario.weeks)
    results = results_of(looked, scenario.weeks)
    hits = [number for (_, number, _), result in zip(looked, results, strict=True) if result.is_significant]
    return len(hits), sum(number == scenario.weeks - 1 for number in hits)


def planted(scenario: Scenario, seed: int) -> tuple[bool, float]:
    """Of a centre with the planted fall in the latest week: whether it is found, and the share of false ones among those reported."""
    looked = page(simulate(scenario, seed, fall_week=scenario.weeks - 1), scenario.weeks)
    results = results_of(looked, scenario.weeks)
    hits = [(name, number) for (name, number, _), result in zip(looked, results, strict=True) if result.is_significant]
    is_found = ("c00", scenario.weeks - 1) in hits
    return is_found, (len(hits) - is_found) / max(len(hits), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="the first seed; that of the planted falls is 10,000 higher")
    parser.add_argument("--scenarios", type=int, default=len(SCENARIOS))
    runs = parser.parse_args()
    print(
        "| scenario | pages with a false change | false latest weeks | planted fall found in its first week | false discovery rate beside it | s |"
    )
    print("|---|---|---|---|---|---|")
    for scenario in SCENARIOS[: runs.scenarios]:
        started = time.process_time()
        null = [ordinary(scenario, seed) for seed in range(runs.seed, runs.seed + runs.runs)]
        fell = [planted(scenario, 10_000 + seed) for seed in range(runs.seed, runs.seed + runs.runs)]
        shares = [
            np.mean([n > 0 for n, _ in null]), np.mean([n > 0 for _, n in null]), np.mean([f for f, _ in fell]), np.mean([s for _, s in fell]),
        ]  # fmt: skip
        print(
            f"| {scenario.name} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + f" | {time.process_time() - started:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
