"""The commands that are run, killed and run again: scenes of a centre's days, and the expected final result of each."""

from __future__ import annotations

import filecmp
import hashlib
import importlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines import flow
from pipelines.__main__ import main
from pipelines.centres.profile import load_centre
from pipelines.coaching import clip_extraction
from pipelines.core import versions
from pipelines.core.errors import CallgradeError
from pipelines.core.profile_files import centre_ids
from pipelines.core.records import Turn, TurnSentiment
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.i18n.wording import wording
from pipelines.redact import step as redact
from pipelines.reports import templating
from pipelines.score import signals
from pipelines.score import step as evaluate
from pipelines.turns import step as turns
from pipelines.turns.model_reading import NOTHING_READ, ModelReading
from tests.crash.made_day import SAID, judge_once, make_recordings, stage_recordings, write_recognised

EPOCH = "1772600000"  # a moment of March 2026: two runs are compared to the byte
WAREHOUSE = "w.duckdb"
SMALL_BATCH_MIN = 0.2  # of sound: each call is a batch of its own


@dataclass(frozen=True, slots=True)
class Scene:
    """One piece of work on a folder: how the folder stands before it, and the work, which is run again until it comes to its end."""

    name: str
    work: Callable[[Path, Path], int]  # (folder of recordings, folder of the warehouse)
    after_day_one: bool = True  # whose calls are graded and published then
    prepare: Callable[[Path, Path], None] | None = None


def _read_plainly(turns: Sequence[Turn], *_: Any, **__: Any) -> list[TurnSentiment]:
    """Stands in for the turn model: what a sentence feels like has no part in a crash."""
    return [TurnSentiment(turn.call_id, turn.turn_no, "positive" if "спасибо" in turn.text.lower() else "neutral", 0.8) for turn in turns]


def _read_nothing(calls: Sequence[Any], *_: Any) -> list[ModelReading]:
    """Stands in for the turn model, which took half of a run to load: what it reads has no part in a crash either."""
    return [NOTHING_READ for _ in calls]


HEARS_AGAIN: set[str] = set()  # call ids that may be transcribed again, because their transcription was interrupted


def _heard_before(batch: Batch, settings: Settings) -> None:
    """Stands in for the slow steps, of which nothing may be asked again but to write that there is nothing."""
    if {call.call_id for call in batch.calls()} - HEARS_AGAIN:
        raise AssertionError(f"The calls {[call.call_id for call in batch.calls()]} were heard before, and are to be heard again.")
    write_recognised(batch)


JUDGED: dict[tuple[str, str, str], Any] = {}  # what was judged of a call in an undisturbed run: crashes cannot change it


def _judged_before(name: str, judge: Callable[..., Any]) -> Callable[..., Any]:
    """A judge that answers from `JUDGED` where it can."""

    def answer(*given: Any, **named: Any) -> Any:
        call_id = given[0].call_id if hasattr(given[0], "call_id") else given[0][0].call_id
        key = (name, call_id, versions.graded_by("offline"))
        if key not in JUDGED:
            JUDGED[key] = judge(*given, **named)
        return JUDGED[key]

    return answer


def _connect_with_one_thread(*given: Any, _connect: Callable[..., Any] = duckdb.connect, **named: Any) -> Any:
    connection = _connect(*given, **named)
    connection.execute("set threads = 1")
    return connection


def warm_up() -> None:
    """Load all that children would load each for itself, and starts no thread."""
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    for module, name, stand_in in (
        (signals, "judge_sentiment", _read_plainly),
        (evaluate, "read_calls", _read_nothing),
        (redact, "read_calls", _read_nothing),
    ):
        setattr(module, name, stand_in)
    for name in ("audio", "transcribe", "diarize"):
        flow.STEPS[name] = _heard_before
    for module in ("av", "pandas", "pyarrow.compute", "pytz"):
        importlib.import_module(module)
    wording("ru")
    for centre_id in centre_ids():
        load_centre(centre_id)
    for call_id in SAID:
        judge_once(call_id)
    clip_extraction.PER_CALL = 1
    duckdb.connect = _connect_with_one_thread
    for module, name in ((turns, "turns_of_call"), (redact, "redact_turns"), (evaluate, "score_call")):
        setattr(module, name, _judged_before(name, getattr(module, name)))
    for template in templating.environment().list_templates():
        templating.environment().get_template(template)
    versions.graded_by("offline")


def settings_of(folder: Path) -> Settings:
    """The settings of the scenes: small batches, so that a day has two of them."""
    return Settings.from_environment(warehouse=folder / WAREHOUSE, batch_audio_min=SMALL_BATCH_MIN, retention_days=20_000)


def grade(recordings: Path, folder: Path) -> int:
    """`callgrade grade` on a folder; its exit status."""
    os.environ["CALLGRADE_BATCH_AUDIO_MIN"] = str(SMALL_BATCH_MIN)
    os.environ["CALLGRADE_RETENTION_DAYS"] = "20000"
    return main(["grade", str(recordings), "--warehouse", str(folder / WAREHOUSE)])


def _day_one(recordings: Path, folder: Path) -> None:
    make_recordings(recordings / "day1", ("d1-a", "d1-b"), also_wrong=True)
    stage_recordings(settings_of(folder), recordings / "day1")


def day_one_graded(recordings: Path, folder: Path) -> None:
    """A folder whose first day is graded and published."""
    _day_one(recordings, folder)
    assert grade(recordings / "day1", folder) == 0


def _day_two(recordings: Path, folder: Path) -> None:
    make_recordings(recordings / "day2", ("d2-a",), also_wrong=True)
    stage_recordings(settings_of(folder), recordings / "day2")


def _new_rules(recordings: Path, folder: Path) -> int:
    """What `regrade_calls`, `grade_calls` and `publish_scorecards` do, in one process."""
    versions.graded_by = lambda profile, *_: "newer rules"  # type: ignore[assignment]
    versions.digests = lambda step, profile, _now=versions.digests, **given: (
        {"rules": "newer"} if step == "score" else _now(step, profile, **given)
    )  # type: ignore[assignment]
    settings = settings_of(folder)
    flow.offer_again(settings)
    for batch in flow.pending(settings):
        flow.load(Batch(flow.judge(Path(batch), settings)), settings)
    flow.publish(settings, flow.recordings(settings))
    return 0


def _erase(recordings: Path, folder: Path) -> int:
    """What `erase_client` and `publish_scorecards` do."""
    settings = settings_of(folder)
    flow.erase_client(settings, "client-d1-a")
    flow.publish(settings, flow.recordings(settings))
    return 0


def _told(work: Callable[[Path, Path], int]) -> Callable[[Path, Path], int]:
    """The work as a task of a Dag: an error that is made for a person ends it."""

    def task(recordings: Path, folder: Path) -> int:
        try:
            return work(recordings, folder)
        except CallgradeError as error:
            print(error)
            return 1

    return task


SCENES = {
    scene.name: scene
    for scene in (
        Scene("first day", lambda recordings, folder: grade(recordings / "day1", folder), after_day_one=False, prepare=_day_one),
        Scene("second day", lambda recordings, folder: grade(recordings / "day2", folder), prepare=_day_two),
        Scene("new rules", _told(_new_rules)),
        Scene("erased client", _told(_erase)),
    )
}


def outcome(folder: Path) -> dict[str, str]:
    """All that must be the same after a crash: every row of every table of both files, the text of their views, and every other file."""
    settings = settings_of(folder)
    written = _tables(settings.warehouse)
    read = written if filecmp.cmp(settings.warehouse, settings.snapshot, shallow=False) else _tables(settings.snapshot)
    found = {f"{name} {table}": rows for name, tables in (("warehouse", written), ("snapshot", read)) for table, rows in tables.items()}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            name = str(file.relative_to(folder))
            is_read_elsewhere = file in (settings.warehouse, settings.snapshot) or file.name == "writer.lock"
            found[name] = "there" if is_read_elsewhere else hashlib.sha256(file.read_bytes()).hexdigest()
        else:
            found[f"{file.relative_to(folder)}/"] = "there"
    return found


def _tables(path: Path) -> dict[str, str]:
    """What a file holds. A view says what its tables and its own text make it say, so its rows need no look of their own."""
    with duckdb.connect(str(path), read_only=True) as db:
        names = db.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
        views = db.execute("select view_name || ': ' || sql from duckdb_views() where not internal").fetchall()
        found = {name: "\n".join(sorted(_line(row) for row in db.execute(f"from {name}").fetchall())) for (name,) in names}
    return found | {"views": "\n".join(sorted(text for (text,) in views))}


def _line(row: tuple[Any, ...]) -> str:
    """A row as text; the last digits of a sum depend on the order of its parts, so they are left out."""
    return str([f"{value + 0.0:.9g}" if isinstance(value, float) else value for value in row])  # no zero below zero


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """What is lost, too much or other than expected; empty where nothing is."""
    lines = [f"lost: {name}" for name in sorted(expected.keys() - found.keys())]
    lines += [f"left behind: {name}" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(found.keys() & expected.keys()):
        if found[name] != expected[name]:
            lines.append(f"differs: {name}")
            was, is_now = expected[name].splitlines(), found[name].splitlines()
            lines += [f"  - {row[:300]}" for row in was if row not in is_now][:4] + [
                f"  + {row[:300]}" for row in is_now if row not in was
            ][:4]
    return lines


def copy(source: Path, target: Path) -> Path:
    """A fresh copy of a prepared folder."""
    shutil.rmtree(target, ignore_errors=True)
    return shutil.copytree(source, target)
