"""Removes calls from the warehouse: a new DuckDB file, because free blocks keep deleted rows; one transaction in a lake."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import polars as pl

from models import atomic_files
from pipelines.core.sql_text import literal
from pipelines.warehouse import lake, marts
from pipelines.warehouse.file import connect, is_current, migrate, remove_leftovers


def write_anew(path: Path, without: list[str]) -> None:
    """Copy all but these calls into a new file and swap it in, so that none of their blocks remain.

    The old file stays complete until then. A file of an older version is migrated to this version. Raises MisconfiguredError when it is
    of a newer one. Does nothing when there is no file.
    """
    remove_leftovers(path)
    if not path.exists():
        return
    source = _of_this_version(path)
    fresh = path.with_name(f".{path.name}.fresh")
    db = connect(fresh)
    try:
        migrate(db)
        db.register("without_ids", pl.DataFrame({"call_id": without}, schema={"call_id": pl.String}))
        db.execute(f"attach {literal(source)} as old (read_only)")
        db.execute("begin")
        for schema, table, condition in _what_stays(db, "old"):
            db.execute(f"insert into {schema}.{table} by name select * from old.{schema}.{table} as t where {condition}")
        marts.refresh_without(
            db,
            "select centre_id, operator_id, month, started_local, call_no from old.intermediate.calls semi join without_ids using (call_id)",
        )
        db.execute("commit")
        db.execute("detach old; checkpoint")
    finally:
        db.close()
    atomic_files.put_in_place(fresh, path)
    remove_leftovers(path)


def delete(db: duckdb.DuckDBPyConnection, without: list[str]) -> None:
    """Delete these calls from the tables of a lake, in one transaction; their rows remain in its files and snapshots."""
    db.register("without_ids", pl.DataFrame({"call_id": without}, schema={"call_id": pl.String}))
    db.execute(
        """create or replace temp table gone as
           select centre_id, operator_id, month, started_local, call_no from intermediate.calls semi join without_ids using (call_id)"""
    )
    db.execute("begin")
    for schema, table, condition in _what_stays(db, lake.NAME):
        if condition != "true":
            db.execute(f"delete from {schema}.{table} as t where not ({condition})")
    marts.refresh_without(db, "from gone")
    db.execute("commit")


def _of_this_version(path: Path) -> Path:
    """The file itself, or a migrated copy beside it; readers of an old published copy see it unchanged meanwhile."""
    with connect(path, read_only=True) as db:
        if is_current(db):
            return path
    part = path.with_name(f".{path.name}.part")
    shutil.copyfile(path, part)
    with connect(part) as db:
        migrate(db)
        marts.refresh(db)
        marts.nothing_waits(db)
        db.execute("checkpoint")
    return part


def _what_stays(db: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, str, str]]:
    """Schema and name of every table in a database, with the condition for rows `t` that stay without the calls of `without_ids`."""
    tables = db.execute(
        """select schema_name, table_name, bool_or(column_name = 'call_id') from duckdb_columns()
           where database_name = ? and schema_name in ('core', 'intermediate') and table_name <> 'migrations'
           group by schema_name, table_name order by if(table_name = 'lexicon', 1, 0), schema_name, table_name""",
        [database],
    ).fetchall()
    special = {
        "received": "not exists (select 1 from without_ids as w where w.call_id in (t.call_id, t.call_id || '~' || t.recording_sha256[:8]))",
        "lemma_index": f"block not in (select call_block(call_no) from {database}.core.calls where call_id in (select call_id from without_ids))",
        "lexicon": "lemma in (select lemma from intermediate.lemma_index)",  # a word that no remaining call contains is removed too
    }
    of_call = "call_id not in (select call_id from without_ids)"
    return [(schema, table, special.get(table, of_call if has_calls else "true")) for schema, table, has_calls in tables]
