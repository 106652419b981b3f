"""How many cores the work of this process may use, work shared out among them, and who goes first."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_NICENESS = 10  # of -20 to 19: a tenth of the processor when others want it, all of it when nobody does


def cores() -> int:
    """At least 1: those that this process was given. A worker that shares the machine with others is told its part by OMP_NUM_THREADS."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))


def on_every_core(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The result for each item as soon as it and those before it are there, an item a core at a time.

    In threads: for work that spends its time outside Python (decoders, networks). Raises what the first item to fail raised.
    """
    with threads(cores()) as pool:
        yield from pool.map(work, items)


@contextmanager
def threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads for the block. What has not begun when the block fails is dropped, and who interrupts the program does not wait for the rest."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=not isinstance(error, KeyboardInterrupt), cancel_futures=True)
        raise
    pool.shutdown()


def let_people_go_first() -> None:
    """Give way to what people wait for on this machine (pages, queries), from this thread and all that it starts from now on.

    For work in the background, before it imports what starts threads; it cannot be taken back. Elsewhere than on Linux, where 0 is not the thread
    that asks but all of them, it does nothing.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
