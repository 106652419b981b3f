"""Forgotten calls leave no data behind, affect no other calls, and cannot be loaded again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines import flow, warehouse
from pipelines.core import staging
from pipelines.core.records import Call, Clip, Rejection
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.warehouse import publishing
from tests.staged import call, change, rows, stage, statuses

SECRET = "Аксолотль"
REASON = "Forgotten on request; remove the recording and its row in the log."


def test_an_erased_client_leaves_nothing_behind(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    at = call("a").started_at
    assert at is not None
    warehouse.load(stage(settings, "b", [call("a", client_ref="gone")], words=(SECRET, "день")), settings)
    warehouse.load(stage(settings, "c", [call("b", client_ref="stays")]), settings)
    sound = settings.clips / "k.ogg"
    settings.clips.mkdir()
    sound.write_bytes(b"sound")
    sound.with_suffix(".json").write_text('{"call_id": "a", "quote": "' + SECRET + '"}', encoding="utf-8")
    clip = Clip("k", "a", "greeting", "good_example", 0.0, 2.0, SECRET, "clips/k.ogg", True, at)
    staging.write_records(settings.site / "clips.parquet", Clip, [clip])
    flow.publish(settings, {})
    kept = rows(settings.warehouse, "select * from turns where call_id = 'b'")
    assert holding(settings)

    flow.erase_client(settings, "gone")

    assert holding(settings) == []  # before anything is published again
    assert statuses(settings) == {"b": "graded"}
    assert rows(settings.snapshot, "select call_id from calls") == [("b",)]
    assert rows(settings.warehouse, "select * from turns") == kept
    assert not sound.exists() and not sound.with_suffix(".json").exists()
    assert [page.name for page in (settings.scorecards / "calls").iterdir()] == ["b.html"]
    assert SECRET not in caplog.text and "gone" not in caplog.text
    flow.publish(settings, {})
    assert holding(settings) == []
    assert not (settings.stage / "b").exists()
    assert (settings.stage / "c").exists()
    assert warehouse.erase_client(settings, "nobody") == []


def holding(settings: Settings) -> list[Path]:
    """The files that still hold what the client said, or who they are."""
    words = (SECRET.encode(), b"gone")
    return [p for p in settings.site.parent.rglob("*") if p.is_file() and any(word in p.read_bytes() for word in words)]


def test_the_neighbours_of_a_forgotten_call_can_be_judged_again(settings: Settings) -> None:
    batch = stage(settings, "both", [call("a", client_ref="gone"), call("b")])
    warehouse.load(batch, settings)
    before = {kind: [row for row in batch.read(kind) if row.call_id == "b"] for kind in staging.KINDS if batch.has(kind)}
    warehouse.erase_client(settings, "gone")
    assert {kind: batch.read(kind) for kind in before} == before
    assert not warehouse.load(batch, settings)
    assert statuses(settings) == {"b": "graded"}


def test_a_call_that_waits_in_the_stage_is_erased_as_well(settings: Settings) -> None:
    batch = stage(settings, "waiting", [call("a", client_ref="gone"), call("b")])
    warehouse.erase_client(settings, "gone")
    assert [one.call_id for one in batch.read("calls")] == ["b"]
    warehouse.load(batch, settings)
    assert statuses(settings) == {"b": "graded"}


def received_again(settings: Settings, *calls: Call, rejected: tuple[Rejection, ...] = ()) -> list[Call]:
    """The calls that are to be graded of what came in; the rest is loaded as it was rejected."""
    batches = flow.receive(calls, rejected, settings)
    for batch in batches:
        if not batch.read("calls"):
            warehouse.load(batch, settings)
    return [one for batch in batches for one in batch.read("calls")]


def test_a_forgotten_recording_that_comes_again_is_rejected_and_counted(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a", client_ref="gone"), call("b")]), settings)
    warehouse.erase_client(settings, "gone")
    for _ in range(2):
        todo = received_again(settings, call("a", client_ref="gone"), call("c"))
        assert [one.call_id for one in todo] == ["c"]
        sha256 = call("a").recording_sha256
        assert statuses(settings) == {"b": "graded", f"forgotten:{sha256[:16]}": "quarantined"}
        (forgotten,) = rows(
            settings.warehouse, "select * exclude (loaded_at, recording_sha256, call_id, call_no) from calls where status <> 'graded'"
        )
        assert {value for value in forgotten if value is not None} == {
            "irkutsk",
            "quarantined",
            "intake",
            REASON,
            "forgotten_on_request",
            "{}",
            "redacted",
        }
    assert rows(settings.warehouse, "select status_reason, calls from intake_ledger where status = 'quarantined'") == [(REASON, 1)]
    assert not [result for result in warehouse.check(settings) if result.offenders]
    moved = call("a", client_ref="gone", recording="/elsewhere/renamed.ogg")
    assert received_again(settings, moved) == []


def test_a_row_of_a_forgotten_call_whose_recording_is_gone_names_nobody(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a", client_ref="gone")]), settings)
    warehouse.erase_client(settings, "gone")
    received_again(
        settings, rejected=(Rejection("a", "intake", "quarantined", "a-79991234567.ogg is missing.", "irkutsk", "a-79991234567.ogg"),)
    )
    (name,) = statuses(settings)
    assert name.startswith("forgotten:")
    assert not [p for p in settings.site.parent.rglob("*") if p.is_file() and b"79991234567" in p.read_bytes()]


def test_a_call_that_was_being_judged_while_it_was_erased_does_not_come_back(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a", client_ref="gone")]), settings)
    warehouse.erase_client(settings, "gone")
    batch = stage(settings, "again", [call("a", client_ref="gone"), call("b")], words=(SECRET, "день"))  # as its judge would leave it
    warehouse.load(batch, settings)
    assert set(statuses(settings).values()) == {"graded", "quarantined"}
    assert rows(settings.warehouse, "select distinct call_id from turns") == [("b",)]
    assert {turn.call_id for turn in batch.read("turns")} == {one.call_id for one in batch.read("calls")} == {"b"}


def test_calls_past_their_time_are_forgotten_and_stay_so(settings: Settings) -> None:
    old = call("a", started_at=call("a").started_at.replace(year=2023))  # type: ignore[union-attr]
    warehouse.load(stage(settings, "b", [old, call("b")], [Rejection("c", "intake", "quarantined", "missing")]), settings)
    assert warehouse.forget_before(settings, date(2024, 1, 1)) == []
    assert statuses(settings) == {"b": "graded", "c": "quarantined"}
    assert received_again(settings, old) == []
    assert rows(settings.warehouse, "select count(*) from calls where status_reason like 'Forgotten because its time was over%'") == [(1,)]
    assert not [result for result in warehouse.check(settings) if result.offenders]


def test_the_published_copy_forgets_even_where_a_check_keeps_it_from_being_replaced(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a", client_ref="gone"), call("b")]), settings)
    flow.publish(settings, {})
    change(settings, "update core.verdicts set quote = 'до свидания' where call_id = 'b'")
    flow.erase_client(settings, "gone")
    with pytest.raises(publishing.ChecksFailedError):
        flow.publish(settings, {})
    assert rows(settings.snapshot, "select call_id from calls") == [("b",)]
    assert b"gone" not in settings.snapshot.read_bytes()


def test_forgetting_takes_a_batch_apart_by_recording_not_by_id(settings: Settings) -> None:
    other = call("a", sound="another", client_ref="stays")
    first, second = stage(settings, "one", [call("a", client_ref="gone")]), stage(settings, "two", [other])
    warehouse.load(second, settings)
    warehouse.load(first, settings)  # the id is taken: it is rejected as a~...
    warehouse.erase_client(settings, "gone")
    assert statuses(settings) == {"a": "graded"}
    assert Batch(second.folder).read("calls") == [other]
    assert not first.folder.exists()


def test_a_run_that_was_stopped_while_emptying_a_batch_goes_on_with_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its first, second or fifth file: none of the client's rows is left in the end, and no report that names the call."""
    write = staging.write_whole
    for stop_at in (1, 2, 5, 40):
        batch = stage(settings, f"only-{stop_at}", [call("a", client_ref="gone")])
        warehouse.load(batch, settings)
        settings.site.mkdir(exist_ok=True)
        (settings.site / "regrade.md").write_text("| a | fail → pass |")
        left = iter(range(stop_at - 1))

        def stopping(path: Path, content: bytes, left: Iterator[int] = left) -> Path:
            if path.is_relative_to(settings.stage) and next(left, None) is None:
                raise KeyboardInterrupt
            return write(path, content)

        monkeypatch.setattr(staging, "write_whole", stopping)
        try:
            warehouse.erase_client(settings, "gone")
            was_stopped = False
        except KeyboardInterrupt:
            was_stopped = True
        monkeypatch.setattr(staging, "write_whole", write)
        warehouse.erase_client(settings, "gone")
        assert not batch.folder.exists()
        assert not (settings.site / "regrade.md").exists()
        if not was_stopped:
            return
        forget_that_it_was_forgotten(settings)
    raise AssertionError("a batch has no forty files with rows")


def forget_that_it_was_forgotten(settings: Settings) -> None:
    """Let the same recording be loaded again."""
    with duckdb.connect(str(settings.warehouse)) as db:
        db.execute("delete from core.forgotten")
