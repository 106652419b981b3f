"""The stage: batches of calls as folders of Parquet files, each written atomically.

A batch is a folder `stage/<batch_id>`; each step writes one file per kind of record into it. Files with unmasked words are in
`private/` (mode 0700) and are wiped as soon as the redact step has run, unless the raw text was requested. A file that was truncated by
a disk failure is detected by its footer and rebuilt; see `Batch.repair`.
"""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import shutil
import types
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import polars as pl

from models import atomic_files, private_files
from pipelines.core import records
from pipelines.core.errors import TransientError

R = TypeVar("R")
log = logging.getLogger("callgrade")

KINDS: dict[str, type] = {
    "calls": records.Call,
    "audio": records.AudioFacts,
    "words": records.Word,
    "dropped": records.Finding,
    "segments": records.Segment,
    "spoken_turns": records.Turn,
    "roles": records.CallRoles,
    "turns": records.Turn,
    "personal_data": records.PersonalData,
    "answers": records.QuestionAnswer,
    "summaries": records.SummarySentence,
    "sentiments": records.TurnSentiment,
    "speech_acts": records.SpeechAct,
    "findings": records.Finding,
    "procedures": records.Procedure,
    "verdicts": records.Verdict,
    "evaluations": records.Evaluation,
    "metrics": records.CallMetrics,
    "clips": records.Clip,
}
PRIVATE = frozenset({"words", "spoken_turns"})
SIGNALS = "signals"  # a cache, see `score.signals_cache`; its rows are forgotten with those of the steps
_PRIVATE = "private"  # the folder of the unmasked files in a batch
_REJECTED = "put_aside"  # the folder with the rejections of each step, named so in the batches of every version
PENDING = "pending"  # the file that marks a batch for the next run to grade
_VERSIONS = "versions"  # the folder with the input digests of each product
# Truncated file → files to remove with it, so that the step that writes it runs again. Once the words are wiped, that means starting from
# the audio: without `turns` a batch counts as not transcribed. Files of the steps that always run again are not listed.
_GOES_TOO: dict[str, tuple[str, ...]] = {
    "audio": ("audio",),
    "segments": ("segments",),
    "words": ("words", "turns"),
    "dropped": ("words", "turns"),
    "turns": ("turns",),
    "roles": ("turns",),
    "personal_data": ("turns",),
    f"{_REJECTED}/audio": ("audio",),
    f"{_REJECTED}/transcribe": ("words", "turns"),
    f"{_REJECTED}/diarize": ("segments",),
    f"{_REJECTED}/turns": ("turns",),
    f"{_REJECTED}/redact": ("turns",),
}
_TAIL = b"PAR1"  # the magic bytes at the start and end of a Parquet file
_SCALARS: dict[Any, pl.DataType] = {
    str: pl.String(), int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean(), datetime: pl.Datetime("us", "UTC"),
}  # fmt: skip


class CutShortError(TransientError):
    """A staged file is truncated; grading the batch again rebuilds it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of calls that goes through the steps together."""

    folder: Path

    @property
    def batch_id(self) -> str:
        return self.folder.name

    def path(self, kind: str) -> Path:
        """The Parquet file of one kind of record in this batch."""
        return self.folder / (_PRIVATE if kind in PRIVATE else "") / f"{kind}.parquet"

    def has(self, kind: str) -> bool:
        return is_whole(self.path(kind))

    def write(self, kind: str, rows: Iterable[object]) -> Path:
        """Write one kind of record, replacing the file atomically: readers see the old file or the new one, never a part."""
        return write_records(self.path(kind), KINDS[kind], rows)

    def read(self, kind: str) -> list[Any]:
        """Every record of one kind, in the order it was written; an empty list if there are none."""
        return read_records(self.path(kind), KINDS[kind])

    def write_rejected(self, step: str, rows: Iterable[records.Rejection]) -> None:
        """Record the rejections of one step, replacing its earlier list."""
        write_records(self.folder / _REJECTED / f"{step}.parquet", records.Rejection, rows)

    def rejected(self) -> list[records.Rejection]:
        """All rejections of the steps so far."""
        files = sorted((self.folder / _REJECTED).glob("*.parquet"))
        return [row for file in files for row in read_records(file, records.Rejection)]

    def calls(self, step: str | None = None) -> list[records.Call]:
        """The calls still in progress: received and not rejected, including those rejected by `step` itself, as its list is replaced."""
        out = {row.call_id for row in self.rejected() if row.step != step}
        return [call for call in self.read("calls") if call.call_id not in out]

    def version_of(self, step: str) -> dict[str, str] | None:
        """The input digests of a step's product, see `versions.digests`; None where none were stored, empty where it must be rebuilt."""
        try:
            found: dict[str, str] = json.loads((self.folder / _VERSIONS / f"{step}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return found

    def set_version(self, step: str, digests: Mapping[str, str]) -> None:
        """Store the input digests of a step's product."""
        write_whole(self.folder / _VERSIONS / f"{step}.json", json.dumps(dict(digests)).encode())

    def wipe_private(self) -> None:
        """Remove the files with unmasked words; moved away first in one step, so that a partial set is never taken for the whole."""
        gone = self.folder / ".wiped"
        shutil.rmtree(gone, ignore_errors=True)
        if (self.folder / _PRIVATE).exists():
            os.replace(self.folder / _PRIVATE, gone)
            shutil.rmtree(gone, ignore_errors=True)

    def repair(self) -> list[str]:
        """Prepare a batch for grading after a crash or a disk failure; returns the names of the truncated files.

        They are removed with everything that must be rebuilt with them. Raises CutShortError when the list of calls is truncated: only
        receiving the calls again can rebuild it.
        """
        for file in self.folder.rglob(".*.part"):
            atomic_files.remove_if_left(file)
        shutil.rmtree(self.folder / ".wiped", ignore_errors=True)
        broken = {str(f.relative_to(self.folder).with_suffix("")): f for f in sorted(self.folder.rglob("*.parquet")) if not is_whole(f)}
        for name, file in broken.items():
            name = name.removeprefix("private/")
            if name in ("calls", f"{_REJECTED}/intake"):
                raise CutShortError(f"{file} is truncated. Remove the folder {self.folder}: its calls are received again.")
            log.warning("%s is truncated: that step runs again", file)
            for kind in _GOES_TOO.get(name, ()):
                self.path(kind).unlink(missing_ok=True)
            file.unlink(missing_ok=True)
        return sorted(broken)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lock the batch against other processes while the block runs; they wait."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)  # releases the lock, as does the death of the process

    def forget(self, call_ids: Collection[str]) -> bool:
        """Remove every row of these calls from every file, and the folder where nothing else is in it; True when there was any."""
        changed = False
        for file in sorted(self.folder.rglob("*.parquet"), key=_received_last):
            frame = pl.read_parquet(file) if is_whole(file) else None
            if frame is None:
                file.unlink()  # it could contain them
                changed = True
            elif not frame.is_empty() and (rest := frame.filter(~pl.col("call_id").is_in(list(call_ids)))).height < frame.height:
                write_whole(file, _parquet(rest))
                changed = True
        if self.path(SIGNALS).exists():  # written beside the steps, by whoever tried a scorecard: only for calls that are still listed
            with self.alone():
                frame = pl.read_parquet(self.path(SIGNALS))
                write_whole(self.path(SIGNALS), _parquet(frame.filter(~pl.col("call_id").is_in(list(call_ids)))))
        self.remove_if_empty()
        return changed

    def remove_if_empty(self) -> None:
        """Remove the folder of a batch without calls; also one whose removal was interrupted."""
        if self.has("calls") and (self.read("calls") or self.rejected()):
            return
        for file in sorted((f for f in self.folder.rglob("*") if f.is_file()), key=_received_last):
            file.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


def _received_last(file: Path) -> tuple[int, Path]:
    """The order to empty a batch's files in: the list of calls last, so that an interrupted run can continue."""
    return (2 if file.name == "calls.parquet" else 1 if file.parent.name == _REJECTED else 0), file


@cache
def schema_of(record: type) -> dict[str, pl.DataType]:
    """The polars schema of a record class, read from its type hints."""
    hints = _hints(record)
    return {f.name: _dtype(hints[f.name]) for f in fields(record)}


def write_records(path: Path, record: type, rows: Iterable[object]) -> Path:
    """Write records to Parquet atomically. Raises TransientError when the disk fails."""
    return write_whole(path, _parquet(pl.DataFrame([_plain(row) for row in rows], schema=schema_of(record), orient="row")))


def read_records(path: Path, record: type[R]) -> list[R]:
    """Read the output of `write_records`. Raises FileNotFoundError when the step has not run, CutShortError when the file is truncated."""
    hints = _hints(typing.cast(Any, record))
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.ComputeError as error:
        raise CutShortError(f"{path} cannot be read ({str(error).splitlines()[0]}); judge its batch again.") from error
    return [typing.cast(R, _build(record, row, hints)) for row in frame.iter_rows(named=True)]


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file and its folder as `atomic_files.write` does, and remove temporary files of killed writers.

    Raises TransientError when the disk fails; the old file is unchanged.
    """
    try:
        private_files.make_folder(path.parent, for_group=path.parent.name != _PRIVATE)
        for left in path.parent.glob(f".{path.name}.*.part"):
            atomic_files.remove_if_left(left)
        atomic_files.write(path, content)
    except OSError as error:
        raise TransientError(f"{path} could not be written: {error.strerror or error}. The previous file is unchanged.") from error
    return path


def is_whole(path: Path) -> bool:
    """Whether a Parquet file exists and is complete: it ends with a valid footer length and the magic bytes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 8))
            foot = file.read()
    except FileNotFoundError:
        return False
    return len(foot) == 8 and foot[4:] == _TAIL and int.from_bytes(foot[:4], "little") + 12 <= size


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of dead writers in a folder and its subfolders."""
    for part in folder.rglob(".*.part"):
        atomic_files.remove_if_left(part)


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content, compression="zstd", statistics=True)
    return content.getvalue()


@cache
def _hints(record: Any) -> dict[str, Any]:
    return get_type_hints(record)


def _dtype(hint: Any) -> pl.DataType:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _dtype(next(a for a in get_args(hint) if a is not type(None)))
    if origin is typing.Literal:
        return pl.String()
    if origin is tuple:
        return pl.List(_dtype(get_args(hint)[0]))
    if is_dataclass(hint):
        return pl.Struct(schema_of(typing.cast(type, hint)))
    return _SCALARS[hint]


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def _build(hint: Any, value: Any, hints: dict[str, Any] | None = None) -> Any:
    if value is None:
        return None
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _build(next(a for a in get_args(hint) if a is not type(None)), value)
    if origin is tuple:
        inner = get_args(hint)[0]
        return tuple(value) if inner in _SCALARS else tuple(_build(inner, v) for v in value)
    if is_dataclass(hint):
        inner_hints = hints or _hints(typing.cast(Any, hint))
        return typing.cast(type, hint)(**{k: _build(inner_hints[k], v) for k, v in value.items()})
    return value
