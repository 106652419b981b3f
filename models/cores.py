"""The cores that this process may use, parallel work on them, and background priority."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_NICENESS = 10  # of -20 to 19: a tenth of the processor under load, all of it on an idle machine


def cores() -> int:
    """The number of cores available to this process, at least 1. OMP_NUM_THREADS limits a worker that shares the machine."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))


def on_every_core(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The result for each item, in order, as soon as it is available; one item per core runs at a time.

    In threads: for work that runs outside Python (decoders, networks). Raises the error of the first item that failed.
    """
    with threads(cores()) as pool:
        yield from pool.map(work, items)


@contextmanager
def threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """A thread pool for the block; when the block fails, tasks that have not started are dropped and an interrupt does not wait for the rest."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=not isinstance(error, KeyboardInterrupt), cancel_futures=True)
        raise
    pool.shutdown()


def let_people_go_first() -> None:
    """Lower the priority of this thread, and of all that it starts from now on, below that of interactive work (pages, queries).

    For background work, before it imports anything that starts threads; it cannot be undone. Does nothing except on Linux, because
    elsewhere 0 means all threads, not the calling one.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
