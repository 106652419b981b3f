"""Runs a command in a child process, kills it at a chosen or random moment, and reports how it ended.

Children are forked from one warmed process, so a run does not pay for the start of Python. The kill is set up in the
child alone: the product contains no code for it.
"""

from __future__ import annotations

import faulthandler
import io
import os
import pickle
import random
import resource
import signal
import sys
import time
import traceback
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

WAIT_S = 900.0  # a child that takes longer hangs; a machine may stop to do something else meanwhile
_WATCHED = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "tempfile.mkstemp"}
_TOOLS = {f"pipelines.{name}" for name in ("__main__", "flow", "warehouse.file")} | {
    f"pipelines.core.{name}" for name in ("errors", "published", "records", "settings", "staging")
}


@dataclass(frozen=True, slots=True)
class Fault:
    """When and how a child is killed.

    `call`: before (or, at half a number, after) the n-th change of the file system or statement to DuckDB.
    `time`: SIGKILL from outside after so many seconds.
    `size`: by the kernel, in the middle of the write that lets any file grow over so many bytes.
    `full`: not killed: every write beyond so many bytes in a file fails, as on a full disk.
    """

    kind: Literal["call", "time", "size", "full"]
    at: float

    def __str__(self) -> str:
        return f"{self.kind} {self.at:g}"


@dataclass(frozen=True, slots=True)
class Call:
    """A change of the file system or a statement to DuckDB: when it came, in seconds, and which part of the product was at work."""

    at_s: float
    part: str


@dataclass(frozen=True, slots=True)
class Died:
    """How a child ended: killed, or with what it gave back or raised, after which calls and how many seconds."""

    killed: bool
    calls: tuple[Call, ...]
    took_s: float
    gave: Any = None
    error: str = ""
    printed: str = ""


class HangsError(AssertionError):
    """A child did not end."""


def run(work: Callable[[], Any], said: Path, fault: Fault | None = None) -> Died:
    """Do the work in a child that shares nothing with the next one; its result comes back through the file `said`, as does what it prints."""
    said.unlink(missing_ok=True)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_child(work, said, fault)
    deadline = started + WAIT_S
    kill_at = started + fault.at if fault and fault.kind == "time" else deadline
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        now = time.monotonic()
        if now >= min(kill_at, deadline):
            if now >= deadline:
                os.kill(child, signal.SIGUSR1)  # it shows where it stands
                time.sleep(1.0)
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if now >= deadline:
                raise HangsError(f"The child was still running after {WAIT_S:.0f} s (fault: {fault}).")
            break
        time.sleep(0.001)
    took_s = time.monotonic() - started
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) not in (signal.SIGKILL, signal.SIGXFSZ):
            raise AssertionError(f"The child died of signal {os.WTERMSIG(status)} by itself.")
        return Died(True, (), took_s)
    if os.WEXITSTATUS(status):
        raise AssertionError("The child could not say what became of its work.")
    calls, gave, error, printed = pickle.loads(said.read_bytes())
    return Died(False, calls, took_s, gave, error, printed)


def any_fault(random_: random.Random, calls: Sequence[Call], took_s: float, largest: int) -> Fault:
    """A fault somewhere in a run that makes these calls, takes so long and writes files up to this size.

    Each part of the product is as likely as another to be killed at one of its calls, be they few or many.
    """
    kind = random_.choice(("call", "call", "time", "time", "size"))
    if kind == "call":
        part = random_.choice(sorted({call.part for call in calls}))
        n = random_.choice([n for n, call in enumerate(calls, start=1) if call.part == part])
        return Fault("call", n + random_.choice((0.0, 0.5)))
    if kind == "time":
        return Fault("time", random_.uniform(0, took_s))
    return Fault("size", int(largest ** random_.uniform(0, 1)))


def part_hit(fault: Fault, calls: Sequence[Call]) -> str | None:
    """The part of the product that a fault of kind `call` or `time` hits in a run that makes these calls; of `time` about, for no two runs take as long."""
    if fault.kind == "call":
        return calls[min(int(fault.at), len(calls)) - 1].part
    if fault.kind == "time":
        return calls[max(bisect_left([call.at_s for call in calls], fault.at) - 1, 0)].part
    return None


def _be_the_child(work: Callable[[], Any], said: Path, fault: Fault | None) -> None:
    status = 1
    try:
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
        printed = sys.stdout = sys.stderr = io.StringIO()  # no file: a limit on the size of files must not stop a line of the log
        counter = _Counter(fault.at if fault and fault.kind == "call" else None)
        counter.watch()
        if fault and fault.kind in ("size", "full"):
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL if fault.kind == "size" else signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(fault.at), resource.RLIM_INFINITY))
        gave, error = None, ""
        try:
            gave = work()
        except BaseException:
            error = traceback.format_exc()
        counter.stop_at = None
        if fault:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        said.write_bytes(pickle.dumps((tuple(counter.calls), gave, error, printed.getvalue())))
        status = 0
    finally:
        os._exit(status)


class _Counter:
    """Notes what changes the file system, and every statement to DuckDB; kills this process when the count is reached."""

    def __init__(self, stop_at: float | None) -> None:
        self.calls: list[Call] = []
        self.stop_at = stop_at
        self.started = time.monotonic()

    def watch(self) -> None:
        sys.addaudithook(self._audit)  # before the event happens
        for name in ("execute", "close", "register"):
            setattr(duckdb.DuckDBPyConnection, name, self._counted(getattr(duckdb.DuckDBPyConnection, name)))
        for name in ("replace", "fsync", "unlink"):
            setattr(os, name, self._counted(getattr(os, name)))

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _WATCHED or (event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            self._step(0.0)

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self._step(0.0)
            result = function(*arguments, **named)
            self._step(0.5)
            return result

        return call

    def _step(self, half: float) -> None:
        if half == 0.0:
            self.calls.append(Call(time.monotonic() - self.started, _part_at_work()))
        if self.stop_at is not None and len(self.calls) + half >= self.stop_at:
            os.kill(os.getpid(), signal.SIGKILL)


def _part_at_work() -> str:
    """The innermost module of the product on the stack that is no mere tool of the others; of those, whatever function of the flow uses them."""
    frame, of_flow = sys._getframe(1), "the command"
    while frame.f_back is not None:
        frame = frame.f_back
        module = frame.f_globals.get("__name__", "")
        if module.startswith("pipelines.") and module not in _TOOLS:
            return str(module.removeprefix("pipelines."))
        if module == "pipelines.flow" and of_flow == "the command":
            of_flow = f"flow.{frame.f_code.co_name}"
    return of_flow
