"""The published copy in a server: one shared database, reopened when publishing swaps the file, and a cursor per request."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from models.cores import let_people_go_first
from pipelines.core.errors import CallgradeError, MisconfiguredError, TransientError
from pipelines.core.published import Published, T
from pipelines.core.settings import Settings
from pipelines.core.sql_text import literal
from pipelines.warehouse.forgetting import MARK

log = logging.getLogger("callgrade")

LONGEST_QUERY_S = 60.0
# Requests wait this long for a new copy; then the previous one is served until the new one is warm, but not longer.
PATIENCE_S, LONGEST_OLD_S = 2.0, 180.0
THREADS = 2  # of DuckDB, for all requests together: grading may run on the same machine
WARMING_THREADS = 1  # for warming a copy while the previous one is served: the calling thread only
_CATALOG = "published"


class _Generation:
    """One published file, open until the last request that reads it has finished."""

    def __init__(self, settings: Settings, mark: tuple[int, ...], threads: int, forgotten: tuple[int, ...]) -> None:
        self.mark = mark
        self.forgotten = forgotten  # changes when calls are removed from the published copy
        self.kept: dict[Hashable, Any] = {}
        self.making: dict[Hashable, threading.Lock] = {}
        self.lock = threading.Lock()
        self.readers = 0
        self.warming: duckdb.DuckDBPyConnection | None = None
        self.is_warm = threading.Event()
        self.opened_s = time.monotonic()
        self.is_old = False
        try:
            # Attached to an in-memory database, because connecting to the path again would return the previous file, which is still open.
            self.connection = duckdb.connect(":memory:", config={"threads": threads})
            self.connection.execute(f"attach {literal(settings.snapshot)} as {_CATALOG} (read_only)")
            self.connection.execute("set enable_external_access = false")
        except duckdb.IOException as error:
            raise TransientError(f"The published copy {settings.snapshot} cannot be opened: {error}") from error

    def close(self) -> None:
        self.connection.close()


class SnapshotReader(Published):
    """The published copy as one request sees it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, generation: _Generation) -> None:
        super().__init__(connection)
        self._generation = generation

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of `make`, computed once per published copy: for aggregates over all calls, which do not change in between."""
        generation = self._generation
        with generation.lock:
            making = generation.making.setdefault(key, threading.Lock())
        with making:  # concurrent callers wait for the result instead of computing it too
            if key not in generation.kept:
                generation.kept[key] = make()
        found: T = generation.kept[key]
        return found

    @property
    def generation(self) -> tuple[int, ...]:
        """A value that differs between published copies."""
        return self._generation.mark


class Snapshot:
    """The published copy of a site, shared by all requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._current: _Generation | None = None
        self._next: _Generation | None = None
        self._warm: Callable[[SnapshotReader], object] | None = None

    def keep_warm(self, warm: Callable[[SnapshotReader], object]) -> None:
        """Precompute in the background what many pages of each published copy need (with `SnapshotReader.once`)."""
        self._warm = warm
        if self._settings.snapshot.exists():
            with self.read():
                pass  # the first read starts it

    @contextmanager
    def read(self) -> Iterator[SnapshotReader]:
        """The current copy, for one request; a query that takes too long is interrupted.

        Raises MisconfiguredError when nothing is published, TransientError when the copy cannot be read at the moment.
        """
        generation = self._enter()
        cursor = generation.connection.cursor()
        timer = threading.Timer(LONGEST_QUERY_S, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield _reading(cursor, generation)
        except duckdb.InterruptException as error:
            raise TransientError("The query took too long and was interrupted.") from error
        finally:
            timer.cancel()
            cursor.close()
            self._leave(generation)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._retire(self._next)
            self._retire(self._current)
            self._current = self._next = None

    def _enter(self) -> _Generation:
        try:
            file = self._settings.snapshot.stat()
        except FileNotFoundError:
            raise MisconfiguredError(
                f"Nothing is published yet: {self._settings.snapshot} is missing. Run `callgrade grade FOLDER --warehouse FILE` first."
            ) from None
        mark = (file.st_dev, file.st_ino, file.st_mtime_ns, file.st_size)
        fresh, is_urgent = self._fresh(mark)
        if fresh is not None and not is_urgent:
            fresh.is_warm.wait(max(fresh.opened_s + PATIENCE_S - time.monotonic(), 0.0))
        with self._lock:
            is_due = fresh is not None and (is_urgent or fresh.is_warm.is_set() or time.monotonic() > fresh.opened_s + LONGEST_OLD_S)
            if fresh is not None and fresh is self._next and is_due:
                self._retire(self._current)
                self._current, self._next = fresh, None
                fresh.connection.execute(f"set threads = {THREADS}")
            assert self._current is not None
            self._current.readers += 1
            return self._current

    def _fresh(self, mark: tuple[int, ...]) -> tuple[_Generation | None, bool]:
        """A newly published copy, which replaces the previous one when its aggregates are computed; None where there is none.

        Also whether it must replace it at once, because calls in the previous one were forgotten.
        """
        with self._lock:
            if self._current is not None and self._current.mark == mark:
                return None, False
            forgotten = self._forgotten()
            if self._next is not None and self._next.forgotten != forgotten:
                self._retire(self._next)
                self._next = None
            if (
                self._next is None
            ):  # wait for the copy that is being warmed, even if another was published meanwhile: otherwise none might ever finish
                fresh = _Generation(self._settings, mark, THREADS if self._current is None else WARMING_THREADS, forgotten)
                if self._warm is None:
                    fresh.is_warm.set()
                else:
                    fresh.readers += 1  # held until it is warm
                    threading.Thread(target=self._warm_up, args=(fresh, self._warm), daemon=True).start()
                if self._current is None:
                    self._current = fresh  # there is no other copy to read meanwhile
                    return None, False
                self._next = fresh
            return self._next, self._current is not None and self._current.forgotten != forgotten

    def _forgotten(self) -> tuple[int, ...]:
        try:
            found = self._settings.snapshot.with_name(MARK).stat()
        except FileNotFoundError:
            return ()
        return found.st_ino, found.st_mtime_ns

    def _warm_up(self, generation: _Generation, warm: Callable[[SnapshotReader], object]) -> None:
        with self._lock:
            is_waited_for = generation is self._current
        if not is_waited_for:
            let_people_go_first()
        cursor = generation.connection.cursor()
        generation.warming = cursor
        try:
            warm(_reading(cursor, generation))
        except (duckdb.Error, CallgradeError) as error:
            log.debug("warming failed: %s", error)  # the next request for such a page computes it, or gets the error
        finally:
            generation.is_warm.set()
            generation.warming = None
            cursor.close()
            self._leave(generation)

    def _leave(self, generation: _Generation) -> None:
        with self._lock:
            generation.readers -= 1
            if generation.is_old and not generation.readers:
                generation.close()

    def _retire(self, generation: _Generation | None) -> None:
        if generation is None:
            return
        generation.is_old = True
        if generation.warming is not None:
            generation.warming.interrupt()
        if not generation.readers:
            generation.close()


def _reading(cursor: duckdb.DuckDBPyConnection, generation: _Generation) -> SnapshotReader:
    cursor.execute(f"use {_CATALOG}")
    cursor.execute("set timezone = 'UTC'")
    return SnapshotReader(cursor, generation)
