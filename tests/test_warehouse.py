"""What a batch does to the warehouse, and what stays true whatever arrives, in whatever order and however often."""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from pipelines import store, warehouse, warehouse_file
from pipelines.errors import MisconfiguredError, TransientError
from pipelines.records import PutAside
from pipelines.settings import Settings
from pipelines.warehouse_publish import ChecksFailedError
from tests.staged import call, stage

QUICK = effort(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    db = duckdb.connect(str(path), read_only=True)
    try:
        db.execute("set timezone = 'UTC'")
        return db.execute(sql).fetchall()
    finally:
        db.close()


def change(settings: Settings, sql: str) -> None:
    db = duckdb.connect(str(settings.warehouse))
    try:
        db.execute(sql)
    finally:
        db.close()


def statuses(settings: Settings) -> dict[str, str]:
    return dict(rows(settings.warehouse, "select call_id, status from calls"))


def test_the_same_batch_again_changes_nothing_not_even_the_moment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert warehouse.load(stage(settings, "b", [call("a"), call("b")]), settings)
    before = rows(settings.warehouse, "select call_id, evaluated_at from evaluations order by 1")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert not warehouse.load(stage(settings, "another", [call("b"), call("a")]), settings)
    assert rows(settings.warehouse, "select call_id, evaluated_at from evaluations order by 1") == before


def test_a_new_judgement_replaces_the_machines_rows_and_keeps_a_persons(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a"), call("b")]), settings)
    change(
        settings,
        "insert into store.evaluations by name select * replace ('human' as judge, 40.0 as score_pct) from store.evaluations where call_id = 'a'",
    )
    assert warehouse.load(stage(settings, "c", [call("a")], verdict="fail"), settings)
    assert rows(settings.warehouse, "select call_id, judge, score_pct from evaluations order by 1, 2") == [
        ("a", "human", 40.0), ("a", "machine", 0.0), ("b", "machine", 100.0),
    ]  # fmt: skip
    assert rows(settings.warehouse, "select verdict, count(*) from criterion_results group by 1 order by 1") == [("fail", 1), ("pass", 1)]
    assert rows(settings.warehouse, "select score_pct from call_facts where call_id = 'a'") == [(40.0,)]


def test_another_recording_under_a_graded_id_is_put_aside(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    other = call("a", sound="other", operator_id="op-9")
    assert warehouse.load(stage(settings, "c", [other]), settings)
    assert statuses(settings) == {"a": "graded", f"a~{other.recording_sha256[:8]}": "quarantined"}
    assert rows(settings.warehouse, "select operator_id from calls where call_id = 'a'") == [("op-1",)]
    assert not warehouse.load(stage(settings, "d", [other]), settings)
    assert warehouse.already_graded(settings, [call("a"), other], speech_model="speech-1") == {"a"}
    assert not [r for r in warehouse.check(settings) if r.offenders]


def test_a_graded_recording_under_another_id_is_put_aside(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a", sound="one")]), settings)
    assert warehouse.load(stage(settings, "c", [call("b", sound="one"), call("c", sound="two"), call("d", sound="two")]), settings)
    assert statuses(settings) == {"a": "graded", "b": "quarantined", "c": "graded", "d": "quarantined"}
    (reason,) = rows(settings.warehouse, "select status_reason from calls where call_id = 'b'")[0]
    assert "call a" in reason
    assert not [r for r in warehouse.check(settings) if r.offenders]


def test_what_was_put_aside_gives_way_to_the_graded_call_and_never_the_other_way_round(settings: Settings) -> None:
    missing = PutAside("a", "intake", "quarantined", "The recording is missing.", "irkutsk", "a.ogg")
    warehouse.load(stage(settings, "b", [], [missing]), settings)
    assert statuses(settings) == {"a": "quarantined"}
    warehouse.load(stage(settings, "c", [call("a")]), settings)
    assert statuses(settings) == {"a": "graded"}
    assert not warehouse.load(stage(settings, "d", [], [missing]), settings)
    assert statuses(settings) == {"a": "graded"}


def test_a_call_put_aside_by_a_step_keeps_what_the_log_says_of_it(settings: Settings) -> None:
    silent = PutAside("a", "audio", "unscoreable", "Nobody speaks in a.ogg.")
    warehouse.load(stage(settings, "b", [call("a"), call("b")], [silent]), settings)
    assert rows(settings.warehouse, "select status, status_reason, operator_id, recording, wait_s from calls where call_id = 'a'") == [
        ("unscoreable", "Nobody speaks in a.ogg.", "op-1", "a.ogg", 20.0)
    ]
    assert rows(settings.warehouse, "select calls, graded, unscoreable, scored_calls from operator_scorecards where period = 'day'") == [
        (2, 1, 1, 1)
    ]


def test_a_recording_without_a_row_gives_way_when_its_row_is_found(settings: Settings) -> None:
    found = call("a")
    lost = PutAside("no-row:a.ogg~x", "intake", "quarantined", "No row names a.ogg.", "irkutsk", "a.ogg", found.recording_sha256)
    warehouse.load(stage(settings, "b", [], [lost]), settings)
    warehouse.load(stage(settings, "c", [found]), settings)
    assert statuses(settings) == {"a": "graded"}
    assert not warehouse.load(stage(settings, "d", [], [lost]), settings) or statuses(settings) == {"a": "graded"}
    assert not [r for r in warehouse.check(settings) if r.offenders]


def received() -> list[Any]:
    """A folder's worth: sound calls, a conflict that intake saw, a missing recording, one that nobody can judge."""
    calls = [call(name) for name in "abcdef"]
    aside = [
        PutAside("a~other", "intake", "quarantined", "call_id a stands in line 2 already.", "irkutsk", "x.ogg", "f" * 64),
        PutAside("g", "intake", "quarantined", "The recording is missing.", "irkutsk", "g.ogg"),
        PutAside("h", "audio", "unscoreable", "Nobody speaks.", "irkutsk", "h.ogg", "e" * 64),
    ]
    return [*calls, *aside]


@QUICK
@given(parts=st.lists(st.integers(0, 2), min_size=9, max_size=9), again=st.integers(0, 2))
def test_any_split_in_any_order_and_repeats_give_the_same_warehouse(tmp_path: Path, parts: list[int], again: int) -> None:
    shutil.rmtree(tmp_path)
    whole, split = (Settings(tmp_path / f"{name}.duckdb") for name in ("whole", "split"))

    def load(settings: Settings, name: str, items: list[Any]) -> None:
        aside = [i for i in items if isinstance(i, PutAside)]
        # A part of a folder whose log is whole: the recordings of the other parts are missing.
        ids = {i.call_id for i in items}
        aside += [PutAside(i.call_id, "intake", "quarantined", "missing", "irkutsk") for i in received()[:6] if i.call_id not in ids]
        warehouse.load(stage(settings, name, [i for i in items if not isinstance(i, PutAside)], aside), settings)

    load(whole, "all", received())
    for n in (0, 1, 2, again):
        load(split, f"part-{n}", [item for item, part in zip(received(), parts, strict=True) if part == n])
    assert warehouse.contents(split.warehouse) == warehouse.contents(whole.warehouse)


def test_a_batch_goes_in_whole_or_not_at_all(settings: Settings) -> None:
    warehouse.load(stage(settings, "a", [call("a")]), settings)
    before = warehouse.contents(settings.warehouse)
    batch = stage(settings, "b", [call("b")])
    content = batch.path("metrics").read_bytes()
    batch.path("turns").write_bytes(content[: len(content) // 2])
    with pytest.raises(duckdb.Error):
        warehouse.load(batch, settings)
    assert warehouse.contents(settings.warehouse) == before


def test_raw_text_is_shown_only_where_it_was_kept(settings: Settings) -> None:
    warehouse.load(stage(settings, "a", [call("a")]), settings)
    assert rows(settings.warehouse, "select text from turns where turn_no = 2") == [("Тупая [ACCOUNT]",)]
    assert warehouse.already_graded(settings, [call("a")], speech_model="speech-1") == {"a"}
    raw = settings.with_(keep_text="raw")
    assert warehouse.already_graded(raw, [call("a")], speech_model="speech-1") == set()
    warehouse.load(stage(raw, "b", [call("a")], raw="один два три"), raw)
    assert rows(settings.warehouse, "select t.text, c.text_kept from turns t join calls c using (call_id) where turn_no = 2") == [
        ("Тупая один два три", "raw")
    ]


def test_work_is_skipped_only_for_the_same_row_recording_and_versions(settings: Settings) -> None:
    assert warehouse.already_graded(settings, [call("a")], speech_model="speech-1") == set()
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    moved = replace(call("a"), recording="/elsewhere/a.ogg")
    assert warehouse.already_graded(settings, [moved], speech_model="speech-1", scored_by="rules-1") == {"a"}
    assert not warehouse.already_graded(settings, [call("a")], speech_model="speech-2")
    assert not warehouse.already_graded(settings, [call("a")], speech_model="speech-1", scored_by="rules-2")
    assert not warehouse.already_graded(settings, [call("a", operator_id="op-2")], speech_model="speech-1")
    assert not warehouse.already_graded(settings, [call("a", sound="other")], speech_model="speech-1")


def test_an_old_migration_may_not_change(tmp_path: Path) -> None:
    sql = tmp_path / "sql"
    shutil.copytree(warehouse_file.SQL, sql)
    db = duckdb.connect(str(tmp_path / "w.duckdb"))
    try:
        warehouse_file.migrate(db, sql)
        warehouse_file.migrate(db, sql)
        with (sql / "migrations" / "0001_calls_and_judgement.sql").open("a") as file:
            file.write("-- a harmless comment\n")
        with pytest.raises(MisconfiguredError, match="0001_calls_and_judgement.sql was changed"):
            warehouse_file.migrate(db, sql)
    finally:
        db.close()


def test_a_migration_that_fails_leaves_nothing_of_itself(tmp_path: Path) -> None:
    sql = tmp_path / "sql"
    shutil.copytree(warehouse_file.SQL, sql)
    (sql / "migrations" / "9999_half.sql").write_text("create table store.half (a int); insert into store.nowhere values (1);")
    db = duckdb.connect()
    try:
        with pytest.raises(duckdb.Error):
            warehouse_file.migrate(db, sql)
        assert db.execute("select count(*) from duckdb_tables() where table_name = 'half'").fetchone() == (0,)
        (sql / "migrations" / "9999_half.sql").unlink()
        warehouse_file.migrate(db, sql)
    finally:
        db.close()


def test_a_newer_warehouse_is_refused(tmp_path: Path) -> None:
    db = duckdb.connect()
    try:
        warehouse_file.migrate(db)
        db.execute("insert into store.migrations values ('9999_later.sql', 'x', now())")
        with pytest.raises(MisconfiguredError, match="newer version.*9999_later"):
            warehouse_file.migrate(db)
    finally:
        db.close()


def test_every_field_of_a_staged_record_has_a_column(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    left_out = {"audio": {"speech", "holds", "level_hop_s", "level_db"}, "turns": {"tokens"}}
    for table in (
        "calls",
        "audio",
        "roles",
        "turns",
        "personal_data",
        "sentiments",
        "findings",
        "procedures",
        "verdicts",
        "evaluations",
        "metrics",
        "clips",
    ):
        columns = {
            name
            for (name,) in rows(
                settings.warehouse, f"select column_name from duckdb_columns() where schema_name = 'store' and table_name = '{table}'"
            )
        }
        assert {f.name for f in fields(store.KINDS[table])} - left_out.get(table, set()) <= columns, table


def test_publishing_refuses_what_a_check_refuses(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    warehouse.publish(settings)
    before = settings.snapshot.read_bytes()
    change(settings, "update store.verdicts set quote = 'до свидания'")
    with pytest.raises(ChecksFailedError, match="quotes_stand_in_their_turn"):
        warehouse.publish(settings)
    assert settings.snapshot.read_bytes() == before
    assert [p.name for p in settings.snapshot.parent.iterdir()] == [settings.snapshot.name]


OFFENCES = {
    "calls_are_unique": "insert into store.calls select * from store.calls",
    "clip_files_exist": "insert into store.clips values ('k', 'a', 'greeting', 'good_example', 0, 2, null, 'clips/gone.ogg', true, now())",
    "coverage_follows_from_verdicts": "update store.evaluations set coverage_pct = 10",
    "decided_points_have_evidence": "update store.verdicts set start_s = null",
    "graded_calls_are_complete": "delete from store.evaluations",
    "intake_reconciles": "insert into store.received values ('z', null)",
    "no_card_numbers": "update store.turns set text = text || ' 4111 1111 1111 1111'",
    "no_long_numbers": "update store.turns set text = text || ' 123456789012'",
    "passes_have_a_quote": "update store.verdicts set quote = null",
    "points_fit_their_verdict": "update store.verdicts set verdict = 'unsure'",
    "put_aside_has_a_reason": "update store.calls set status = 'quarantined'",
    "quotes_stand_in_their_turn": "update store.findings set quote = 'дурак' where kind = 'abuse'",
    "recordings_are_graded_once": "insert into store.calls select * replace ('b' as call_id) from store.calls",
    "rows_are_unique": "insert into store.turns select * from store.turns",
    "rows_belong_to_graded_calls": "insert into store.holds values ('z', 0, 1, 'music')",
    "scores_follow_from_verdicts": "update store.evaluations set score_pct = 60",
    "times_lie_within_the_call": "update store.holds set end_s = 99",
    "turns_referred_to_exist": "update store.findings set turn_no = 7",
}


def test_every_check_has_an_offence_here() -> None:
    assert set(OFFENCES) == {file.stem for file in (warehouse_file.SQL / "checks").glob("*.sql")}


@pytest.mark.parametrize("name", sorted(OFFENCES))
def test_a_check_notices_its_offence(settings: Settings, name: str) -> None:
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    assert not [result for result in warehouse.check(settings) if result.offenders]
    change(settings, OFFENCES[name])
    offended = {result.name: result for result in warehouse.check(settings) if result.offenders}
    assert name in offended
    assert str(offended[name]).startswith(offended[name].level.upper())


def _load_many(settings: Settings) -> None:
    for n in range(4):
        warehouse.load(stage(settings, f"b{n}", [call(f"{n}-{k}") for k in range(5)]), settings)
        warehouse.publish(settings)


def test_readers_beside_a_loader_always_see_whole_batches(settings: Settings) -> None:
    warehouse.load(stage(settings, "first", [call(f"first-{k}") for k in range(5)]), settings)
    warehouse.publish(settings)
    loader = multiprocessing.get_context("spawn").Process(target=_load_many, args=(settings,))
    loader.start()
    seen = set()
    while loader.is_alive():
        seen.add(
            rows(
                settings.snapshot, "select (select count(*) from calls), (select count(*) from evaluations), (select count(*) from turns)"
            )[0]
        )
    loader.join()
    assert loader.exitcode == 0
    seen.add(
        rows(settings.snapshot, "select (select count(*) from calls), (select count(*) from evaluations), (select count(*) from turns)")[0]
    )
    assert (25, 25, 50) in seen
    assert all(calls % 5 == 0 and evaluations == calls and turns == 2 * calls for calls, evaluations, turns in seen)


def test_a_second_writer_waits_and_then_says_so(settings: Settings) -> None:
    batch = stage(settings, "b", [call("a")])
    with warehouse_file.write_lock(settings), pytest.raises(TransientError, match="Another process has been writing"):
        warehouse.load(batch, settings, timeout_s=0.3)
    assert warehouse.load(batch, settings)


def test_a_program_that_has_the_file_open_is_named_as_the_cause(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    context = multiprocessing.get_context("spawn")
    opened, done = context.Event(), context.Event()
    other = context.Process(target=_keep_open, args=(settings.warehouse, opened, done))
    other.start()
    try:
        assert opened.wait(60)
        with pytest.raises(TransientError, match="Close the program that has it open"):
            warehouse.load(stage(settings, "c", [call("b")]), settings)
    finally:
        done.set()
        other.join()


def _keep_open(path: Path, opened: Any, done: Any) -> None:
    db = duckdb.connect(str(path), read_only=True)
    opened.set()
    done.wait(60)
    db.close()


def test_an_erased_client_leaves_nothing_behind(settings: Settings) -> None:
    secret = "Аксолотль"
    warehouse.load(stage(settings, "b", [call("a", client_ref="gone")], words=(secret, "день")), settings)
    warehouse.load(stage(settings, "c", [call("b", client_ref="stays")]), settings)
    change(settings, "insert into store.clips values ('k', 'a', 'greeting', 'good_example', 0, 2, null, 'clips/k.ogg', true, now())")
    kept = rows(settings.warehouse, "select * from turns where call_id = 'b'")
    assert secret.encode() in settings.warehouse.read_bytes()
    assert warehouse.erase_client(settings, "gone") == [settings.site / "clips" / "k.ogg"]
    assert statuses(settings) == {"b": "graded"}
    assert rows(settings.warehouse, "select * from turns") == kept
    warehouse.publish(settings)
    holding = [p for p in settings.site.parent.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
    assert holding == []
    assert not (settings.stage / "b").exists()
    assert (settings.stage / "c").exists()
    assert warehouse.erase_client(settings, "nobody") == []


def test_calls_past_their_time_are_forgotten(settings: Settings) -> None:
    old = call("a", started_at=call("a").started_at.replace(year=2023))  # type: ignore[union-attr]
    warehouse.load(stage(settings, "b", [old, call("b")], [PutAside("c", "intake", "quarantined", "missing")]), settings)
    assert warehouse.forget_before(settings, date(2024, 1, 1)) == []
    assert statuses(settings) == {"b": "graded", "c": "quarantined"}
    assert not [result for result in warehouse.check(settings) if result.offenders]


def test_only_clips_whose_file_and_call_are_there_are_published(settings: Settings) -> None:
    from pipelines.records import Clip

    warehouse.load(stage(settings, "b", [call("a")]), settings)
    at = call("a").started_at
    assert at is not None
    clips = [
        Clip(i, c, "greeting", "good_example", 0.0, 2.0, None, f"clips/{i}.ogg", True, at) for i, c in (("k", "a"), ("l", "a"), ("m", "z"))
    ]
    store.write_records(settings.site / "clips.parquet", Clip, clips)
    settings.clips.mkdir()
    for name in ("k", "m"):
        (settings.clips / f"{name}.ogg").write_bytes(b"sound")
    warehouse.publish(settings)
    assert rows(settings.snapshot, "select clip_id, call_id from coaching_clips") == [("k", "a")]
