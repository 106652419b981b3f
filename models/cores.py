"""How many cores the work of this process may use, and work shared out among them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """At least 1: those that this process was given. A worker that shares the machine with others is told its part by OMP_NUM_THREADS."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))


def on_every_core(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The result for each item as soon as it and those before it are there, an item a core at a time.

    In threads: for work that spends its time outside Python (decoders, networks). Raises what the first item to fail raised.
    """
    with ThreadPoolExecutor(cores()) as pool:
        yield from pool.map(work, items)
