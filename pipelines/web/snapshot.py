"""The published copy for a server that stays up: one shared reading, opened anew when publishing swaps the file, a cursor for each request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import duckdb

from pipelines.errors import CallgradeError, MisconfiguredError, TransientError
from pipelines.published import Published
from pipelines.settings import Settings

T = TypeVar("T")
log = logging.getLogger("callgrade")

LONGEST_QUERY_S = 60.0
THREADS = 2  # of DuckDB, for all requests together: judging may run on the same machine
_CATALOG = "published"


class _Generation:
    """One file that was published, open until the last request that reads it is done."""

    def __init__(self, settings: Settings, mark: tuple[int, ...]) -> None:
        self.mark = mark
        self.kept: dict[Hashable, Any] = {}
        self.making: dict[Hashable, threading.Lock] = {}
        self.lock = threading.Lock()
        self.readers = 0
        self.warming: duckdb.DuckDBPyConnection | None = None
        self.is_old = False
        try:
            # Attached to a database in memory, because connecting to the path again would find the file of before, which is still open.
            self.connection = duckdb.connect(":memory:", config={"threads": THREADS})
            self.connection.execute(f"attach {_quoted(str(settings.snapshot))} as {_CATALOG} (read_only)")
            self.connection.execute("set enable_external_access = false")
        except duckdb.IOException as error:
            raise TransientError(f"The published copy {settings.snapshot} cannot be opened now: {error}") from error

    def close(self) -> None:
        self.connection.close()


class Reading(Published):
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
        self._warm: Callable[[Reading], object] | None = None

    def keep_warm(self, warm: Callable[[Reading], object]) -> None:
        """Work out ahead, in the background, what many pages of each published copy will ask for (with `Reading.once`)."""
        self._warm = warm
        if self._settings.snapshot.exists():
            with self.read():
                pass  # the first reading starts it

    @contextmanager
    def read(self) -> Iterator[Reading]:
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
            if self._current is not None:
                self._retire(self._current)
                self._current = None

    def _enter(self) -> _Generation:
        try:
            file = self._settings.snapshot.stat()
        except FileNotFoundError:
            raise MisconfiguredError(
                f"Nothing is published yet: {self._settings.snapshot} is missing. Run `callgrade grade FOLDER --warehouse FILE` first."
            ) from None
        mark = (file.st_dev, file.st_ino, file.st_mtime_ns, file.st_size)
        with self._lock:
            if self._current is None or self._current.mark != mark:
                fresh = _Generation(self._settings, mark)
                if self._current is not None:
                    self._retire(self._current)
                self._current = fresh
                if self._warm is not None:
                    fresh.readers += 1  # held until it is warm
                    threading.Thread(target=self._warm_up, args=(fresh, self._warm), daemon=True).start()
            self._current.readers += 1
            return self._current

    def _warm_up(self, generation: _Generation, warm: Callable[[Reading], object]) -> None:
        cursor = generation.connection.cursor()
        generation.warming = cursor
        try:
            warm(_reading(cursor, generation))
        except (duckdb.Error, CallgradeError) as error:
            log.debug("warming was given up: %s", error)  # whoever asks for a page works it out then, or is told what is wrong
        finally:
            generation.warming = None
            cursor.close()
            self._leave(generation)

    def _leave(self, generation: _Generation) -> None:
        with self._lock:
            generation.readers -= 1
            if generation.is_old and not generation.readers:
                generation.close()

    def _retire(self, generation: _Generation) -> None:
        generation.is_old = True
        if generation.warming is not None:
            generation.warming.interrupt()
        if not generation.readers:
            generation.close()


def _reading(cursor: duckdb.DuckDBPyConnection, generation: _Generation) -> Reading:
    cursor.execute(f"use {_CATALOG}")
    cursor.execute("set timezone = 'UTC'")
    return Reading(cursor, generation)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
