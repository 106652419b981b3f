"""The published copy for a server that stays up: one shared reading, opened anew when publishing swaps the file, a cursor for each request."""

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
# Who asks right after publishing waits so long for the new copy; after that the one of before is shown until the new one is warm, but no longer than that.
PATIENCE_S, LONGEST_OLD_S = 2.0, 180.0
THREADS = 2  # of DuckDB, for all requests together: judging may run on the same machine
WARMING_THREADS = 1  # of a copy that is made warm while the one of before is read: the thread that does it, and no other
_CATALOG = "published"


class _Generation:
    """One file that was published, open until the last request that reads it is done."""

    def __init__(self, settings: Settings, mark: tuple[int, ...], threads: int, forgotten: tuple[int, ...]) -> None:
        self.mark = mark
        self.forgotten = forgotten  # another value once calls were taken out of the published copy
        self.kept: dict[Hashable, Any] = {}
        self.making: dict[Hashable, threading.Lock] = {}
        self.lock = threading.Lock()
        self.readers = 0
        self.warming: duckdb.DuckDBPyConnection | None = None
        self.is_warm = threading.Event()
        self.opened_s = time.monotonic()
        self.is_old = False
        try:
            # Attached to a database in memory, because connecting to the path again would find the file of before, which is still open.
            self.connection = duckdb.connect(":memory:", config={"threads": threads})
            self.connection.execute(f"attach {literal(settings.snapshot)} as {_CATALOG} (read_only)")
            self.connection.execute("set enable_external_access = false")
        except duckdb.IOException as error:
            raise TransientError(f"The published copy {settings.snapshot} cannot be opened now: {error}") from error

    def close(self) -> None:
        self.connection.close()


class SnapshotReader(Published):
    """The published copy as one request sees it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, generation: _Generation) -> None:
        super().__init__(connection)
        self._generation = generation

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, worked out once for each published copy: for sums over all calls, which do not change in between."""
        generation = self._generation
        with generation.lock:
            making = generation.making.setdefault(key, threading.Lock())
        with making:  # who asks meanwhile waits for the answer instead of working it out too
            if key not in generation.kept:
                generation.kept[key] = make()
        found: T = generation.kept[key]
        return found

    @property
    def generation(self) -> tuple[int, ...]:
        """Another value for each published copy."""
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
        """Work out ahead, in the background, what many pages of each published copy will ask for (with `Reading.once`)."""
        self._warm = warm
        if self._settings.snapshot.exists():
            with self.read():
                pass  # the first reading starts it

    @contextmanager
    def read(self) -> Iterator[SnapshotReader]:
        """The copy as it is now, for one request; a query that takes too long is stopped.

        Raises MisconfiguredError when nothing is published, TransientError when it cannot be read now.
        """
        generation = self._enter()
        cursor = generation.connection.cursor()
        timer = threading.Timer(LONGEST_QUERY_S, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield _reading(cursor, generation)
        except duckdb.InterruptException as error:
            raise TransientError("The answer took too long and was given up.") from error
        finally:
            timer.cancel()
            cursor.close()
            self._leave(generation)

    def close(self) -> None:
        """Let go of the file."""
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
        """The copy that was published since, to be read instead of the one of before as soon as its sums are worked out; None where there is none.

        Also whether it must be read at once, because calls that the one of before holds were forgotten.
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
            ):  # one that is being warmed is waited for, even when another was published meanwhile: else none might ever get warm
                fresh = _Generation(self._settings, mark, THREADS if self._current is None else WARMING_THREADS, forgotten)
                if self._warm is None:
                    fresh.is_warm.set()
                else:
                    fresh.readers += 1  # held until it is warm
                    threading.Thread(target=self._warm_up, args=(fresh, self._warm), daemon=True).start()
                if self._current is None:
                    self._current = fresh  # there is nothing to read meanwhile
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
            log.debug("warming was given up: %s", error)  # whoever asks for a page works it out then, or is told what is wrong
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
