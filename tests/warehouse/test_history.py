"""Every score can be queried as of a point in time, with its versions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import warehouse
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.warehouse.file import SQL
from tests.staged import call, rows, stage
from tests.warehouse.test_marts import _insert

FIRST, SECOND, THIRD = 1_700_000_000, 1_700_100_000, 1_700_200_000


def judge(settings: Settings, monkeypatch: pytest.MonkeyPatch, at: int, rules: str, *calls: Any, verdict: str = "pass") -> bool:
    """Load the calls as judged at a moment by some rules; True when the warehouse changed."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(at))
    batch: Batch = stage(settings, f"{at}-{rules}", calls, verdict=verdict)
    batch.write("metrics", [replace(row, scored_by=rules) for row in batch.read("metrics")])
    return warehouse.load(batch, settings)


def scores_at(settings: Settings, at: int) -> list[tuple[Any, ...]]:
    return rows(settings.warehouse, f"select call_id, score_pct, scored_by from evaluations_as_of(to_timestamp({at})) order by 1")


def verdicts_at(path: Path, at: int) -> list[tuple[Any, ...]]:
    return rows(path, f"select call_id, verdict from criterion_results_as_of(to_timestamp({at})) order by 1")


def test_scores_are_seen_as_they_stood(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    judge(settings, monkeypatch, FIRST, "rules-1", call("a"), call("b"))
    judge(settings, monkeypatch, SECOND, "rules-2", call("a"), verdict="fail")
    assert scores_at(settings, FIRST - 1) == []
    assert scores_at(settings, FIRST) == scores_at(settings, SECOND - 1) == [("a", 100.0, "rules-1"), ("b", 100.0, "rules-1")]
    assert scores_at(settings, SECOND) == [("a", 0.0, "rules-2"), ("b", 100.0, "rules-1")]
    assert verdicts_at(settings.warehouse, FIRST) == [("a", "pass"), ("b", "pass")]
    warehouse.publish(settings)
    assert verdicts_at(settings.snapshot, SECOND) == [("a", "fail"), ("b", "pass")]
    assert rows(settings.snapshot, "select call_id, score_pct from evaluations order by 1") == [
        ("a", 0.0),
        ("b", 100.0),
    ]  # the newest, as ever


def test_newer_rules_that_say_the_same_keep_the_verdicts_and_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    judge(settings, monkeypatch, FIRST, "rules-1", call("a"))
    judge(settings, monkeypatch, SECOND, "rules-2", call("a"))
    assert scores_at(settings, FIRST) == [("a", 100.0, "rules-1")]
    assert scores_at(settings, SECOND) == [("a", 100.0, "rules-2")]
    assert rows(settings.warehouse, "select epoch(valid_from)::bigint, valid_to from criterion_history") == [(FIRST, None)]


def test_verdicts_that_newer_rules_replaced_are_listed_with_their_replacement(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for at, verdict in ((FIRST, "pass"), (SECOND, "fail"), (THIRD, "unsure")):
        judge(settings, monkeypatch, at, f"rules-{at}", call("a"), call("b", disconnect_party="client"), verdict=verdict)
    changed = (
        "select call_id, verdict, replaced_by, epoch(valid_to)::bigint from criterion_history where replaced_by <> verdict order by all"
    )
    expected = [(one, *step) for one in "ab" for step in (("fail", "unsure", THIRD), ("pass", "fail", SECOND))]
    assert rows(settings.warehouse, changed) == expected
    assert rows(settings.warehouse, "select count(*) from criterion_history where replaced_by is null and valid_to is not null") == [(0,)]
    _without_what_took_its_place(settings)
    assert rows(settings.warehouse, changed) == expected  # determined by the timestamps, for rows replaced by an older version


def _without_what_took_its_place(settings: Settings) -> None:
    """The file as it was before migration 0009, and brought to this version again."""
    with duckdb.connect(str(settings.warehouse)) as db:
        db.execute("set timezone = 'UTC'")
        for view in ("criterion_history", "criterion_results_as_of"):
            db.execute(f"drop {'view' if view == 'criterion_history' else 'macro table'} {view}")
        db.execute("alter table core.past_verdicts drop column replaced_by")
        db.execute((SQL / "migrations" / "0009_what_took_its_place.sql").read_text(encoding="utf-8").replace("store.", "core."))
        db.execute((SQL / "marts" / "criterion_history.sql").read_text(encoding="utf-8"))


def test_a_row_of_the_log_that_was_corrected_is_no_new_judgement(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    judge(settings, monkeypatch, FIRST, "rules-1", call("a"))
    assert judge(settings, monkeypatch, SECOND, "rules-1", call("a", operator_id="op-9"))
    assert rows(settings.warehouse, "select epoch(valid_from)::bigint, valid_to from evaluation_history") == [(FIRST, None)]
    assert rows(settings.warehouse, "select operator_id from calls") == [("op-9",)]


def test_history_goes_with_the_client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    judge(settings, monkeypatch, FIRST, "rules-1", call("a", client_ref="gone"), call("b"))
    judge(settings, monkeypatch, SECOND, "rules-2", call("a", client_ref="gone"), call("b"), verdict="fail")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(THIRD))
    warehouse.erase_client(settings, "gone")
    for view in ("evaluation_history", "criterion_history"):
        assert rows(settings.warehouse, f"select distinct call_id from {view}") == [("b",)]
    assert scores_at(settings, FIRST) == [("b", 100.0, "rules-1")]


def test_a_verdict_from_before_its_moment_was_kept_was_given_with_the_first_evaluation() -> None:
    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    db.execute("create schema store")
    *older, newest = sorted((SQL / "migrations").glob("000[1-7]*.sql"))
    for file in older:
        db.execute(file.read_text(encoding="utf-8"))
    first, later = "2026-03-02 10:00:00+00", "2026-03-05 10:00:00+00"
    _insert(db, "past_evaluations", {"call_id": "a", "evaluated_at": first, "replaced_at": later})
    _insert(db, "evaluations", {"call_id": "a", "evaluated_at": later})
    for table in ("verdicts", "past_verdicts"):
        _insert(db, table, {"call_id": "a", "criterion_id": "greeting"})
        _insert(db, table, {"call_id": "a", "criterion_id": "farewell", "judged_at": later})
    db.execute(newest.read_text(encoding="utf-8"))
    for table in ("verdicts", "past_verdicts"):
        found = db.execute(f"select criterion_id, judged_at::varchar from store.{table} order by all").fetchall()
        assert found == [("farewell", later), ("greeting", first)]
