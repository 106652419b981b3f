"""The readers' copy of a lake: an ordinary DuckDB file with the views and their comments, on the machine that publishes."""

from __future__ import annotations

from pathlib import Path

import duckdb

from models import atomic_files, private_files
from pipelines.core.errors import TransientError
from pipelines.core.sql_text import literal
from pipelines.warehouse import lake
from pipelines.warehouse.file import connect, migrate


def write(db: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Copy every table of an open lake into a new file and swap it in; does nothing when the lake has not changed since.

    Raises TransientError when the disk fails; the previous copy is then still in place.
    """
    mark = f"commit {lake.version(db)} of the lake"
    if _is_copy(target, mark):
        return
    lake.tidy(db)
    mark = f"commit {lake.version(db)} of the lake"
    private_files.make_folder(target.parent)
    fresh = target.with_name(f".{target.name}.fresh")
    try:
        with connect(fresh) as empty:
            migrate(empty)
        db.execute(f"attach {literal(fresh)} as copy")
        tables = db.execute(
            """select schema_name, table_name from duckdb_tables()
               where database_name = ? and schema_name in ('core', 'intermediate') and table_name <> 'migrations' order by all""",
            [lake.NAME],
        ).fetchall()
        for schema, table in tables:
            db.execute(f"insert into copy.{schema}.{table} by name from {lake.NAME}.{schema}.{table}")
        db.execute(f"comment on table copy.core.migrations is '{mark}'")
        db.execute("detach copy")  # flushes its write-ahead log into the file
        atomic_files.put_in_place(fresh, target)
    except (OSError, duckdb.IOException) as error:
        raise TransientError(f"The copy for readers, {target}, could not be written: {error}. The previous copy is unchanged.") from error


def _is_copy(target: Path, mark: str) -> bool:
    """Whether the file is the copy of that commit; a file rewritten without forgotten calls has no mark."""
    if not target.exists():
        return False
    with connect(target, read_only=True) as copy:
        found = copy.execute("select comment from duckdb_tables() where schema_name = 'core' and table_name = 'migrations'").fetchone()
    return found == (mark,)
