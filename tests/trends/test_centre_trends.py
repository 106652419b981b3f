"""The trends of a centre, read from a published copy: rates as counted by hand, a planted fall with what contributed to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.period import Period, parse
from pipelines.core.published import Published
from pipelines.trends.cells import Cells, read_cells
from pipelines.trends.centre_trends import Trends, read_trends
from pipelines.trends.decomposition import decompose
from pipelines.warehouse.file import migrate
from tests.trends.made_weeks import FALLEN, LAST_WEEK, WEEKS, fill, frame

NEWEST = LAST_WEEK + timedelta(days=6)


@pytest.fixture(scope="module")
def published() -> Iterator[Published]:
    with duckdb.connect(":memory:", config={"threads": 1}) as db:
        db.execute("set timezone = 'UTC'")
        migrate(db)
        fill(db, pl.concat([frame("kyiv", 1, True), frame("irkutsk", 2, False)]))
        yield Published(db)


@pytest.fixture(scope="module")
def trends(published: Published) -> Trends:
    return read_trends(published, "kyiv", parse({}, NEWEST))


def test_the_rates_of_a_week_are_those_of_its_verdicts(published: Published, trends: Trends) -> None:
    made = frame("kyiv", 1, True).filter(pl.col("verdict") != "na", pl.col("started_at").dt.date() >= LAST_WEEK)
    for outcome in trends.outcomes:
        if outcome.is_criterion:
            verdicts = made.filter(pl.col("criterion_id") == outcome.name)["verdict"]
            point = outcome.points[-1]
            assert point.calls == len(verdicts) and point.rate == pytest.approx((verdicts == "pass").mean())
            assert point.low is not None and point.high is not None and point.low < point.rate < point.high
            assert len(outcome.points) == WEEKS


def test_a_person_s_verdict_counts_in_place_of_the_automatic_one(published: Published) -> None:
    week = Period("week", LAST_WEEK, NEWEST)
    before = read_cells(published, "kyiv", [week])["greeting"].total.sum()
    call_id = published.rows(
        "select call_id from criterion_results join calls using (call_id) where centre_id = 'kyiv' and criterion_id = 'greeting' and verdict = 'pass' and started_local >= ? limit 1",
        LAST_WEEK,
    )[0]["call_id"]
    published.connection.execute(
        "insert into core.verdicts by name select * replace ('fail' as verdict, 'human' as judge, null as call_no) from core.verdicts where call_id = ? and criterion_id = 'greeting'",
        [call_id],
    )
    try:
        assert read_cells(published, "kyiv", [week])["greeting"].total.sum() == before - 1
    finally:
        published.connection.execute("delete from core.verdicts where judge = 'human'")


def test_the_planted_fall_is_reported_in_its_first_week_and_nothing_in_the_other_centre(published: Published, trends: Trends) -> None:
    criteria = [o.name for o in trends.changed if o.is_criterion]
    assert criteria == [FALLEN]
    assert trends.changed[0].is_worse(trends.changed[0].tested)  # type: ignore[arg-type]
    assert read_trends(published, "irkutsk", parse({}, NEWEST)).count == 0


def test_the_operators_who_fell_most_are_named_first(trends: Trends) -> None:
    by_operator, by_topic, by_line = trends.changed[0].parts
    assert {c.level for c in by_operator.top(2)} == {"op-1", "op-2"} and all(c.stands_out for c in by_operator.top(2))
    assert by_topic.is_even and by_line.is_even


def test_days_without_calls_and_centres_without_any_have_no_verdict(published: Published) -> None:
    nothing = read_trends(published, "kyiv", parse({"period": "month", "on": "2030-01-01"}, NEWEST))
    assert not nothing.can_say and nothing.count == 0
    assert read_trends(published, "nowhere", parse({}, NEWEST)).outcomes == ()
    first = read_trends(published, "kyiv", parse({"period": "custom", "from": "2026-01-05", "to": "2026-01-05"}, date(2026, 1, 5)))
    assert not first.can_say and first.outcomes[0].points[-1].calls > 0


def test_another_version_of_the_scorecard_is_named(published: Published, trends: Trends) -> None:
    assert not trends.is_other_scorecard
    published.connection.execute(
        "update core.evaluations set scorecard_version = '2' where call_id in (select call_id from calls where centre_id = 'kyiv' and started_local >= ?)",
        [LAST_WEEK],
    )
    try:
        found = read_trends(published, "kyiv", parse({}, NEWEST))
        assert found.is_other_scorecard and found.versions == (("2",), ("1",))
    finally:
        published.connection.execute("update core.evaluations set scorecard_version = '1'")


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_rate_and_mix_parts_of_all_levels_add_up_to_the_change(calls: list[tuple[int, bool, bool]]) -> None:
    level = np.array([c[0] for c in calls])
    passed = np.array([c[1] for c in calls], dtype=float)
    now = np.array([c[2] for c in calls])
    if now.all() or not now.any():
        return
    zeros = np.zeros(len(calls), dtype=int)
    names = {"operator": [f"op-{n}" for n in range(5)], "topic": ["t"], "line": ["l"]}
    cells = Cells(np.ones(len(calls)), passed, passed, zeros, {"operator": level, "topic": zeros, "line": zeros}, names)
    for found in decompose(cells, now, ~now, 1.0):
        change = passed[now].mean() - passed[~now].mean()
        assert found.rate_part + found.mix_part == pytest.approx(change)
        assert sum(c.total for c in found.levels) == pytest.approx(change)
        assert all(c.low <= c.total <= c.high for c in found.levels)
