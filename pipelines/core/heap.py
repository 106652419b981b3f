"""Returns memory to the operating system in a process that grades many batches."""

from __future__ import annotations

import ctypes
import os

NAME = "MALLOC_ARENA_MAX"
_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_one_heap() -> None:
    """Make all threads of this process, and of its children, allocate from one heap; a number in MALLOC_ARENA_MAX takes precedence.

    glibc gives each thread its own heap and retains freed memory for later threads of that heap, so that a process whose steps run in
    short-lived threads grows by half over a thousand calls. Call it before importing libraries that start threads; on other C libraries
    it does nothing.
    """
    most = os.environ.setdefault(NAME, "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and most.isdecimal():
        mallopt(_M_ARENA_MAX, int(most))


def give_back() -> None:
    """Return freed memory to the system, so that a step does not hold the memory of the one before it; does nothing without glibc."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
