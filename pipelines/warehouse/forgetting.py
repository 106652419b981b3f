"""Erases calls permanently: on a client's request, or when their retention period ends.

Forgotten calls are removed from the stage, the clips, the published copy, the caller's other stores and, last, the warehouse file, so
that a run after one that was killed finds there what is left to do. DuckDB keeps deleted rows in free blocks, so both files are rewritten
without them. Only the sha256 of each recording stays, so that a recording that is still in the folder is rejected when it is received
again, under an id that reveals nothing.
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
from pipelines.core.published import Published
from pipelines.core.records import Call, Clip, Rejection
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings, now
from pipelines.core.staging import Batch
from pipelines.warehouse import lake, rewriting
from pipelines.warehouse.file import (
    core_schema,
    disk_errors_explained,
    migrate,
    open_for_reading,
    write_lock,
    writers_connection,
)

MARK = ".forgotten"  # beside the published copy; rewritten whenever calls are removed, so that a server stops serving the previous copy
ON_REQUEST = "Forgotten on request"
PAST_ITS_TIME = "Forgotten because its time was over"
_OF_A_CONFLICT = re.compile(r"~[0-9a-f]{8}$")  # what `conflicts` appends to the id of a call whose id belongs to another recording
log = logging.getLogger("callgrade")


@dataclass(frozen=True, slots=True)
class ForgottenCall:
    """A forgotten call; the sha256 of its recording is None where it is not known."""

    call_id: str
    recording_sha256: str | None


Elsewhere = Callable[[Sequence[ForgottenCall]], None]


def erase_client(settings: Settings, client_ref: str, elsewhere: Elsewhere | None = None) -> list[Path]:
    """Forget every call of a client, loaded or only staged; return the clip files that were removed.

    `elsewhere` is called with the loaded calls when readers no longer see them and the warehouse file still holds them; it must remove
    whatever else is stored about them, and may get the same calls again from the run after one that was killed.
    """
    return _forget(settings, "client_ref = ?", client_ref, lambda call: call.client_ref == client_ref, ON_REQUEST, elsewhere)


def forget_before(settings: Settings, day: date, elsewhere: Elsewhere | None = None) -> list[Path]:
    """Forget every call that began (without a start time: was loaded) before a day in UTC; return the clip files that were removed.

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
    """Separate forgotten calls from the received ones; they become rejected rows without identifying data."""
    with open_for_reading(settings) as db, suppress(duckdb.CatalogException):  # an older version has no table of forgotten recordings
        if db is not None:
            return without_forgotten(db, calls, rejected)
    return list(calls), list(rejected)


def without_forgotten(
    db: duckdb.DuckDBPyConnection, calls: Sequence[Call], rejected: Sequence[Rejection]
) -> tuple[list[Call], list[Rejection]]:
    """`reject_forgotten` on an open warehouse."""
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
        f"""select a.n, min(coalesce(f.recording_sha256, f.call_id_sha256)), min(f.reason)
           from asked as a
           join {core_schema(db)}.forgotten as f on f.recording_sha256 = a.recording_sha256 or f.call_id_sha256 = a.call_id_sha256
           group by a.n"""
    ).fetchall()
    db.unregister("asked")
    known = {n: (digest, reason) for n, digest, reason in found}
    for n, (digest, reason) in known.items():
        why = Reason(Key.FORGOTTEN_PAST_ITS_TIME) if reason == PAST_ITS_TIME else Reason(Key.FORGOTTEN_ON_REQUEST)
        rows[n] = Rejection.because(why, "intake", f"forgotten:{digest[:16]}", rows[n].centre_id, None, rows[n].recording_sha256)
    return [row for row in rows if isinstance(row, Call)], [row for row in rows if isinstance(row, Rejection)]


def forgotten_ids(published: Published) -> set[str]:
    """The hashes, see `call_id_sha256`, of the ids of all forgotten calls."""
    return {
        row["call_id_sha256"]
        for row in published.rows(f"select distinct call_id_sha256 from {core_schema(published.connection)}.forgotten")
    }


def forget_in_stage(batch: Batch, calls: Sequence[Call], rejected: Sequence[Rejection]) -> None:
    """Remove the rows of these calls and rejected rows from a batch, and no others."""
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
            found = db.execute(f"select call_id, recording_sha256, recording from core.calls where {condition}", [value]).fetchall()
            loaded = [ForgottenCall(call_id, sha256) for call_id, sha256, _ in found]
            batches = [Batch(file.parent) for file in sorted(settings.stage.glob("*/calls.parquet")) if staging.is_whole(file)]
            staged: list[Call] = [call for batch in batches for call in batch.read("calls") if is_meant(call)]
            gone = {*loaded, *(ForgottenCall(call.call_id, call.recording_sha256) for call in staged)}
            if not gone:
                if settings.lake is not None:
                    lake.leave_nothing_behind(db)  # rows that a killed run has already deleted
                return []
            _remember(db, gone, reason)  # first: the calls cannot be loaded again, even if this run stops here
            db.execute("checkpoint")  # no write-ahead log may remain beside the new file
        _remove_fetched(settings, [*(recording for *_, recording in found if recording), *(call.recording for call in staged)])
        calls = [Call(one.call_id, "", "", one.recording_sha256 or "", 0, None) for one in gone]
        missing = [Rejection(one.call_id, "", "quarantined", "") for one in loaded]
        for batch in batches:
            forget_in_stage(batch, calls, missing)
        ids = {one.call_id for one in loaded}  # an id that is only staged may belong to another call here
        _remove_unreadable(settings, ids)
        clips = _remove_clips(settings, ids)
        for report in settings.site.glob("regrade.*"):  # the report names calls; the command writes it again
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
    """Remove batches that a run killed while forgetting left without rows, or without the list that names their calls."""
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
        """insert into core.forgotten
           select * from new_forgotten as n
           where not exists (
               select 1 from core.forgotten as f
               where f.call_id_sha256 = n.call_id_sha256 and f.recording_sha256 is not distinct from n.recording_sha256)"""
    )


def _remove_clips(settings: Settings, ids: set[str]) -> list[Path]:
    """Remove the clips of these calls with their sidecar files, and unfinished clips of any call."""
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
        sound.with_suffix(".json").unlink(missing_ok=True)  # last: it tells the run after a killed one which call the sound belongs to
    return sorted(set(sounds))


def _remove_fetched(settings: Settings, recordings: Sequence[str]) -> None:
    """Remove copies of recordings that were fetched from a source; recordings elsewhere belong to their owner."""
    for recording in recordings:
        path = Path(recording).resolve()
        if path.is_relative_to(settings.inbox.resolve()):
            path.unlink(missing_ok=True)


def _remove_unreadable(settings: Settings, ids: set[str]) -> None:
    """Remove staged files that a crash left unattributable: those of dead writers, and of batches with a truncated list."""
    staging.remove_abandoned(settings.stage)
    for folder in sorted(settings.stage.glob("*/")):
        if (folder / "calls.parquet").exists() and not staging.is_whole(folder / "calls.parquet"):
            Batch(folder).forget(ids)


def call_id_sha256(call_id: str) -> str:
    """The hash under which the warehouse stores the id, as in the call log, of a forgotten call."""
    return hashlib.sha256(_OF_A_CONFLICT.sub("", call_id).encode()).hexdigest()
