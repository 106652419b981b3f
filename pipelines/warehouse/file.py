"""The warehouse file: one writer at a time, tables from migrations, views and macros from sql/.

Migrations are append-only: each is applied once, in one transaction, and recorded with its sha256. `marts` recreates its views and tables
whenever their text changes. Only the `warehouse` package opens this file; everything else reads the published copy.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TextIO

import duckdb

from models import atomic_files, private_files
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.settings import Settings, now
from pipelines.warehouse import lake, marts
from pipelines.warehouse.marts import SQL

LOCK_TIMEOUT_S = 600.0
_POLL_S = 0.2
_LOG_AFTER_S = 2.0
# The rows of core.migrations that record the digest of the macros and views, and that of the queries behind the intermediate tables.
_VIEWS, _INTERMEDIATE = "~views", "~intermediate"
# The list of a new file starts in the schema `store`, as that of the first version; migration 0012 moves it.
_MIGRATIONS = (
    "create table if not exists store.migrations (name varchar primary key, sha256 varchar not null, applied_at timestamptz not null)"
)

log = logging.getLogger("callgrade")


@contextmanager
def open_for_writing(settings: Settings, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the migrated warehouse file; this process holds the write lock while the block runs.

    Raises TransientError when another writer holds the lock for `timeout_s` or the disk fails; MisconfiguredError when the file was
    written with changed or newer migrations.
    """
    with write_lock(settings, timeout_s), writers_connection(settings, timeout_s) as connection, disk_errors_explained(settings.warehouse):
        migrate(connection)
        yield connection


@contextmanager
def writers_connection(settings: Settings, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse file, or the lake that replaces it, without migrating; the caller holds this machine's write lock."""
    remove_leftovers(settings.warehouse)
    if settings.lake is not None:
        with lake.open_for_writing(settings.lake, timeout_s) as connection:
            yield connection
        return
    if not settings.warehouse.exists():
        _begin(settings.warehouse)
    connection = connect(settings.warehouse)
    try:
        yield connection
    finally:
        connection.close()


def _begin(path: Path) -> None:
    """Create an empty file, complete before it gets its name. DuckDB cannot open one whose first 12 kB a full disk truncated."""
    fresh = path.with_name(f".{path.name}.fresh")
    connect(fresh).close()
    atomic_files.put_in_place(fresh, path)


@contextmanager
def open_for_reading(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """Open the tables as last committed, of any version; None where nothing was ever written."""
    if settings.lake is not None:
        try:
            with lake.open_for_reading(settings.lake) as connection:
                yield connection
        except lake.NoLakeError:
            yield None
        return
    if not settings.warehouse.exists():
        yield None
        return
    with write_lock(settings):
        connection = connect(settings.warehouse, read_only=True)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def disk_errors_explained(path: Path) -> Iterator[None]:
    """Turn DuckDB's disk errors, in a statement, a checkpoint or a commit, into a TransientError."""
    try:
        yield
    except (OSError, duckdb.IOException, duckdb.FatalException, duckdb.TransactionException) as error:
        raise TransientError(
            f"The warehouse {path} could not be written: {_first_line(error)}. Its previous content is unchanged."
        ) from error


@contextmanager
def write_lock(settings: Settings, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the write lock; other processes log that they wait, up to `timeout_s`, then raise a TransientError."""
    private_files.make_folder(settings.site)
    _tighten(settings)
    with (settings.site / "writer.lock").open("a+", encoding="utf-8") as file:
        started, is_logged = time.monotonic(), False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited_s = time.monotonic() - started
                if waited_s >= timeout_s:
                    raise TransientError(
                        f"Another process ({_holder(file)}) has been writing to {settings.warehouse} for {waited_s:.0f} s. "
                        "Try again when it has finished."
                    ) from None
                if not is_logged and waited_s >= _LOG_AFTER_S:
                    log.info("waiting: another process (%s) is writing to %s", _holder(file), settings.warehouse.name)
                    is_logged = True
                time.sleep(_POLL_S)
        with suppress(OSError):  # a full disk must not prevent others from reading who wrote last
            file.truncate(0)
            file.write(f"{os.getpid()} on {socket.gethostname()}")
            file.flush()
        yield  # closing the file releases the lock, also when the process dies


def _tighten(settings: Settings) -> None:
    """Revoke access that an older version, another umask or a copy gave to other users of this machine."""
    local_lake = [Path(settings.lake.data)] if settings.lake is not None and not settings.lake.is_in_bucket else []
    private_files.tighten(settings.site, settings.warehouse, settings.warehouse.with_name(f"{settings.warehouse.name}.wal"), *local_lake)


def remove_leftovers(path: Path) -> None:
    """Remove files that a killed run may have left beside a DuckDB file: spilled memory and unfinished copies."""
    shutil.rmtree(f"{path}.tmp", ignore_errors=True)
    for name in (f".{path.name}.part", f".{path.name}.fresh", f".{path.name}.fresh.wal"):
        path.with_name(name).unlink(missing_ok=True)


def _holder(lock: TextIO) -> str:
    lock.seek(0)
    return lock.read() or "unknown"


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection with its time zone set to UTC. Raises TransientError when another process has the file open."""
    private_files.make_folder(path.parent)
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
    except duckdb.IOException as error:
        hint = " Close the program that has it open; to read the data, open the published copy." if "lock" in str(error) else ""
        raise TransientError(f"{path} cannot be opened: {_first_line(error)}.{hint}") from error
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")  # DuckDB takes a spawned process for an interactive session
    return connection


def migrate(connection: duckdb.DuckDBPyConnection, sql: Path = SQL) -> None:
    """Migrate tables, macros and views to this version; does nothing when they are current.

    Raises MisconfiguredError when an applied migration has since been changed or is missing.
    """
    if core_schema(connection) == "store":
        connection.execute("create schema if not exists store")
        connection.execute(lake.fitted(connection, _MIGRATIONS))
    applied = dict(connection.execute(f"select name, sha256 from {core_schema(connection)}.migrations order by name").fetchall())
    files = sorted((sql / "migrations").glob("*.sql"))
    names = {name for name in applied if not name.startswith("~")}
    missing = sorted(names - {file.name for file in files})
    if missing:
        raise MisconfiguredError(
            f"The warehouse was written by a newer version: it has migration {missing[0]}, which is not in sql/migrations."
        )
    for file in files:
        digest = _digest(file)
        if file.name not in applied:
            later = [name for name in sorted(names) if name > file.name]
            if later:
                raise MisconfiguredError(
                    f"sql/migrations/{file.name} comes before {later[0]}, which has already been applied; give it the next number."
                )
            _apply(connection, partial(connection.execute, lake.fitted(connection, file.read_text(encoding="utf-8"))), {file.name: digest})
        elif applied[file.name] != digest:
            raise MisconfiguredError(
                f"sql/migrations/{file.name} was changed after it was applied. Restore it and add a new migration instead."
            )
    views = marts.digest(sql)
    if applied.get(_VIEWS) == views:  # the usual case: the queries of derived tables cannot have changed then
        return
    intermediate = marts.digest_of_intermediate(sql)
    change = marts.create_views if applied.get(_INTERMEDIATE) == intermediate else marts.create
    _apply(connection, lambda: change(connection, sql), {_VIEWS: views, _INTERMEDIATE: intermediate})


def core_schema(connection: duckdb.DuckDBPyConnection) -> str:
    """The schema with the loaded rows: `core`, or `store` in a file that no version since migration 0012 has written."""
    found = connection.execute(
        "select 1 from duckdb_tables() where database_name = current_database() and schema_name = 'core' and table_name = 'migrations'"
    ).fetchone()
    return "core" if found else "store"


def is_current(connection: duckdb.DuckDBPyConnection, sql: Path = SQL) -> bool:
    """Whether a file has the tables, macros and views of this version."""
    try:
        applied = dict(connection.execute("select name, sha256 from core.migrations").fetchall())
    except duckdb.CatalogException:
        return False
    return applied == {file.name: _digest(file) for file in (sql / "migrations").glob("*.sql")} | {
        _VIEWS: marts.digest(sql),
        _INTERMEDIATE: marts.digest_of_intermediate(sql),
    }


def _apply(connection: duckdb.DuckDBPyConnection, change: Callable[[], object], applied: Mapping[str, str]) -> None:
    connection.execute("begin")
    try:
        change()
        for name, digest in applied.items():
            connection.execute(
                f"""merge into {core_schema(connection)}.migrations
                   using (select ? as name, ? as sha256, cast(? as timestamptz) as applied_at) as applied using (name)
                   when matched then update
                   when not matched then insert""",
                [name, digest, now()],
            )
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
