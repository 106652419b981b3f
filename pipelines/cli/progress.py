"""Progress display of a run: a progress bar on a terminal, plain lines otherwise.

The steps log `step n/total call_id` through the logger `callgrade`; transcript text is never logged.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LOGGER = logging.getLogger("callgrade")
_COUNTED = re.compile(r"^(?P<step>[a-z]+) (?P<done>\d+)/(?P<total>\d+) (?P<what>.*)$")


@contextmanager
def show_progress() -> Iterator[None]:
    """Attach the suitable display to the logger while a command runs."""
    terminal = sys.stderr.isatty()
    handler: logging.Handler = _BarHandler() if terminal else _LineHandler()
    handler.addFilter(lambda record: record.levelno >= logging.INFO)
    before = LOGGER.level, LOGGER.propagate
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        handler.close()
        LOGGER.setLevel(before[0])
        LOGGER.propagate = before[1]


class _LineHandler(logging.Handler):
    """Plain lines: the first and last of each count, and at most one every five seconds in between."""

    every_s = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._last = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        counted = _COUNTED.match(message)
        if counted and counted["done"] not in ("1", counted["total"]) and time.monotonic() - self._last < self.every_s:
            return
        self._last = time.monotonic()
        print(_plain_level(record) + message, file=sys.stderr, flush=True)


class _BarHandler(logging.Handler):
    """One bar per step; everything else is printed above the bars."""

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress(
            TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[what]}", markup=False),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def emit(self, record: logging.LogRecord) -> None:
        counted = _COUNTED.match(record.getMessage())
        if not counted:
            self._progress.console.print(_plain_level(record) + record.getMessage(), markup=False, highlight=False)
            return
        step, done, total = counted["step"], int(counted["done"]), int(counted["total"])
        if done == 1 and step in self._tasks:  # the next batch starts this step again
            self._progress.remove_task(self._tasks.pop(step))
        if step not in self._tasks:
            self._progress.start()  # not before: a running display erases the questions that a command asks
            self._tasks[step] = self._progress.add_task(step, total=total, what="")
        self._progress.update(self._tasks[step], completed=done, total=total, what=counted["what"])

    def close(self) -> None:
        self._progress.stop()
        super().close()


def _plain_level(record: logging.LogRecord) -> str:
    return "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
