"""How a process that grades many batches gives memory back."""

from __future__ import annotations

import ctypes
import os

NAME = "MALLOC_ARENA_MAX"
_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_one_heap() -> None:
    """Let all threads of this process, and of those it starts, take their memory from one heap; a number in MALLOC_ARENA_MAX stays.

    glibc gives each thread a heap of its own and keeps what is freed there for later threads of that heap, so that a process whose steps come and go in
    threads grows by half over a thousand calls. To be called before the libraries that start threads are imported; elsewhere than on glibc it does nothing.
    """
    most = os.environ.setdefault(NAME, "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and most.isdecimal():
        mallopt(_M_ARENA_MAX, int(most))


def give_back() -> None:
    """Return to the system what was freed since, so that a step does not hold the memory of the one before it; elsewhere than on glibc it does nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
