"""The environment of the compared engines: WhisperX pins packages that conflict with Callgrade's, so they get `.venv-peers`."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from pathlib import Path

from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import ROOT

LOGGER = logging.getLogger("callgrade")
VENV = ROOT / ".venv-peers"
PINS = Path(__file__).with_name("peers.txt")


def python(venv: Path = VENV) -> Path:
    """The interpreter of the peers."""
    return venv / "bin" / "python"


def is_ready(venv: Path = VENV) -> bool:
    """Whether the environment holds what `peers.txt` pins now."""
    mark = _mark(venv)
    return python(venv).exists() and mark.exists()


def ensure(venv: Path = VENV) -> None:
    """Make the environment unless it is there; several gigabytes, some minutes. Raises MisconfiguredError when pip cannot.

    torch comes first and by itself: pip then takes a CPU build where its index has one.
    """
    if is_ready(venv):
        return
    LOGGER.info("the peers' environment in %s: several gigabytes the first time", venv)
    if not python(venv).exists():
        _run([sys.executable, "-m", "venv", str(venv)])
    pip = [str(python(venv)), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile", "--quiet"]
    torch = next(line.strip() for line in PINS.read_text(encoding="utf-8").splitlines() if line.startswith("torch=="))
    _run([*pip, torch])
    _run([*pip, "--requirement", str(PINS)])
    _mark(venv).touch()


def _mark(venv: Path) -> Path:
    return venv / f".installed-{hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]}"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-5:])
        raise MisconfiguredError(f"The peers' environment could not be made ({' '.join(command[1:4])} ...):\n{last}")
