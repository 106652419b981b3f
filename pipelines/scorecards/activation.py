"""Activates drafts from a day on, undoes activations, and regrades a span of days by the newest version once that is approved.

A profile stays a file: activation writes the draft as `ID.yaml` in the folder of profiles, keeps every version in `ID.versions`, and adds
an entry to the log there, which says which version judges which days (`core.profile_history`). Accounts are given by name.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from models import atomic_files, private_files
from pipelines.app_db.database import AppDatabase, Row, present
from pipelines.centres.profile import Centre, centre_in_version, load_centre
from pipelines.core import profile_history, staleness
from pipelines.core.profile_files import SUFFIX
from pipelines.core.profile_history import Entry
from pipelines.core.settings import Settings, centres_folder, now
from pipelines.core.staging import PENDING, Batch
from pipelines.scorecards.drafts import check_base, current_file, profile_of
from pipelines.scorecards.editing import SetScorecard, edit
from pipelines.scorecards.errors import ScorecardError

_HEAD = "# Which version of the profile judges which days; the latest entry that covers a day counts. Written by Callgrade.\n"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a centre's profile. `activated_at` (seconds since 1970) and `activated_by` are None for one written by hand."""

    version: str
    effective_from: date
    activated_at: float | None
    activated_by: str | None
    path: Path
    is_current: bool  # the newest one, also before its first day


@dataclass(frozen=True, slots=True)
class RegradeRequest:
    """A request to judge the calls of some local days again; `done_at` without `approved_at` means declined."""

    request_id: int
    centre_id: str
    first_day: date
    last_day: date
    version: str
    requested_by: str
    requested_at: float
    approved_by: str | None
    approved_at: float | None
    done_at: float | None


def activate(settings: Settings, db: AppDatabase, centre_id: str, effective_from: date, by: str) -> str:
    """Make the draft of a centre its newest version, in force from a local day on that is not past; returns the version.

    Raises:
        MisconfiguredError: there is no draft, it is not valid, the day is past, or no folder of profiles is set.
        ConflictError: the profile was changed since the draft was begun.
    """
    _check_day(centre_id, effective_from)
    with _locked(centre_id) as path, db.writing() as connection:
        text = check_base(connection, centre_id)
        version = _put_in_force(path, centre_id, text, Entry(version="", first_day=effective_from, at=now(), by=by))
        connection.execute("delete from scorecard_drafts where centre_id = ?", [centre_id])
    _offer_stale(settings, centre_id)
    return version


def undo(settings: Settings, db: AppDatabase, centre_id: str, by: str) -> str:
    """Write the version before the newest one as a new version; returns it.

    It is in force from today on, or from the day of the undone version where that is later. Raises ScorecardError when there is no
    version before.
    """
    with _locked(centre_id) as path, db.writing():
        log = _activations(path)
        if len(log) < 2:
            raise ScorecardError("sc_err_no_earlier", centre=centre_id, version=profile_history.facts(path).version)
        _record(path)
        text = profile_history.file_of(path, log[-2].version).read_bytes().decode()
        day = max(today(centre_id), log[-1].first_day or date.min)
        version = _put_in_force(path, centre_id, text, Entry(version="", kind="undo", first_day=day, at=now(), by=by))
    _offer_stale(settings, centre_id)
    return version


def history(settings: Settings, centre_id: str) -> list[Version]:
    """The versions of a centre's profile, the newest first. Raises MisconfiguredError for a centre without a profile."""
    path = current_file(centre_id)
    newest = profile_history.facts(path)
    log = _activations(path) or [Entry(version=newest.version, kind="by_hand", first_day=newest.effective_from)]
    found = []
    for entry in reversed(log):
        file = profile_history.file_of(path, entry.version)
        day = entry.first_day or profile_history.facts(file).effective_from or date.min
        at, by = (entry.at.timestamp(), entry.by) if entry.at and entry.kind != "by_hand" else (None, None)
        found.append(Version(entry.version, day, at, by, file, is_current=entry.version == newest.version))
    return found


def load_version(centre_id: str, version: str) -> Centre:
    """The profile as it was in a version; the newest one where that was not kept. Raises MisconfiguredError as `load_centre` does."""
    return centre_in_version(centre_id, version)


def today(centre_id: str) -> date:
    """The local day of a centre."""
    return now().astimezone(load_centre(centre_id).timezone).date()


def request_regrade(settings: Settings, db: AppDatabase, centre_id: str, first_day: date, last_day: date, by: str) -> int:
    """Request that the calls of some local days are judged again by the newest version; returns the id of the request.

    Raises ScorecardError when the days are in the wrong order.
    """
    if first_day > last_day:
        raise ScorecardError("sc_err_swapped", first=first_day, last=last_day)
    version = profile_history.facts(current_file(centre_id)).version
    with db.writing() as connection:
        cursor = connection.execute(
            """insert into regrade_requests (centre_id, first_day, last_day, version, requested_by, requested_at) values (?, ?, ?, ?, ?, ?)""",
            [centre_id, first_day.isoformat(), last_day.isoformat(), version, by, present()],
        )
    return int(cursor.lastrowid or 0)


def regrade_requests(db: AppDatabase, centre_id: str) -> list[RegradeRequest]:
    """The requests for a centre, the newest first."""
    return [_request(row) for row in db.rows("select * from regrade_requests where centre_id = ? order by request_id desc", centre_id)]


def approve_regrade(settings: Settings, db: AppDatabase, request_id: int, by: str) -> None:
    """Approve a request: the version judges these days from now on, and their batches are marked for the next run of `grade_calls`.

    Raises ScorecardError when the request is decided already, when another version became the newest one since, or when no folder of
    profiles is set.
    """
    asked = _open_request(db, request_id)
    with _locked(asked.centre_id) as path, db.writing() as connection:
        newest = profile_history.facts(path).version
        if newest != asked.version:
            raise ScorecardError("sc_err_other_newest", version=asked.version, newest=newest)
        cursor = connection.execute(
            "update regrade_requests set approved_by = ?, approved_at = ? where request_id = ? and approved_at is null and done_at is null",
            [by, present(), request_id],
        )
        if cursor.rowcount != 1:
            raise ScorecardError("sc_err_decided")
        log = _record(path)
        entry = Entry(
            version=newest,
            kind="regrade",
            first_day=asked.first_day,
            last_day=asked.last_day,
            at=now(),
            by=by,
            requested_by=asked.requested_by,
        )
        _write_log(path, [*log, entry])
    _offer_stale(settings, asked.centre_id)


def decline_regrade(db: AppDatabase, request_id: int, by: str) -> None:
    """Decline or withdraw a request. Raises ScorecardError when it is decided already."""
    _open_request(db, request_id)
    with db.writing() as connection:
        connection.execute(
            "update regrade_requests set declined_by = ?, done_at = ? where request_id = ? and approved_at is null and done_at is null",
            [by, present(), request_id],
        )


def note_regraded(settings: Settings, db: AppDatabase) -> None:
    """Record which approved requests are done: no batch with calls of their days is out of date any more."""
    waiting = [_request(row) for row in db.rows("select * from regrade_requests where approved_at is not null and done_at is null")]
    for asked in waiting:
        if not any(_batches(settings, asked.centre_id, asked.first_day, asked.last_day)):
            with db.writing() as connection:
                connection.execute("update regrade_requests set done_at = ? where request_id = ?", [present(), asked.request_id])


def _check_day(centre_id: str, effective_from: date) -> None:
    nearest = today(centre_id)
    if effective_from < nearest:
        raise ScorecardError("sc_err_past", near=nearest)


@contextmanager
def _locked(centre_id: str) -> Iterator[Path]:
    """The file of a centre's profile in the folder of profiles, copied there from the package if it is missing, locked against others."""
    folder = centres_folder()
    source = current_file(centre_id)
    if folder is None or not folder.is_dir():
        raise ScorecardError("sc_err_no_folder", centre=centre_id)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        path = folder / f"{centre_id}{SUFFIX}"
        if not path.is_file():
            atomic_files.write(path, source.read_bytes())
        yield path
    finally:
        os.close(handle)


def _put_in_force(path: Path, centre_id: str, text: str, entry: Entry) -> str:
    """Write a text as the next version, with its entry in the log; at any moment the files say the same about every earlier day."""
    log = _record(path)
    version = _next_version(profile_history.facts(path).version, profile_history.known_versions(log))
    day = entry.first_day or date.min
    text = edit(text, [SetScorecard("version", version), SetScorecard("effective_from", day.isoformat())])
    profile_of(centre_id, text)
    content = text.encode()
    atomic_files.write(profile_history.archived(path, version), content)
    atomic_files.write(path, content)
    _write_log(path, [*log, entry.model_copy(update={"version": version})])
    return version


def _record(path: Path) -> list[Entry]:
    """Keep the newest version with the others, as it is now, and see that the log has it; returns the log."""
    newest, log = profile_history.facts(path), list(profile_history.history(path))
    private_files.make_folder(profile_history.folder_of(path))
    atomic_files.write(profile_history.archived(path, newest.version), path.read_bytes())
    if not log:
        log = [Entry(version=newest.version, kind="by_hand")]
    _write_log(path, log)
    return log


def _write_log(path: Path, log: Collection[Entry]) -> None:
    rows: list[dict[str, Any]] = [entry.model_dump(mode="json", exclude_defaults=True) | {"version": entry.version} for entry in log]
    ordered = [{"version": row["version"], **row} for row in rows]
    text = _HEAD + yaml.safe_dump({"entries": ordered}, sort_keys=False, allow_unicode=True)
    atomic_files.write(profile_history.folder_of(path) / profile_history.LOG, text.encode())


def _activations(path: Path) -> list[Entry]:
    return [entry for entry in profile_history.history(path) if entry.kind != "regrade"]


def _next_version(version: str, known: Collection[str]) -> str:
    """The version with its last number increased, past any that is known."""
    match = re.fullmatch(r"(.*?)(\d+)", version, re.DOTALL)
    head, number = (match[1], int(match[2])) if match else (f"{version}.", 1)
    while (found := f"{head}{number + 1}") in known:
        number += 1
    return found


def _offer_stale(settings: Settings, centre_id: str) -> None:
    """Mark the batches whose calls another version judges now, for the next run to judge."""
    for batch in _batches(settings, centre_id):
        (batch.folder / PENDING).touch()


def _batches(settings: Settings, centre_id: str, first_day: date = date.min, last_day: date = date.max) -> Iterator[Batch]:
    """The staged batches with calls of a centre in a span of days whose verdicts are out of date."""
    zone = profile_history.facts(current_file(centre_id)).timezone
    for file in sorted(settings.stage.glob("*/verdicts.parquet")):
        batch = Batch(file.parent)
        calls = pl.read_parquet(batch.path("calls"), columns=["centre_id", "started_at"]).filter(pl.col("centre_id") == centre_id)
        days = {started.astimezone(zone).date() for started in calls["started_at"].drop_nulls()}
        if any(first_day <= day <= last_day for day in days) and not staleness.is_current("score", batch, settings.profile):
            yield batch


def _open_request(db: AppDatabase, request_id: int) -> RegradeRequest:
    rows = db.rows("select * from regrade_requests where request_id = ?", request_id)
    if not rows or rows[0]["approved_at"] is not None or rows[0]["done_at"] is not None:
        raise ScorecardError("sc_err_decided") if rows else ScorecardError("sc_err_no_request", n=request_id)
    return _request(rows[0])


def _request(row: Row) -> RegradeRequest:
    values = {name: row[name] for name in RegradeRequest.__slots__}
    return RegradeRequest(**values | {name: date.fromisoformat(row[name]) for name in ("first_day", "last_day")})
