"""The trends of a centre: every criterion over consecutive periods, which changes are more than chance, and what contributed to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import dropwhile

from pipelines.core.confidence import effective_share_interval, normal_quantile
from pipelines.core.period import Kind, Period
from pipelines.core.published import Published
from pipelines.trends.cells import MEASURES, SCORE, Cells, read_cells
from pipelines.trends.change import Change, estimate
from pipelines.trends.decomposition import Decomposition, decompose
from pipelines.trends.significance import LEVEL, PARTS, Tested, find_significant, shares_of, usual_inflation

PERIODS_SHOWN: dict[Kind, int] = {"day": 14, "week": 13, "month": 13, "quarter": 9, "custom": 6}


@dataclass(frozen=True, slots=True)
class Point:
    """An outcome in one period: its unadjusted mean and 90 % interval (0 to 1, None without calls), and the tested change to it."""

    period: Period
    calls: int
    rate: float | None
    low: float | None
    high: float | None
    tested: Tested | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A criterion, the score or a measure of a centre over the periods, oldest first; the last one is the chosen one.

    Attributes:
        compared: the period with which the chosen one is compared.
        lines: the tested change of each line with enough calls in the chosen period.
        parts: the decomposition of the change of the chosen period, by factor; empty where it did not change by more than chance
            (`read_parts` computes it for any).
    """

    name: str
    points: tuple[Point, ...]
    compared: Point
    lines: tuple[tuple[str, Tested], ...]
    parts: tuple[Decomposition, ...]

    @property
    def tested(self) -> Tested | None:
        """The change of the chosen period; None where there are too few calls to say."""
        return self.points[-1].tested

    @property
    def is_comparable(self) -> bool:
        """Whether both the chosen period and the compared one have calls."""
        return bool(self.points[-1].calls and self.compared.calls)

    @property
    def is_criterion(self) -> bool:
        """Whether it is a criterion of the scorecard."""
        return self.name != SCORE and self.name not in MEASURES

    def is_worse(self, tested: Tested) -> bool:
        """Whether a change of this outcome is one for the worse."""
        return (tested.change.adjusted < 0) != (self.name in MEASURES)


@dataclass(frozen=True, slots=True)
class Trends:
    """The trends of a centre for a chosen period.

    Attributes:
        inflation: the usual one of variances by correlated verdicts.
        tests: the number of changes looked at.
        versions: the versions of scorecards that judged the calls of the chosen period, and those of the compared one.
    """

    period: Period
    outcomes: tuple[Outcome, ...]
    inflation: float
    tests: int
    versions: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def changed(self) -> list[Outcome]:
        """The outcomes that changed in the chosen period in the whole centre, those for the worse first, then by the size of the change."""
        found = [(o, o.tested) for o in self.outcomes if o.tested and o.tested.is_significant]
        return [o for o, t in sorted(found, key=lambda pair: (not pair[0].is_worse(pair[1]), -abs(pair[1].change.adjusted), pair[0].name))]

    @property
    def changed_lines(self) -> list[tuple[Outcome, str, Tested]]:
        """The changes of single lines, of outcomes that did not change in the whole centre."""
        whole = {o.name for o in self.changed}
        return [(o, line, t) for o in self.outcomes if o.name not in whole for line, t in o.lines if t.is_significant]

    @property
    def count(self) -> int:
        """The number of changes reported for the chosen period."""
        return len(self.changed) + len(self.changed_lines)

    @property
    def worse(self) -> int:
        """How many of them are for the worse."""
        lines = [(o, t) for o, _, t in self.changed_lines]
        return sum(o.is_worse(t) for o, t in [*((o, o.tested) for o in self.changed if o.tested), *lines])

    @property
    def is_other_scorecard(self) -> bool:
        """Whether another version of the scorecard judged one of the periods: a criterion may have changed, and not the calls."""
        return bool(self.versions[0] and self.versions[1] and self.versions[0] != self.versions[1])

    @property
    def can_say(self) -> bool:
        """Whether any outcome has enough calls for a comparison."""
        return any(o.tested for o in self.outcomes)


def read_trends(published: Published, centre_id: str, period: Period) -> Trends:
    """The trends of a centre in a period and those before it. Changes of all of them are tested together."""
    shown = period.history(PERIODS_SHOWN[period.kind])
    found = trends_of(read_cells(published, centre_id, [*shown, *(p.compared for p in shown)]), shown)
    return replace(found, versions=(_versions(published, centre_id, period), _versions(published, centre_id, period.compared)))


def trends_of(cells: dict[str, Cells], shown: Sequence[Period]) -> Trends:
    """The same from the cells of each outcome; the last of the shown periods is the chosen one."""
    period = shown[-1]
    looked: list[tuple[str, str, int, str, Change]] = []  # part of the weight, outcome, period, line, change
    for name, own in cells.items():
        for number, one in enumerate(shown):
            change = estimate(own, own.of_period(one), own.of_period(one.compared))
            if change:
                looked.append(("chosen" if one is period else "past", name, number, "", change))
        codes = own.level["line"]
        now, before = own.of_period(period), own.of_period(period.compared)
        present = sorted(set(codes[now].tolist()) | set(codes[before].tolist()))
        for code in present if len(present) > 1 else []:
            change = estimate(own, now & (codes == code), before & (codes == code))
            if change:
                looked.append(("line", name, len(shown) - 1, own.names["line"][code], change))
    changes = [change for *_, change in looked]
    results = find_significant(changes, shares_of([part for part, *_ in looked], PARTS))
    inflation = max(usual_inflation(changes)[0], 1.0)
    by_place = {(name, number, line): result for (_, name, number, line, _), result in zip(looked, results, strict=True)}
    outcomes = []
    for name, own in cells.items():
        points = tuple(_point(name, own, one, by_place.get((name, n, "")), inflation) for n, one in enumerate(shown))
        compared = _point(name, own, period.compared, None, inflation)
        points = tuple(dropwhile(lambda point: not point.calls, points))  # before the first call there is nothing to draw
        if not points:
            continue
        lines = tuple((line, result) for (outcome, _, line), result in by_place.items() if outcome == name and line)
        outcome = Outcome(name, points, compared, lines, ())
        if outcome.tested and outcome.tested.is_significant:
            outcome = replace(outcome, parts=_parts(own, period, inflation))
        outcomes.append(outcome)
    return Trends(period, tuple(outcomes), inflation, len(changes))


def read_parts(published: Published, centre_id: str, trends: Trends, outcome: Outcome) -> tuple[Decomposition, ...]:
    """The decomposition of the change of one outcome in the chosen period of its trends; empty where a period has no calls."""
    if outcome.parts or not outcome.is_comparable:
        return outcome.parts
    cells = read_cells(published, centre_id, [trends.period, trends.period.compared])
    return _parts(cells[outcome.name], trends.period, trends.inflation)


def _versions(published: Published, centre_id: str, period: Period) -> tuple[str, ...]:
    rows = published.rows(
        """select distinct scorecard_version from evaluations semi join (
               from calls where centre_id = ? and started_local >= ? and started_local < ?
           ) using (call_id) where judge = 'machine' order by scorecard_version""",
        centre_id, period.first, period.last + timedelta(days=1),
    )  # fmt: skip
    return tuple(row["scorecard_version"] for row in rows)


def _parts(cells: Cells, period: Period, inflation: float) -> tuple[Decomposition, ...]:
    return tuple(decompose(cells, cells.of_period(period), cells.of_period(period.compared), inflation))


def _point(name: str, cells: Cells, period: Period, tested: Tested | None, inflation: float) -> Point:
    part = cells.within(cells.of_period(period))
    calls = float(part.calls.sum())
    if not calls:
        return Point(period, 0, None, None, None, None)
    rate = float(part.total.sum() / calls)
    if name == SCORE:
        spread = max(float(part.squares.sum()) / calls - rate**2, 0.0) * calls / max(calls - 1, 1)
        half = normal_quantile((1 + LEVEL) / 2) * math.sqrt(spread * inflation / calls)
        low, high = (max(rate - half, 0.0), min(rate + half, 1.0)) if calls > 1 else (0.0, 1.0)
    else:
        low, high = effective_share_interval(rate, calls / inflation)
    return Point(period, int(calls), rate, low, high, tested)
