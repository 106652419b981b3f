"""Takes calls out for good: a client who asks for it, and calls whose time is over. Nothing of them is left, and they do not come back.

What is forgotten leaves the stage, the clips, the published copy, what the caller stores elsewhere and, last of all, the writer's file: a run
that was killed finds in there what it has still to do. DuckDB leaves deleted rows in free blocks, so both files are written anew without them.
Kept is the sha256 of each recording, so that one which still lies in the folder is rejected when it is received again, under an id that says
nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import duckdb
import polars as pl

from pipelines.core import staging
from pipelines.core.records import Call, Clip, Rejection
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings, now
from pipelines.core.staging import Batch
from pipelines.warehouse import lake, rewriting
from pipelines.warehouse.file import (
    disk_errors_explained,
    migrate,
    open_for_reading,
    write_lock,
    writers_connection,
)

MARK = ".forgotten"  # beside the published copy: written anew whenever calls were taken out of it, so that a server stops showing the one of before
ON_REQUEST = "Forgotten on request"
PAST_ITS_TIME = "Forgotten because its time was over"
_OF_A_CONFLICT = re.compile(r"~[0-9a-f]{8}$")  # what `conflicts` adds to the id of a call whose id another recording bears
log = logging.getLogger("callgrade")


@dataclass(frozen=True, slots=True)
class ForgottenCall:
    """A call that is forgotten; the sha256 of its recording is not known where none was found."""

    call_id: str
    recording_sha256: str | None


Elsewhere = Callable[[Sequence[ForgottenCall]], None]


def erase_client(settings: Settings, client_ref: str, elsewhere: Elsewhere | None = None) -> list[Path]:
    """Forget every call of a client, loaded or only staged; returns the clip files that went with them.

    `elsewhere` is told the loaded calls once readers no longer see them and while the writer's file still holds them; it must remove what else is stored
    of them, and may be told the same calls again by the run after one that was killed.
    """
    return _forget(settings, "client_ref = ?", client_ref, lambda call: call.client_ref == client_ref, ON_REQUEST, elsewhere)


def forget_before(settings: Settings, day: date, elsewhere: Elsewhere | None = None) -> list[Path]:
    """Forget every call that began (or, without a start time, was loaded) before a day in UTC; returns the clip files that went with them.

    For `elsewhere` see `erase_client`.
    """
    midnight = datetime.combine(day, time(), UTC)
    condition = "coalesce(started_at, loaded_at) < cast(? as timestamptz)"
    return _forget(
        settings,
        condition,
        midnight.isoformat(),
        lambda call: call.started_at is not None and call.started_at < midnight,
        PAST_ITS_TIME,
        elsewhere,
    )


def reject_forgotten(settings: Settings, calls: Sequence[Call], rejected: Sequence[Rejection]) -> tuple[list[Call], list[Rejection]]:
    """What was received without the calls that were forgotten; those are among what was rejected, as rows that name nobody."""
    with open_for_reading(settings) as db, suppress(duckdb.CatalogException):  # an older version never forgot a recording
        if db is not None:
            return without_forgotten(db, calls, rejected)
    return list(calls), list(rejected)


def without_forgotten(
    db: duckdb.DuckDBPyConnection, calls: Sequence[Call], rejected: Sequence[Rejection]
) -> tuple[list[Call], list[Rejection]]:
    """As `reject_forgotten`, asked of an open warehouse."""
    rows: list[Call | Rejection] = [*calls, *rejected]
    asked = pl.DataFrame(
        {
            "n": range(len(rows)),
            "recording_sha256": [row.recording_sha256 for row in rows],
            "call_id_sha256": [None if row.recording_sha256 else call_id_sha256(row.call_id) for row in rows],
        },
        schema={"n": pl.Int64, "recording_sha256": pl.String, "call_id_sha256": pl.String},
    )
    db.register("asked", asked)
    found = db.execute(
        """select a.n, min(coalesce(f.recording_sha256, f.call_id_sha256)), min(f.reason)
           from asked as a
           join store.forgotten as f on f.recording_sha256 = a.recording_sha256 or f.call_id_sha256 = a.call_id_sha256
           group by a.n"""
    ).fetchall()
    db.unregister("asked")
    known = {n: (digest, reason) for n, digest, reason in found}
    for n, (digest, reason) in known.items():
        why = Reason(Key.FORGOTTEN_PAST_ITS_TIME) if reason == PAST_ITS_TIME else Reason(Key.FORGOTTEN_ON_REQUEST)
        rows[n] = Rejection.because(why, "intake", f"forgotten:{digest[:16]}", rows[n].centre_id, None, rows[n].recording_sha256)
    return [row for row in rows if isinstance(row, Call)], [row for row in rows if isinstance(row, Rejection)]


def forget_in_stage(batch: Batch, calls: Sequence[Call], rejected: Sequence[Rejection]) -> None:
    """Remove from a batch the rows of calls and of what was rejected, and no others."""
    meant: list[Call | Rejection] = [*calls, *rejected]
    gone = {(row.call_id, row.recording_sha256) for row in meant}
    shas = {sha256 for _, sha256 in gone if sha256}
    staged: list[Call | Rejection] = [*batch.read("calls"), *batch.rejected()]
    ids = {row.call_id for row in staged if (row.call_id, row.recording_sha256) in gone or row.recording_sha256 in shas}
    if ids:
        batch.forget(ids)


def _forget(
    settings: Settings, condition: str, value: str, is_meant: Callable[[Call], bool], reason: str, elsewhere: Elsewhere | None
) -> list[Path]:
    if settings.lake is None and not settings.warehouse.exists() and not settings.stage.exists():
        return []
    with write_lock(settings), disk_errors_explained(settings.warehouse):
        _remove_empty_batches(settings)
        with writers_connection(settings) as db:
            migrate(db)
            found = db.execute(f"select call_id, recording_sha256, recording from store.calls where {condition}", [value]).fetchall()
            loaded = [ForgottenCall(call_id, sha256) for call_id, sha256, _ in found]
            batches = [Batch(file.parent) for file in sorted(settings.stage.glob("*/calls.parquet")) if staging.is_whole(file)]
            staged: list[Call] = [call for batch in batches for call in batch.read("calls") if is_meant(call)]
            gone = {*loaded, *(ForgottenCall(call.call_id, call.recording_sha256) for call in staged)}
            if not gone:
                if settings.lake is not None:
                    lake.leave_nothing_behind(db)  # what a killed run had deleted already
                return []
            _remember(db, gone, reason)  # first: whatever stops this run, they cannot come back
            db.execute("checkpoint")  # no write-ahead log may be left to meet the fresh file
        _remove_fetched(settings, [*(recording for *_, recording in found if recording), *(call.recording for call in staged)])
        calls = [Call(one.call_id, "", "", one.recording_sha256 or "", 0, None) for one in gone]
        missing = [Rejection(one.call_id, "", "quarantined", "") for one in loaded]
        for batch in batches:
            forget_in_stage(batch, calls, missing)
        ids = {one.call_id for one in loaded}  # an id of the stage alone may be another's in here
        _remove_unreadable(settings, ids)
        clips = _remove_clips(settings, ids)
        for report in settings.site.glob("regrade.*"):  # names calls, theirs perhaps; the command writes it anew
            report.unlink(missing_ok=True)
        rewriting.write_anew(settings.snapshot, sorted(ids))
        if settings.snapshot.exists():
            staging.write_whole(settings.snapshot.with_name(MARK), b"")
        if elsewhere is not None:
            elsewhere(loaded)
        rewriting.write_anew(settings.warehouse, sorted(ids))
        if settings.lake is not None:
            with writers_connection(settings) as db:
                rewriting.delete(db, sorted(ids))
                lake.leave_nothing_behind(db)
    log.info("forgotten: %d calls", len(loaded))
    return clips


def _remove_empty_batches(settings: Settings) -> None:
    """Remove what a run that was killed while forgetting left of a batch: nobody's rows, and no file that says whose they were."""
    for folder in sorted(settings.stage.glob("*/")):
        calls = folder / "calls.parquet"
        if staging.is_whole(calls) if calls.exists() else not any(f.is_file() for f in folder.rglob("*")):
            Batch(folder).remove_if_empty()


def _remember(db: duckdb.DuckDBPyConnection, gone: set[ForgottenCall], reason: str) -> None:
    moment = now()
    rows = [(one.recording_sha256, call_id_sha256(one.call_id), reason, moment) for one in sorted(gone, key=lambda g: g.call_id)]
    new = pl.DataFrame(
        rows,
        schema={"recording_sha256": pl.String, "call_id_sha256": pl.String, "reason": pl.String, "forgotten_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    db.register("new_forgotten", new)
    db.execute(
        """insert into store.forgotten
           select * from new_forgotten as n
           where not exists (
               select 1 from store.forgotten as f
               where f.call_id_sha256 = n.call_id_sha256 and f.recording_sha256 is not distinct from n.recording_sha256)"""
    )


def _remove_clips(settings: Settings, ids: set[str]) -> list[Path]:
    """Remove the clips of these calls with their side-cars, and half-written ones of any call."""
    sounds = []
    for file in sorted(settings.clips.glob("*")):
        if file.name.startswith("."):
            file.unlink()
        elif file.suffix == ".json" and json.loads(file.read_text(encoding="utf-8"))["call_id"] in ids:
            sounds.append(file.with_suffix(".ogg"))
    rows = settings.site / "clips.parquet"
    if staging.is_whole(rows):
        clips = staging.read_records(rows, Clip)
        sounds += [settings.site / clip.path for clip in clips if clip.call_id in ids]
        if any(clip.call_id in ids for clip in clips):
            staging.write_records(rows, Clip, [clip for clip in clips if clip.call_id not in ids])
    for sound in set(sounds):
        sound.unlink(missing_ok=True)
        sound.with_suffix(".json").unlink(missing_ok=True)  # last: it is what tells a killed run whose sound this is
    return sorted(set(sounds))


def _remove_fetched(settings: Settings, recordings: Sequence[str]) -> None:
    """Remove the copies of recordings that were fetched from a source; recordings elsewhere are their keeper's."""
    for recording in recordings:
        path = Path(recording).resolve()
        if path.is_relative_to(settings.inbox.resolve()):
            path.unlink(missing_ok=True)


def _remove_unreadable(settings: Settings, ids: set[str]) -> None:
    """Remove what a crash left in the stage and nobody can read by its calls: files of dead writers, and calls of batches whose list is cut short."""
    staging.remove_abandoned(settings.stage)
    for folder in sorted(settings.stage.glob("*/")):
        if (folder / "calls.parquet").exists() and not staging.is_whole(folder / "calls.parquet"):
            Batch(folder).forget(ids)


def call_id_sha256(call_id: str) -> str:
    """A call's id, as the log had it, in the way in which the warehouse stores it of a call that was forgotten."""
    return hashlib.sha256(_OF_A_CONFLICT.sub("", call_id).encode()).hexdigest()
