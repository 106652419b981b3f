"""How many cores the work of this process may use: those that it was given, or those that whoever started it says."""

from __future__ import annotations

import os


def cores() -> int:
    """At least 1. A worker process that shares the machine with others is told its part by OMP_NUM_THREADS."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))
