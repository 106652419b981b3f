"""Engines in separate processes, called alternately: only one of them works at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from pipelines.core import heap
from pipelines.core.settings import ROOT

WORKER = Path(__file__).with_name("worker.py")


class EngineError(Exception):
    """An engine's process ended before it answered; the text says which, and the last that it printed."""


def environment(threads: int) -> dict[str, str]:
    """What a process that is measured is told: how many threads, no hub, where the project lies."""
    kept = {key: value for key, value in os.environ.items() if key not in ("OMP_PLACES", "OMP_PROC_BIND")}
    return kept | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "PYANNOTE_METRICS_ENABLED": "false",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


def answer_of(module: str, order: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """What a module of the benchmarks answers to an order in a process of its own; its progress lines go where ours do.

    Raises EngineError when the process fails.
    """
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", json.dumps(order)]
    told = environment(threads) | {heap.NAME: "1"}  # as `callgrade grade` does before it imports anything
    child = subprocess.run(command, cwd=ROOT, env=told, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False)
    if child.returncode:
        raise EngineError(f"{module} over {order['folder']} ended with status {child.returncode}; what it said stands above.")
    answer: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return answer


class Engine:
    """A running `worker.py`: loads its engine at once, answers requests, and ends with the `with` block."""

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        python: Path = Path(sys.executable),
        log: Path,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name, self._log = name, log
        self._log_file = log.open("w", encoding="utf-8")
        command = [str(python), "-P", str(WORKER), name.split(" ")[0], json.dumps(dict(options))]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment(options["threads"]), **extra},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log_file,
            text=True,
            encoding="utf-8",
        )
        try:
            self.loaded = self._answer()
        except EngineError:
            self.close()
            raise

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The engine's answer to one request. Raises EngineError when its process ends instead."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the reason is in its log, and is raised below
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._log_file.flush()
            last = "\n".join(self._log.read_text(encoding="utf-8").splitlines()[-8:])
            raise EngineError(f"{self.name} ended with status {self._process.returncode}:\n{last}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()
        self._log_file.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
