"""Counts of verdicts and sums of scores of one centre by day, operator, topic and line: the input of all estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.core.period import Period
from pipelines.core.published import Published

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

FACTORS = ("operator", "topic", "line")
# Figures of all graded calls beside the criteria: the mean score, and shares of calls; a higher share is worse.
SCORE, MEASURES = "score", ("n_critical", "n_abusive", "n_review")
UNKNOWN = ""  # the level of calls whose operator, topic or line is unknown
_EPOCH = date(1970, 1, 1)

_SQL = """
with taken as (
    select
        c.call_id, c.call_no, cast(c.started_local as date) as day, coalesce(c.operator_id, '') as operator, coalesce(c.topic, '') as topic,
        coalesce(c.line, '') as line, f.score_pct / 100 as score, f.auto_fail, f.is_abusive, f.needs_review
    from calls as c
    join call_facts as f using (call_id)
    where c.centre_id = ? and c.status = 'graded' and ({ranges})
),
people as (
    select r.call_id, r.scorecard_id, r.criterion_id, r.verdict from criterion_results as r semi join taken using (call_id) where r.judge <> 'machine'
),
decided as (
    select call_id, criterion_id, verdict from people
    union all
    select r.call_id, r.criterion_id, r.verdict
    from criterion_results as r
    semi join taken as t on t.call_no = r.call_no and t.call_id = r.call_id
    anti join people as p on p.call_id = r.call_id and p.scorecard_id = r.scorecard_id and p.criterion_id = r.criterion_id
    where r.judge = 'machine'
),
measured as (
    select criterion_id as outcome, day, operator, topic, line, cast(verdict = 'pass' as double) as value
    from decided
    join taken using (call_id)
    where verdict in ('pass', 'fail')
    union all
    select
        unnest(['score', 'n_critical', 'n_abusive', 'n_review']), day, operator, topic, line,
        unnest([score, cast(auto_fail as double), cast(is_abusive as double), cast(needs_review as double)])
    from taken
)
select
    outcome, date_diff('day', date '1970-01-01', day) as day, operator, topic, line,
    cast(count(*) as double) as calls, sum(value) as total, sum(value * value) as squares
from measured
where value is not null
group by all
order by all
"""


@dataclass(frozen=True, slots=True)
class Cells:
    """One outcome's calls, as cells of calls with the same day, operator, topic and line.

    Attributes:
        calls, total, squares: per cell, the number of calls, and the sums of their values (0 to 1) and of the squares.
        day: days since 1970.
        level: per factor of FACTORS, the position of each cell's level in `names`.
    """

    calls: Floats
    total: Floats
    squares: Floats
    day: Ints
    level: dict[str, Ints]
    names: dict[str, Sequence[str]] = field(default_factory=dict)

    def within(self, mask: Mask) -> Cells:
        """The cells of a mask."""
        level = {factor: codes[mask] for factor, codes in self.level.items()}
        return Cells(self.calls[mask], self.total[mask], self.squares[mask], self.day[mask], level, self.names)

    def of_period(self, period: Period) -> Mask:
        """Which cells lie in a period."""
        return (self.day >= day_number(period.first)) & (self.day <= day_number(period.last))


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - _EPOCH).days


def read_cells(published: Published, centre_id: str, periods: Sequence[Period]) -> dict[str, Cells]:
    """The cells of every criterion of a centre in some periods, and of `score` and the measures, by their names."""
    ranges = _joined([(p.first, p.last) for p in periods])
    days = [bound for first, last in ranges for bound in (first, last + timedelta(days=1))]
    where = " or ".join("c.started_local >= ? and c.started_local < ?" for _ in ranges)
    frame = published.frame(_SQL.format(ranges=where), centre_id, *days)
    codes: dict[str, Ints] = {}
    names: dict[str, Sequence[str]] = {}
    for factor in FACTORS:
        names[factor] = frame[factor].unique().sort().to_list()
        codes[factor] = frame[factor].cast(pl.Enum(names[factor])).to_physical().to_numpy().astype(np.int64)
    numbers = [frame[name].to_numpy().astype(np.float64) for name in ("calls", "total", "squares")]
    whole = Cells(numbers[0], numbers[1], numbers[2], frame["day"].to_numpy().astype(np.int64), codes, names)
    outcome = frame["outcome"].to_numpy()
    starts = np.flatnonzero(np.r_[True, outcome[1:] != outcome[:-1]]) if len(outcome) else np.empty(0, dtype=np.int64)
    ends = np.r_[starts[1:], len(outcome)]
    return {str(outcome[a]): _slice(whole, a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=False)}


def _slice(cells: Cells, first: int, end: int) -> Cells:
    part = slice(first, end)
    level = {factor: codes[part] for factor, codes in cells.level.items()}
    return Cells(cells.calls[part], cells.total[part], cells.squares[part], cells.day[part], level, cells.names)


def _joined(ranges: Sequence[tuple[date, date]]) -> list[tuple[date, date]]:
    """Ranges of days without overlaps: adjacent ones as one."""
    joined: list[tuple[date, date]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + timedelta(days=1):
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
