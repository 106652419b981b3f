"""Where a step's Parquet lives, and how it is written: whole or not at all.

A batch is a folder `stage/<batch_id>`; each step writes one file a kind of record into it. Files that hold unmasked words lie in
`private/` (mode 0700) and are wiped as soon as the redact step has run, unless the raw text was asked for.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import polars as pl

from pipelines import records

R = TypeVar("R")

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
    "sentiments": records.TurnSentiment,
    "findings": records.Finding,
    "procedures": records.Procedure,
    "verdicts": records.Verdict,
    "evaluations": records.Evaluation,
    "metrics": records.CallMetrics,
    "clips": records.Clip,
}
PRIVATE = frozenset({"words", "spoken_turns"})
_SCALARS: dict[Any, pl.DataType] = {
    str: pl.String(), int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean(), datetime: pl.Datetime("us", "UTC"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of calls on its way through the steps."""

    folder: Path

    @property
    def batch_id(self) -> str:
        return self.folder.name

    def path(self, kind: str) -> Path:
        """The Parquet file of one kind of record in this batch."""
        return self.folder / ("private" if kind in PRIVATE else "") / f"{kind}.parquet"

    def has(self, kind: str) -> bool:
        return self.path(kind).exists()

    def write(self, kind: str, rows: Iterable[object]) -> Path:
        """Write one kind of record, replacing what was there; readers see the old file or the new one, never a part."""
        return write_records(self.path(kind), KINDS[kind], rows)

    def read(self, kind: str) -> list[Any]:
        """Every record of one kind, in the order it was written; an empty list where the step found none."""
        return read_records(self.path(kind), KINDS[kind])

    def write_put_aside(self, step: str, rows: Iterable[records.PutAside]) -> None:
        """Record what one step could not use; the step's earlier list is replaced."""
        write_records(self.folder / "put_aside" / f"{step}.parquet", records.PutAside, rows)

    def put_aside(self) -> list[records.PutAside]:
        """All that every step so far has put aside."""
        files = sorted((self.folder / "put_aside").glob("*.parquet"))
        return [row for file in files for row in read_records(file, records.PutAside)]

    def calls(self) -> list[records.Call]:
        """The calls still on their way: received, and put aside by no step."""
        out = {row.call_id for row in self.put_aside()}
        return [call for call in self.read("calls") if call.call_id not in out]

    def wipe_private(self) -> None:
        """Remove the files with unmasked words."""
        shutil.rmtree(self.folder / "private", ignore_errors=True)


def schema_of(record: type) -> dict[str, pl.DataType]:
    """The polars schema of a record class, read from its type hints."""
    hints = get_type_hints(record)
    return {f.name: _dtype(hints[f.name]) for f in fields(record)}


def write_records(path: Path, record: type, rows: Iterable[object]) -> Path:
    """Write records to Parquet through a temporary file in the same folder and `os.replace`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    frame = pl.DataFrame([_plain(row) for row in rows], schema=schema_of(record), orient="row")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            frame.write_parquet(file, compression="zstd", statistics=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def read_records(path: Path, record: type[R]) -> list[R]:
    """Read back what `write_records` wrote. Raises FileNotFoundError when the step has not run."""
    hints = get_type_hints(record)
    return [typing.cast(R, _build(record, row, hints)) for row in pl.read_parquet(path).iter_rows(named=True)]


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
        inner_hints = hints or get_type_hints(hint)
        return typing.cast(type, hint)(**{k: _build(inner_hints[k], v) for k, v in value.items()})
    return value
