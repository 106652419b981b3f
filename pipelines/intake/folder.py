"""Reads a folder of recordings and its call log: the calls to grade, and rejections for everything else.

Every row of the log and every recording of the folder ends up in one of the two lists; nothing is dropped silently, so that the two
together are the denominator of every report.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path, PurePosixPath

from pipelines.centres.profile import NO_PROFILE, load_centre
from pipelines.core.errors import BadRecordingError, MisconfiguredError
from pipelines.core.printable import normalise_id, quoted
from pipelines.core.profile_files import centre_ids
from pipelines.core.records import Call, Medium, Rejection
from pipelines.core.rejections import Key, Reason
from pipelines.intake import transcripts
from pipelines.intake.call_log import CallLog, LogRow, RejectedRow, nearest, read_log
from pipelines.intake.ids import id_problem
from pipelines.intake.recordings import AUDIO_SUFFIXES, FoundFile, Recordings, leaves_folder

LOGGER = logging.getLogger("callgrade")
LOG_NAME = "calls.csv"
_SUFFIXES: Mapping[Medium, frozenset[str]] = {"recording": AUDIO_SUFFIXES, "transcript": frozenset({transcripts.SUFFIX})}
_NOTES_LOGGED = 20


@dataclass(frozen=True, slots=True)
class Intake:
    """The contents of a folder. Call ids are unique over both lists, and the same folder always gives the same ids."""

    calls: list[Call]
    rejected: list[Rejection]
    notes: list[str]  # irregularities of the log that cost no call; the first has encoding and delimiter
    log: Path | None = None


@dataclass(slots=True)
class _Sorting:
    """The two lists under construction, and the state that distinguishes repeats from conflicts."""

    recordings: Recordings
    place: str  # the name of the log in generated ids: its file name
    calls: dict[str, Call] = field(default_factory=dict)
    line_of: dict[str, int] = field(default_factory=dict)  # call id → its line
    by_sha256: dict[str, str] = field(default_factory=dict)  # sha256 → call id
    line_of_digest: dict[str, int] = field(default_factory=dict)
    claimed: set[Path] = field(default_factory=set)  # files that some row refers to
    rejected: list[tuple[str, Rejection]] = field(default_factory=list)  # with the suffix that makes the id unique if it is taken


def read_folder(folder: Path, log: Path | None = None, centre: str | None = None, *, medium: Medium = "recording") -> Intake:
    """The calls of a folder, and the rejections.

    Args:
        folder: recordings at any depth.
        log: the call log, if it is not `folder/calls.csv`.
        centre: the centre of rows without one (by default that of a log without such a column: the profile `general`); without any call log
            it is the centre of every recording, whose file name is its call id.
        medium: what the folder contains: recordings, or transcripts `CALL_ID.json` in their place.

    Raises MisconfiguredError when the folder, its log or the centre does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        raise MisconfiguredError(f"There is no readable folder {folder}; give the folder with the recordings and their call log.")
    known = centre_ids()
    if centre is not None and centre not in known:
        raise MisconfiguredError(f"The centre {centre!r} is not known{nearest(centre, known)}; allowed are {', '.join(known)}.")
    log = Path(log) if log is not None else _find_log(folder)
    if log is None and _logs_below(folder):
        raise MisconfiguredError(f"There is no call log {folder / LOG_NAME}{_logs_below(folder)}; give one with --log.")
    recordings = Recordings(folder, _SUFFIXES[medium])
    sorting = _Sorting(recordings, log.name if log else "")
    notes: list[str] = []
    if log:
        call_log = read_log(log, known, _zone_of, centre, id_suffix=None if medium == "recording" else transcripts.SUFFIX)
        notes = call_log.notes
        for centre_id in sorted({row.call.centre_id for row in call_log.rows}):
            load_centre(centre_id)  # errors in its profile are reported before any recording is read
        _sort_rows(call_log, sorting)
        _sort_orphans(sorting, centre)
    else:
        load_centre(centre or NO_PROFILE)
        _sort_without_log(sorting, centre or NO_PROFILE, medium)
        notes.append("no call log: start, operator and who hung up are unknown")
        if centre is None:
            notes.append(f"calls are graded by the profile {NO_PROFILE} (--centre names another)")
    _log_notes(notes)
    intake = Intake(list(sorting.calls.values()), _with_unique_ids(sorting), notes, log)
    LOGGER.info("intake: %d calls to grade, %d rejected", len(intake.calls), len(intake.rejected))
    return intake


def _sort_rows(log: CallLog, sorting: _Sorting) -> None:
    rows: list[LogRow | RejectedRow] = sorted([*log.rows, *log.broken], key=lambda r: r.line_no)
    for n, row in enumerate(rows, start=1):
        if isinstance(row, RejectedRow):
            if row.recording and not leaves_folder(row.recording):
                sorting.claimed.update(f.path for f in sorting.recordings.match(row.recording))
            call_id = row.call_id or f"{sorting.place}:{row.line_no}~{row.digest}"
            _reject(sorting, call_id, row.reason, row.line_no, row.centre_id, row.recording)
            continue
        LOGGER.info("intake %d/%d %s", n, len(rows), row.call.call_id)
        try:
            _accept(row, sorting)
        except BadRecordingError as error:
            call_id, sha256 = row.call.call_id, None
            if isinstance(error, _Conflict):
                call_id, sha256 = error.call_id, error.sha256
            reason = Reason(Key.AT_LINE, place=sorting.place, line=row.line_no, reason=error.reason)
            _reject(sorting, call_id, reason, row.line_no, row.call.centre_id, row.call.recording, sha256)


class _Conflict(BadRecordingError):
    """A valid recording that another row already has; it gets an id of its own."""

    def __init__(self, reason: Reason, call_id: str, sha256: str) -> None:
        super().__init__(reason)
        self.call_id = call_id
        self.sha256 = sha256


def _accept(row: LogRow, sorting: _Sorting) -> None:
    call = row.call
    first_line = sorting.line_of_digest.setdefault(row.digest, row.line_no)
    if first_line != row.line_no:
        raise BadRecordingError(Reason(Key.REPEATED_ROW, first=first_line))
    file, sha256 = _recording_of(call.recording, sorting)
    if call.call_id in sorting.calls:
        first = sorting.line_of[call.call_id]
        reason = (
            Reason(Key.ID_WITH_SAME_RECORDING, call=call.call_id, first=first)
            if sorting.calls[call.call_id].recording_sha256 == sha256
            else Reason(Key.ID_WITH_OTHER_RECORDING, call=call.call_id, first=first)
        )
        raise _Conflict(reason, f"{call.call_id}~{sha256[:8]}", sha256)
    if sha256 in sorting.by_sha256:
        other = sorting.by_sha256[sha256]
        raise _Conflict(Reason(Key.SAME_RECORDING, call=other, first=sorting.line_of[other]), call.call_id, sha256)
    sorting.calls[call.call_id] = replace(call, recording=str(file.path), recording_sha256=sha256, size_bytes=file.size_bytes)
    sorting.line_of[call.call_id] = row.line_no
    sorting.by_sha256[sha256] = call.call_id


def _recording_of(name: str, sorting: _Sorting) -> tuple[FoundFile, str]:
    if leaves_folder(name):
        raise BadRecordingError(Reason(Key.OUTSIDE, name=quoted(name)))
    files = sorting.recordings.match(name)
    sorting.claimed.update(f.path for f in files)
    if not files:
        if sorting.recordings.has_folder(name):
            raise BadRecordingError(Reason(Key.A_FOLDER, name=quoted(name)))
        raise BadRecordingError(Reason(Key.MISSING, name=quoted(name)))
    identities = {_identify(file, sorting.recordings) for file in files}
    if len(identities) > 1:
        paths = ", ".join(f.relative for f in files)
        raise BadRecordingError(Reason(Key.AMBIGUOUS, name=quoted(name), paths=paths))
    return files[0], identities.pop()


def _identify(file: FoundFile, recordings: Recordings) -> str:
    if file.problem:
        raise BadRecordingError(Reason(Key.OF_FILE, file=file.relative, problem=file.problem))
    try:
        return recordings.sha256(file)
    except OSError as error:
        raise BadRecordingError(Reason(Key.DISK, file=file.relative, error=str(error.strerror))) from None


def _sort_orphans(sorting: _Sorting, centre: str | None) -> None:
    for file in sorting.recordings.delivered():
        if file.path in sorting.claimed:
            continue
        reason, sha256 = Reason(Key.NO_ROW, file=file.relative, place=sorting.place), None
        try:
            sha256 = _identify(file, sorting.recordings)
        except BadRecordingError as error:
            reason = Reason(Key.NO_ROW_AND_MORE, file=file.relative, place=sorting.place, reason=error.reason)
        if sha256 in sorting.by_sha256:
            reason = Reason(Key.NO_ROW_FOR_COPY, file=file.relative, call=sorting.by_sha256[sha256])
        call_id = f"no-row:{file.relative}" + (f"~{sha256[:8]}" if sha256 else "")
        _reject(sorting, call_id, reason, 0, centre, file.relative, sha256)


def _sort_without_log(sorting: _Sorting, centre: str, medium: Medium) -> None:
    files = sorting.recordings.delivered()
    stems = Counter(PurePosixPath(f.relative).stem for f in files)
    for n, file in enumerate(files, start=1):
        stem = PurePosixPath(file.relative).stem
        call_id = normalise_id(stem if stems[stem] == 1 else file.relative)
        LOGGER.info("intake %d/%d %s", n, len(files), call_id)
        try:
            if problem := id_problem(call_id):
                raise BadRecordingError(Reason(Key.BAD_FILE_NAME, file=file.relative, problem=problem))
            sha256 = _identify(file, sorting.recordings)
        except BadRecordingError as error:
            _reject(sorting, call_id, error.reason, n, centre, file.relative)
            continue
        if sha256 in sorting.by_sha256:
            reason = Reason(Key.COPY_WITHOUT_LOG, file=file.relative, call=sorting.by_sha256[sha256])
            _reject(sorting, call_id, reason, n, centre, file.relative, sha256)
            continue
        if call_id in sorting.calls:
            call_id = f"{call_id}~{sha256[:8]}"
        sorting.calls[call_id] = Call(call_id, centre, str(file.path), sha256, file.size_bytes, None, medium=medium)
        sorting.by_sha256[sha256] = call_id


def _reject(
    sorting: _Sorting, call_id: str, reason: Reason, line_no: int, centre_id: str | None, recording: str | None, sha256: str | None = None
) -> None:
    name = PurePosixPath(recording.replace("\\", "/")).name if recording else None
    row = Rejection.because(reason, "intake", call_id, centre_id, name, sha256)
    sorting.rejected.append((f"{sorting.place}:{line_no}", row))


def _with_unique_ids(sorting: _Sorting) -> list[Rejection]:
    """Rejections with ids that are unique among calls and rejections: a bad row must not hide a good one with the same id."""
    taken = set(sorting.calls)
    rows: list[Rejection] = []
    for place, row in sorting.rejected:
        call_id = row.call_id if row.call_id not in taken else f"{row.call_id}~{place}"
        while call_id in taken:
            call_id += "~"
        taken.add(call_id)
        rows.append(replace(row, call_id=call_id))
    return rows


def _zone_of(centre_id: str) -> tzinfo:
    return load_centre(centre_id).timezone


def _find_log(folder: Path) -> Path | None:
    names = sorted(p for p in folder.iterdir() if p.name.casefold() == LOG_NAME and p.is_file())
    return folder / LOG_NAME if folder / LOG_NAME in names else next(iter(names), None)


def _logs_below(folder: Path) -> str:
    """A hint for the commonest mistake: the parent of the right folder."""
    below = next(iter(sorted(folder.glob(f"*/{LOG_NAME}"))), None)
    return f", but there is {below}" if below else ""


def _log_notes(notes: list[str]) -> None:
    for n, note in enumerate(notes):
        if n == _NOTES_LOGGED:
            LOGGER.warning("intake: %d more notes of this kind", len(notes) - n)
            break
        LOGGER.log(logging.WARNING if n else logging.INFO, "intake: %s", note)
