"""The application database: a small SQLite file beside the warehouse for accounts, sessions, the audit log, reviews and packs.

Nothing here writes to the published warehouse. Migrations in `migrations/` are applied once each, in order, and never change afterwards.
Rows of a table with a column `call_id` are forgotten together with the warehouse's: see `forgetting`.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from models import private_files
from pipelines.app_db.refusals import Refusals
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 10.0
_SCRIPTS = {int(file.name[:4]): file.read_text(encoding="utf-8") for file in sorted(MIGRATIONS.glob("[0-9]*.sql"))}

Row = dict[str, Any]


class AppDatabase:
    """The application database of a site. Each block opens its own connection, so threads share nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refusals: Refusals | None = None  # set by a server: decides which refused requests get audit entries
        self._held: sqlite3.Connection | None = None
        private_files.make_folder(path.parent)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, private_files.file_mode()))
        with self._open() as db:
            db.execute("pragma journal_mode = wal")
            self._migrate(db)
        with self.writing() as db:
            db.execute("insert into secrets values ('signing', ?) on conflict do nothing", [secrets.token_bytes(32)])
        self.signing_key: bytes = self.rows("select value from secrets where name = 'signing'")[0]["value"]

    def hold(self) -> None:
        """Keep a connection open until `close`, for a server: otherwise each write would end with a checkpoint of the write-ahead log."""
        self._held = sqlite3.connect(self.path, check_same_thread=False)
        self._held.execute("pragma secure_delete = on")
        self._held.execute("select count(*) from secrets")

    def close(self) -> None:
        """Close the connection."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def rows(self, sql: str, *values: object) -> list[Row]:
        """The rows of one query as dictionaries."""
        with self._open() as db:
            return [dict(row) for row in db.execute(sql, values)]

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction that excludes other writers, so that what it reads is still true when it writes. All or nothing."""
        with self._open() as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                db.execute("rollback")
                raise
            db.execute("commit")

    def purge(self) -> None:
        """Rewrite the file and empty its write-ahead log, so that neither contains a deleted or changed row.

        Raises TransientError when a reader or writer keeps the log in use for longer than `BUSY_S`.
        """
        with self._open() as db:
            db.execute("vacuum")  # moving rows between pages leaves copies that `secure_delete` does not reach
            busy, *_ = db.execute("pragma wal_checkpoint(truncate)").fetchone()
        if busy:
            raise TransientError(f"{self.path} is in use: its write-ahead log still contains deleted rows. Run the command again.")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)) as db:
                db.row_factory = sqlite3.Row
                db.execute("pragma foreign_keys = on")
                db.execute("pragma synchronous = full")
                db.execute("pragma secure_delete = on")  # overwrite deleted content with zeros
                yield db
        except sqlite3.OperationalError as error:
            raise TransientError(f"{self.path} could not be used: {error}.") from error

    def _migrate(self, db: sqlite3.Connection) -> None:
        db.execute("begin immediate")
        done = db.execute("pragma user_version").fetchone()[0]
        if done > max(_SCRIPTS):
            raise MisconfiguredError(
                f"{self.path} was written by a newer Callgrade (migration {done}, this version has {max(_SCRIPTS)}). Use that version."
            )
        for number, script in _SCRIPTS.items():
            if number > done:
                for statement in _statements(script):
                    db.execute(statement)
                db.execute(f"pragma user_version = {number}")
        db.execute("commit")


def store_path(settings: Settings) -> Path:
    """The path of a site's application database."""
    return settings.site / "people.sqlite3"


def open_store(settings: Settings) -> AppDatabase:
    """The application database of a site, created if missing."""
    private_files.tighten(settings.site)
    return AppDatabase(store_path(settings))


def present() -> float:
    """Now, in seconds since 1970."""
    return time.time()


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one, to run inside our transaction (`executescript` would end it)."""
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""
    if part.strip():
        yield part
