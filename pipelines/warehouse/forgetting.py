"""Takes calls out of the warehouse for good: a client who asks for it, and calls whose time is over.

DuckDB leaves deleted rows in free blocks of its file, so the file is written anew; staged Parquet that holds these calls goes as well.
Publish afterwards, so that the copy that people read forgets too.
"""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from pipelines.settings import Settings
from pipelines.warehouse.file import connect, migrate, write_lock


def erase_client(settings: Settings, client_ref: str) -> list[Path]:
    """Remove every call of a client; returns the clip files to delete."""
    return _forget(settings, "client_ref = ?", client_ref)


def forget_before(settings: Settings, day: date) -> list[Path]:
    """Remove every call that began (or, without a start time, was loaded) before a day in UTC; returns the clip files to delete."""
    return _forget(settings, "coalesce(started_at, loaded_at) < cast(? as timestamptz)", day.isoformat())


def _forget(settings: Settings, condition: str, value: str) -> list[Path]:
    if not settings.warehouse.exists():
        return []
    with write_lock(settings):
        db = connect(settings.warehouse)
        try:
            migrate(db)
            db.execute(f"create temp table gone as select call_id, recording_sha256 from store.calls where {condition}", [value])
            gone = [call_id for (call_id,) in db.execute("select call_id from gone").fetchall()]
            if not gone:
                return []
            paths = db.execute("select path from store.clips where call_id in (select call_id from gone)").fetchall()
            tables = db.execute(
                """select distinct table_name from duckdb_columns()
                   where database_name = current_database() and schema_name = 'store' and column_name = 'call_id' and table_name <> 'received'"""
            ).fetchall()
            db.execute("begin")
            for (table,) in tables:
                db.execute(f"delete from store.{table} where call_id in (select call_id from gone)")
            db.execute(
                """delete from store.received as r where exists (
                       select 1 from gone as g
                       where g.call_id = r.call_id or g.call_id = r.call_id || '~' || r.recording_sha256[:8])"""
            )
            db.execute("commit")
            db.execute("checkpoint")  # no write-ahead log may be left to meet the fresh file
        finally:
            db.close()
        _write_anew(settings.warehouse)
    _remove_stage(settings, set(gone))
    return [settings.site / path for (path,) in paths]


def _write_anew(path: Path) -> None:
    """Copy the tables into a fresh file and put it in place, so that no block of the old rows is left."""
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.unlink(missing_ok=True)
    db: duckdb.DuckDBPyConnection = connect(fresh)
    try:
        migrate(db)
        db.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as old (read_only)")
        tables = db.execute("select table_name from duckdb_tables() where database_name = 'old' and schema_name = 'store'").fetchall()
        db.execute("begin")
        for (table,) in tables:
            db.execute(f"delete from store.{table}")
            db.execute(f"insert into store.{table} by name select * from old.store.{table}")
        db.execute("commit")
        db.execute("detach old")
        db.execute("checkpoint")
    finally:
        db.close()
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(fresh, path)


def _remove_stage(settings: Settings, gone: set[str]) -> None:
    for file in settings.stage.glob("*/calls.parquet"):
        if gone & set(pl.read_parquet(file, columns=["call_id"])["call_id"]):
            shutil.rmtree(file.parent, ignore_errors=True)
