"""Long work that a page starts and asks about: one at a time in a thread of low priority, with its progress, its result or its error.

A result is cached until newer ones need its place or the server restarts.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from models.cores import let_people_go_first

log = logging.getLogger("callgrade")
T = TypeVar("T")
MOST_CACHED = 20
Progress = Callable[[int, int], None]  # items done, items in all


@dataclass
class BackgroundJob(Generic[T]):
    """One piece of work: how far it is, and its result once it is done."""

    done: int = 0
    total: int = 0
    future: Future[T] = field(default_factory=Future)
    is_stopped: bool = False

    @property
    def state(self) -> Literal["waiting", "running", "done", "failed"]:
        """Where the work stands."""
        if self.future.done():
            return "failed" if self.future.cancelled() or self.future.exception() else "done"
        return "running" if self.future.running() else "waiting"

    @property
    def result(self) -> T:
        """The result of finished work. Raises its error."""
        return self.future.result(timeout=0)

    def report(self, done: int, total: int) -> None:
        """Record the progress. Raises CancelledError, which ends the work, once the server stops."""
        if self.is_stopped:
            raise CancelledError
        self.done, self.total = done, total


class BackgroundJobs(Generic[T]):
    """The jobs of one kind, by key; a key is worked on once, however often it is asked for."""

    def __init__(self, most: int = MOST_CACHED) -> None:
        self._jobs: OrderedDict[Hashable, BackgroundJob[T]] = OrderedDict()
        self._lock = threading.Lock()
        self._most = most
        self._pool: ThreadPoolExecutor | None = None

    def start(self, key: Hashable, work: Callable[[Progress], T]) -> BackgroundJob[T]:
        """The job of a key: the one under way or finished, else a new one; one that failed is tried again."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.state == "failed":
                job = self._jobs[key] = BackgroundJob()
                self._pool = self._pool or ThreadPoolExecutor(1, "callgrade-jobs", let_people_go_first)
                job.future = self._pool.submit(_run, work, job)
                self._drop_old()
            self._jobs.move_to_end(key)
            return job

    def find(self, key: Hashable) -> BackgroundJob[T] | None:
        """The job of a key, where there is one."""
        with self._lock:
            return self._jobs.get(key)

    def close(self) -> None:
        """Start no more work, and end what is under way at its next progress."""
        with self._lock:
            for job in self._jobs.values():
                job.is_stopped = True
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    def _drop_old(self) -> None:
        for key in [key for key, job in self._jobs.items() if job.state in ("done", "failed")][: max(0, len(self._jobs) - self._most)]:
            del self._jobs[key]


def _run(work: Callable[[Progress], T], job: BackgroundJob[T]) -> T:
    try:
        return work(job.report)
    except CancelledError:
        raise
    except Exception as error:
        log.error("background work failed: %s", type(error).__name__)
        raise
