"""Loading a batch into the warehouse, and the invariants for any input, in any order and any number of times."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from pipelines import warehouse
from pipelines.core import staging
from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import Rejection
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import ROOT, Settings
from pipelines.warehouse import file as warehouse_file
from tests.staged import call, change, rows, stage, statuses


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the one call `a`."""
    settings = Settings(warehouse=tmp_path_factory.mktemp("loaded") / "callgrade.duckdb")
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    return settings.warehouse


def test_the_same_batch_again_changes_nothing_not_even_the_moment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert warehouse.load(stage(settings, "b", [call("a"), call("b")]), settings)
    before = rows(settings.warehouse, "select call_id, evaluated_at from evaluations order by 1")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert not warehouse.load(stage(settings, "another", [call("b"), call("a")]), settings)
    assert rows(settings.warehouse, "select call_id, evaluated_at from evaluations order by 1") == before


def test_every_word_keeps_its_own_times(settings: Settings) -> None:
    batch = stage(settings, "b", [call("a")])
    assert warehouse.load(batch, settings)
    heard = [
        (turn.turn_no, n, token.raw or token.text, token.start_s, token.end_s)
        for turn in batch.read("turns")
        for n, token in enumerate(turn.tokens, 1)
    ]
    assert len({start_s for *_, start_s, _ in heard}) > 1
    assert rows(settings.warehouse, 'select turn_no, word_no, "text", start_s, end_s from words order by 1, 2') == heard


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


def test_another_recording_under_a_graded_id_is_rejected(settings: Settings, loaded: Path) -> None:
    shutil.copy(loaded, settings.warehouse)
    other = call("a", sound="other", operator_id="op-9")
    assert warehouse.load(stage(settings, "c", [other]), settings)
    assert statuses(settings) == {"a": "graded", f"a~{other.recording_sha256[:8]}": "quarantined"}
    assert rows(settings.warehouse, "select operator_id from calls where call_id = 'a'") == [("op-1",)]
    assert not warehouse.load(stage(settings, "d", [other]), settings)
    assert warehouse.already_graded(settings, [call("a"), other], speech_model="speech-1") == {"a"}
    assert not [r for r in warehouse.check(settings) if r.offenders]


def test_a_graded_recording_under_another_id_is_rejected(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a", sound="one")]), settings)
    assert warehouse.load(stage(settings, "c", [call("b", sound="one"), call("c", sound="two"), call("d", sound="two")]), settings)
    assert statuses(settings) == {"a": "graded", "b": "quarantined", "c": "graded", "d": "quarantined"}
    assert rows(settings.warehouse, "select status_reason, status_reason_key, status_reason_values from calls where call_id = 'b'") == [
        ("The recording is the same as that of call a; name the right recording.", "graded_before", '{"call":"a"}')
    ]
    assert not [r for r in warehouse.check(settings) if r.offenders]


def test_what_was_rejected_gives_way_to_the_graded_call_and_never_the_other_way_round(settings: Settings) -> None:
    missing = Rejection("a", "intake", "quarantined", "The recording is missing.", "irkutsk", "a.ogg")
    warehouse.load(stage(settings, "b", [], [missing]), settings)
    assert statuses(settings) == {"a": "quarantined"}
    warehouse.load(stage(settings, "c", [call("a")]), settings)
    assert statuses(settings) == {"a": "graded"}
    assert not warehouse.load(stage(settings, "d", [], [missing]), settings)
    assert statuses(settings) == {"a": "graded"}


def test_a_call_rejected_by_a_step_keeps_what_the_log_says_of_it(settings: Settings) -> None:
    short = Reason(Key.TOO_SHORT, seconds=1.25, least=3.0)
    warehouse.load(stage(settings, "b", [call("a"), call("b")], [Rejection.of_call(call("a"), "audio", short)]), settings)
    kept = "select status, status_reason, status_reason_key, status_reason_values, operator_id, recording, wait_s from calls where call_id = 'a'"
    assert rows(settings.warehouse, kept) == [
        ("unscoreable", str(short), "too_short", '{"seconds":1.25,"least":3.0}', "op-1", "a.ogg", 20.0)
    ]
    warehouse.publish(settings)
    assert rows(settings.snapshot, "select calls, graded, unscoreable, scored_calls from operator_scorecards where period = 'day'") == [
        (2, 1, 1, 1)
    ]


def test_a_recording_without_a_row_gives_way_when_its_row_is_found(settings: Settings) -> None:
    found = call("a")
    lost = Rejection("no-row:a.ogg~x", "intake", "quarantined", "No row names a.ogg.", "irkutsk", "a.ogg", found.recording_sha256)
    warehouse.load(stage(settings, "b", [], [lost]), settings)
    warehouse.load(stage(settings, "c", [found]), settings)
    assert statuses(settings) == {"a": "graded"}
    assert not warehouse.load(stage(settings, "d", [], [lost]), settings) or statuses(settings) == {"a": "graded"}
    assert not [r for r in warehouse.check(settings) if r.offenders]


def received() -> list[Any]:
    """A folder's worth: sound calls, a conflict that intake saw, a missing recording, one that nobody can judge."""
    calls = [call(name) for name in "abcdef"]
    rejected = [
        Rejection("a~other", "intake", "quarantined", "call_id a stands in line 2 already.", "irkutsk", "x.ogg", "f" * 64),
        Rejection("g", "intake", "quarantined", "The recording is missing.", "irkutsk", "g.ogg"),
        Rejection("h", "audio", "unscoreable", "Nobody speaks.", "irkutsk", "h.ogg", "e" * 64),
    ]
    return [*calls, *rejected]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """An empty warehouse to begin with, and what one holds after everything arrived at once."""
    folder = tmp_path_factory.mktemp("whole")
    settings = Settings(warehouse=folder / "whole.duckdb")
    with warehouse_file.open_for_writing(settings):
        pass
    shutil.copy(settings.warehouse, folder / "empty.duckdb")
    _load_part(settings, "all", received())
    return folder / "empty.duckdb", warehouse.contents(settings.warehouse)


def _load_part(settings: Settings, name: str, items: list[Any]) -> None:
    """Load a part of the folder as intake would give it: its log is whole, so the recordings of the other parts are missing."""
    rejected = [i for i in items if isinstance(i, Rejection)]
    ids = {i.call_id for i in items}
    rejected += [Rejection(i.call_id, "intake", "quarantined", "missing", "irkutsk") for i in received()[:6] if i.call_id not in ids]
    warehouse.load(stage(settings, name, [i for i in items if not isinstance(i, Rejection)], rejected), settings)


@effort(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.integers(0, 1), min_size=9, max_size=9), again=st.integers(0, 1))
def test_any_halves_in_any_order_and_repeats_give_the_same_warehouse(
    tmp_path: Path, whole: tuple[Path, dict[str, list[str]]], parts: list[int], again: int
) -> None:
    empty, expected = whole
    settings = Settings(warehouse=tmp_path / "split.duckdb")
    shutil.copy(empty, settings.warehouse)
    for n in (0, 1, again):
        _load_part(settings, f"part-{n}", [item for item, part in zip(received(), parts, strict=True) if part == n])
    assert warehouse.contents(settings.warehouse) == expected


def test_a_batch_goes_in_whole_or_not_at_all(settings: Settings) -> None:
    warehouse.load(stage(settings, "a", [call("a")]), settings)
    before = warehouse.contents(settings.warehouse)
    batch = stage(settings, "b", [call("b")])
    content = batch.path("metrics").read_bytes()
    batch.path("turns").write_bytes(content[: len(content) // 2])
    with pytest.raises(staging.CutShortError, match=r"cannot be read \(turns\.parquet: truncated\)"):
        warehouse.load(batch, settings)
    assert warehouse.contents(settings.warehouse) == before


def test_raw_text_is_shown_only_where_it_was_kept(settings: Settings, loaded: Path) -> None:
    shutil.copy(loaded, settings.warehouse)
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
    assert warehouse.already_graded(settings, [moved], speech_model="speech-1", scored_by={"a": "rules-1"}) == {"a"}
    assert not warehouse.already_graded(settings, [call("a")], speech_model="speech-2")
    assert not warehouse.already_graded(settings, [call("a")], speech_model="speech-1", scored_by={"a": "rules-2"})
    assert not warehouse.already_graded(settings, [call("a", operator_id="op-2")], speech_model="speech-1")
    assert not warehouse.already_graded(settings, [call("a", sound="other")], speech_model="speech-1")


@pytest.mark.parametrize("full_at", [0, 4096, 8638, 12_287, 20_000])
def test_a_disk_that_is_full_when_the_file_is_begun_keeps_nobody_from_beginning_again(settings: Settings, full_at: int) -> None:
    """A file of DuckDB begins with three headers, 12,288 bytes; cut short within them it can never be opened."""
    batch = stage(settings, "b", [call("a")])
    load = (
        "import resource, signal, sys; from pathlib import Path; from pipelines import warehouse; from pipelines.core.settings import Settings; "
        "from pipelines.core.staging import Batch; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), -1)); "
        "warehouse.load(Batch(Path(sys.argv[2])), Settings(warehouse=Path(sys.argv[1])))"
    )
    ended = subprocess.run(
        [sys.executable, "-B", "-c", load, settings.warehouse, batch.folder, str(full_at)], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode != 0 and "TransientError" in ended.stderr
    assert warehouse.load(batch, settings) and statuses(settings) == {"a": "graded"}


def test_an_old_migration_may_not_change(tmp_path: Path) -> None:
    sql = tmp_path / "sql"
    shutil.copytree(warehouse_file.SQL, sql)
    db = duckdb.connect(str(tmp_path / "w.duckdb"))
    try:
        warehouse_file.migrate(db, sql)
        warehouse_file.migrate(db, sql)
        with (sql / "migrations" / "0001_calls_and_judgement.sql").open("a") as file:
            file.write("-- a harmless comment\n")
        with pytest.raises(MisconfiguredError, match=r"0001_calls_and_judgement\.sql was changed"):
            warehouse_file.migrate(db, sql)
    finally:
        db.close()


def test_a_warehouse_of_before_reasons_had_keys_keeps_every_row_and_its_sentence(settings: Settings) -> None:
    warehouse.load(
        stage(settings, "b", [call("a")], [Rejection("b", "intake", "quarantined", "b.ogg is empty (0 bytes).", "irkutsk")]), settings
    )
    with duckdb.connect(str(settings.warehouse)) as db:
        db.execute("set timezone = 'UTC'")
        for column in ("status_reason_key", "status_reason_values"):
            db.execute(f"alter table store.calls drop column {column}")
        db.execute("delete from store.migrations where name in ('0011_reasons_as_keys.sql', '~views', '~made')")
    assert warehouse.load(stage(settings, "c", [call("c")]), settings)
    assert rows(settings.warehouse, "select call_id, status_reason, status_reason_key from calls order by 1") == [
        ("a", None, None), ("b", "b.ogg is empty (0 bytes).", None), ("c", None, None),
    ]  # fmt: skip
    empty = Rejection.because(Reason(Key.EMPTY, file="b.ogg"), "intake", "b", "irkutsk", None, None)
    assert warehouse.load(stage(settings, "d", [], [empty]), settings)  # the folder is graded again
    assert rows(settings.warehouse, "select status_reason, status_reason_key from calls where call_id = 'b'") == [(empty.reason, "empty")]


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
        with pytest.raises(MisconfiguredError, match=r"newer version.*9999_later"):
            warehouse_file.migrate(db)
    finally:
        db.close()


def test_every_field_of_a_staged_record_has_a_column(settings: Settings, loaded: Path) -> None:
    shutil.copy(loaded, settings.warehouse)
    left_out = {"audio": {"speech", "holds", "level_hop_s", "level_db"}, "turns": {"tokens"}}  # sentiments are columns of turns
    for table in (
        "calls",
        "audio",
        "roles",
        "turns",
        "personal_data",
        "speech_acts",
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
        assert {f.name for f in fields(staging.KINDS[table])} - left_out.get(table, set()) <= columns, table
