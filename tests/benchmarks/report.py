"""Output of the benchmarks: Markdown tables, ratios, the machine, and the figures as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("ctranslate2", "faster-whisper", "onnxruntime", "torch", "pyannote.audio")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that every benchmark has."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")


def publish(result: Mapping[str, Any], table: str, to: Path | None) -> None:
    """Print a benchmark's table with the machine it ran on, and write its figures where that was asked for."""
    place = machine()
    print(f"\n{table}\n\n{describe(place)}", flush=True)
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(json.dumps({**result, "machine": place}, ensure_ascii=False, indent=1), encoding="utf-8")


def ratio(of: float, to: float) -> str:
    """How many times as much, with two digits after the point; empty where there is nothing to compare with."""
    return f"{of / to:.2f}" if to else ""


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"A row of {len(row)} cells in a table of {len(head)} columns: {row}")
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "none"
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "packages": packages,
    }


def describe(place: Mapping[str, Any]) -> str:
    """The machine in one line; a load above the number of cores means that others were at work as well."""
    packages = ", ".join(f"{name} {number}" for name, number in place["packages"].items())
    return f"{place['when']}, {place['cores']} cores of {place['processor']}, load {place['load']}; Python {place['python']}, {packages}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
