"""The checks before publication, and concurrent readers and writers."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import warehouse
from pipelines.core import staging
from pipelines.core.errors import TransientError
from pipelines.core.records import Clip
from pipelines.core.settings import Settings
from pipelines.warehouse import file as warehouse_file
from pipelines.warehouse.publishing import ChecksFailedError
from tests.staged import call, change, rows, stage


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the one call `a`."""
    settings = Settings(warehouse=tmp_path_factory.mktemp("loaded") / "callgrade.duckdb")
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    return settings.warehouse


def test_publishing_refuses_what_a_check_refuses(settings: Settings, loaded: Path) -> None:
    shutil.copy(loaded, settings.warehouse)
    warehouse.publish(settings)
    before = settings.snapshot.read_bytes()
    change(settings, "update core.verdicts set quote = 'до свидания'")
    with pytest.raises(ChecksFailedError, match="quotes_stand_in_their_turn"):
        warehouse.publish(settings)
    assert settings.snapshot.read_bytes() == before
    assert [p.name for p in settings.snapshot.parent.iterdir()] == [settings.snapshot.name]


def test_publishing_the_same_again_leaves_the_copy_alone(settings: Settings, loaded: Path) -> None:
    shutil.copy(loaded, settings.warehouse)
    warehouse.publish(settings)
    before = settings.snapshot.stat().st_mtime_ns, settings.snapshot.stat().st_ino
    warehouse.load(stage(settings, "again", [call("a")]), settings)
    warehouse.publish(settings)
    assert (settings.snapshot.stat().st_mtime_ns, settings.snapshot.stat().st_ino) == before

    with settings.snapshot.open("r+b") as copy:  # and then corrupted
        copy.seek(-1, os.SEEK_END)
        copy.write(b"x")
    warehouse.publish(settings)
    assert settings.snapshot.read_bytes() == settings.warehouse.read_bytes()


OFFENCES = {
    "calls_are_unique": "insert into core.calls select * from core.calls",
    "clip_files_exist": "insert into core.clips values ('k', 'a', 'greeting', 'good_example', 0, 2, null, 'clips/gone.ogg', true, now())",
    "coverage_follows_from_verdicts": "update core.evaluations set coverage_pct = 10",
    "decided_points_have_evidence": "update core.verdicts set start_s = null",
    "graded_calls_are_complete": "delete from core.evaluations",
    "intake_reconciles": "insert into core.received values ('z', null)",
    "no_card_numbers": "update core.turns set text = text || ' 4111 1111 1111 1111'",
    "no_long_numbers": "update core.turns set text = text || ' 123456789012'",
    "passes_have_a_quote": "update core.verdicts set quote = null",
    "points_fit_their_verdict": "update core.verdicts set verdict = 'unsure'",
    "rejected_has_a_reason": "update core.calls set status = 'quarantined'",
    "quotes_stand_in_their_turn": "update core.findings set quote = 'дурак' where kind = 'abuse'",
    "recordings_are_graded_once": "insert into core.calls select * replace ('b' as call_id) from core.calls",
    "rows_are_unique": "insert into core.turns select * from core.turns",
    "rows_belong_to_graded_calls": "insert into core.holds values ('z', 0, 1, 'music')",
    "scores_follow_from_verdicts": "update core.evaluations set score_pct = 60",
    "times_lie_within_the_call": "update core.holds set end_s = 99",
    "turns_referred_to_exist": "update core.findings set turn_no = 7",
}


def test_every_check_has_an_offence_here() -> None:
    assert set(OFFENCES) == {file.stem for file in (warehouse_file.SQL / "checks").glob("*.sql")}


def test_a_sound_warehouse_offends_no_check(settings: Settings, loaded: Path) -> None:
    shutil.copy(loaded, settings.warehouse)
    assert not [result for result in warehouse.check(settings) if result.offenders]


@pytest.mark.parametrize("name", sorted(OFFENCES))
def test_a_check_notices_its_offence(settings: Settings, loaded: Path, name: str) -> None:
    shutil.copy(loaded, settings.warehouse)
    change(settings, OFFENCES[name])
    offended = {result.name: result for result in warehouse.check(settings) if result.offenders}
    assert name in offended
    assert str(offended[name]).startswith(offended[name].level.upper())


def test_a_second_writer_waits_and_then_says_so(settings: Settings) -> None:
    batch = stage(settings, "b", [call("a")])
    with (
        warehouse_file.write_lock(settings),
        pytest.raises(TransientError, match=rf"Another process \({os.getpid()} on .+\) has been writing"),
    ):
        warehouse.load(batch, settings, timeout_s=0.3)
    assert warehouse.load(batch, settings)


def test_a_program_that_has_the_file_open_is_named_as_the_cause(settings: Settings, loaded: Path) -> None:
    shutil.copy(loaded, settings.warehouse)
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


def test_only_clips_whose_file_and_call_are_there_are_published(settings: Settings, loaded: Path) -> None:
    shutil.copy(loaded, settings.warehouse)
    at = call("a").started_at
    assert at is not None
    clips = [
        Clip(i, c, "greeting", "good_example", 0.0, 2.0, None, f"clips/{i}.ogg", True, at) for i, c in (("k", "a"), ("l", "a"), ("m", "z"))
    ]
    staging.write_records(settings.site / "clips.parquet", Clip, clips)
    settings.clips.mkdir()
    for name in ("k", "m"):
        (settings.clips / f"{name}.ogg").write_bytes(b"sound")
    warehouse.publish(settings)
    assert rows(settings.snapshot, "select clip_id, call_id from coaching_clips") == [("k", "a")]
