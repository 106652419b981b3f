"""The shared warehouse of several machines: DuckLake with its catalogue in PostgreSQL and its rows as Parquet in shared storage.

A writer on any machine holds a lock in the catalogue. The lock ends with its connection, so a killed writer blocks nobody. A write takes
effect as a whole with its commit. Readers open a local copy, as they do without a lake.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import duckdb

from models import private_files
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.lake_address import LakeAddress
from pipelines.core.sql_text import literal

NAME = "lake"  # the database with the tables within a connection
_LOCK = 4_207_116_001  # arbitrary, and unused by other programs in this PostgreSQL database
_POLL_S = 0.2
_LOG_AFTER_S = 2.0
_OLD = "interval 1 day"  # readers that began before have finished
_PACKAGES = {
    "postgres_scanner": "duckdb-extension-postgres-scanner",
    "ducklake": "duckdb-extension-ducklake",
    "httpfs": "duckdb-extension-httpfs",
}

_NARROWED = """
update ducklake_table_column_stats as s
set min_value = coalesce(f.least, ''), max_value = coalesce(f.greatest, '')
from ducklake_column as c
left join (
    select table_id, column_id, min(min_value collate "C") as least, max(max_value collate "C") as greatest
    from ducklake_file_column_stats
    group by table_id, column_id
) as f on f.table_id = c.table_id and f.column_id = c.column_id
where c.table_id = s.table_id and c.column_id = s.column_id and c.column_type = 'varchar' and c.end_snapshot is null and s.min_value is not null"""

log = logging.getLogger("callgrade")


class NoLakeError(MisconfiguredError):
    """The catalogue is empty: nothing has been written to this lake."""


@contextmanager
def open_for_writing(address: LakeAddress, timeout_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the lake; this process holds its write lock among all machines while the block runs. An empty catalogue gets a new lake.

    Raises TransientError when another writer holds the lock for `timeout_s` or the catalogue cannot be reached, MisconfiguredError when an
    extension of DuckDB is missing or the rows are stored elsewhere than the address says.
    """
    with _connected(address) as db:
        lock = db.cursor()
        _wait_for_lock(lock, address, timeout_s)
        _attach(db, address)
        yield db
        lock.execute("rollback")


@contextmanager
def open_for_reading(address: LakeAddress) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the lake as last committed, without waiting for writers.

    Raises as `open_for_writing`, and NoLakeError where there is none yet.
    """
    with _connected(address) as db:
        _attach(db, address, read_only=True)
        yield db


def is_lake(db: duckdb.DuckDBPyConnection) -> bool:
    """Whether the tables of this connection are in a lake."""
    return db.execute("select type from duckdb_databases() where database_name = current_database()").fetchone() == ("ducklake",)


def fitted(db: duckdb.DuckDBPyConnection, text: str) -> str:
    """Adapt the SQL of a migration, macro, table or view to this database; the only place that handles what a lake does not support.

    A lake has no keys (checks look for duplicates, and a single writer resolves conflicts) and no comments on the columns of a view (the
    readers' copy, a DuckDB file, has them).
    """
    if not is_lake(db):
        return text
    text = re.sub(r"comment on column [\w.]+ is\s+(?:'[^']*'\s*)+;", "", text)
    return re.sub(r"\s+primary key\b", "", text)


def version(db: duckdb.DuckDBPyConnection) -> int:
    """The number of the last commit; the same number means the same content."""
    found = db.execute(f"select id from {NAME}.current_snapshot()").fetchone()
    return int(found[0]) if found else 0


def tidy(db: duckdb.DuckDBPyConnection) -> None:
    """Merge small files, and remove those that no reader can still need or that killed writers left. Needs the write lock."""
    for call in (
        f"ducklake_merge_adjacent_files('{NAME}')",
        f"ducklake_expire_snapshots('{NAME}', older_than => now() - {_OLD})",
        f"ducklake_cleanup_old_files('{NAME}', older_than => now() - {_OLD})",
        f"ducklake_delete_orphaned_files('{NAME}', older_than => now() - {_OLD})",
    ):
        db.execute(f"call {call}")


def leave_nothing_behind(db: duckdb.DuckDBPyConnection) -> None:
    """Rewrite files with deleted rows and remove the old ones, so that deleted rows are gone at once. Needs the write lock.

    The catalogue also stores the minimum and maximum that each column ever had; they are reset to those of the remaining rows.
    """
    for call in (
        f"ducklake_rewrite_data_files('{NAME}', delete_threshold => 0)",
        f"ducklake_expire_snapshots('{NAME}', older_than => now())",
        f"ducklake_cleanup_old_files('{NAME}', cleanup_all => true)",
        f"ducklake_delete_orphaned_files('{NAME}', cleanup_all => true)",
        f"postgres_execute('catalogue', {literal(_NARROWED)})",
    ):
        db.execute(f"call {call}")


def extension_file(name: str) -> Path:
    """The file of a DuckDB extension, from the package for this DuckDB version. Raises MisconfiguredError with what to install."""
    package = _PACKAGES[name]
    found = find_spec(package.replace("-", "_"))
    folder = Path(found.origin).parent if found is not None and found.origin else None
    file = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension" if folder else None
    if file is None or not file.exists():
        raise MisconfiguredError(
            f"A lake needs DuckDB's extension {name} for version {duckdb.__version__}, but {file or f'the package {package}'} is missing. "
            f"Install it with: pip install {package}=={duckdb.__version__}"
        )
    return file


@contextmanager
def _connected(address: LakeAddress) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the extensions loaded and the PostgreSQL catalogue attached; nothing is downloaded."""
    db = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    try:
        for name in ("postgres_scanner", "ducklake", *(["httpfs"] if address.is_in_bucket else [])):
            db.execute(f"load {literal(extension_file(name))}")
        if address.is_in_bucket and os.environ.get("DUCKDB_S3_ENDPOINT"):
            db.execute("set global s3_url_style = 'path'")  # stores other than Amazon S3 use one host name for all buckets
        db.execute("set timezone = 'UTC'")
        try:
            db.execute(f"attach {literal(address.catalogue)} as catalogue (type postgres)")
        except duckdb.Error as error:  # its text contains the password, so it must not become the cause
            raise TransientError(f"The catalogue of {address} cannot be reached: {_reason(error, address)}.") from None
        yield db
    finally:
        db.close()


def _attach(db: duckdb.DuckDBPyConnection, address: LakeAddress, *, read_only: bool = False) -> None:
    if not read_only and not address.is_in_bucket:
        private_files.make_folder(Path(address.data))
    # No rows in the catalogue: PostgreSQL would keep them after their deletion.
    asked = "read_only" if read_only else f"data_path {literal(address.data)}, data_inlining_row_limit 0"
    try:
        db.execute(f"attach {literal('ducklake:postgres:' + address.catalogue)} as {NAME} ({asked})")
    except duckdb.InvalidInputException:
        raise NoLakeError(f"Nothing has been written to the lake {address} yet.") from None
    except duckdb.Error as error:
        raise MisconfiguredError(f"The lake {address} cannot be opened: {_reason(error, address)}.") from None
    db.execute(f"use {NAME}")


def _wait_for_lock(lock: duckdb.DuckDBPyConnection, address: LakeAddress, timeout_s: float) -> None:
    """Take the lock in a transaction of its own, which ends with the connection in every case."""
    lock.execute("begin")
    lock.execute("call postgres_execute('catalogue', 'set local idle_in_transaction_session_timeout = 0')")
    started, is_logged = time.monotonic(), False
    while lock.execute(f"from postgres_query('catalogue', 'select pg_try_advisory_xact_lock({_LOCK})')").fetchone() != (True,):
        waited_s = time.monotonic() - started
        if waited_s >= timeout_s:
            raise TransientError(
                f"Another process ({_holder(lock)}) has been writing to {address} for {waited_s:.0f} s. Try again when it has finished."
            )
        if not is_logged and waited_s >= _LOG_AFTER_S:
            log.info("waiting: another process (%s) is writing to %s", _holder(lock), address)
            is_logged = True
        time.sleep(_POLL_S)


def _holder(lock: duckdb.DuckDBPyConnection) -> str:
    found = lock.execute(
        f"""from postgres_query('catalogue', 'select coalesce(host(a.client_addr), ''this machine'')
            from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
            where l.locktype = ''advisory'' and l.granted and l.classid::bigint * 4294967296 + l.objid::bigint = {_LOCK}')"""
    ).fetchone()
    return f"from {found[0]}" if found else "unknown"


def _reason(error: Exception, address: LakeAddress) -> str:
    """DuckDB's error text without the connection string, which may contain a password."""
    return str(error).splitlines()[0].replace(address.catalogue, str(address)).rstrip(". ")
