"""A slice of the kills for every change; `python -m tests.crash --kills 1000` runs as many as wanted."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from pipelines.settings import ROOT


def run(*arguments: str) -> str:
    """What a module of this folder prints; it forks, so it needs a process of its own."""
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")}
    ended = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=os.environ | one_thread, capture_output=True, text=True, timeout=1800
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-6000:]
    return ended.stdout


@pytest.mark.slow
def test_whatever_is_killed_comes_to_the_same_end() -> None:
    said = run("tests.crash", "--kills", "25", "--seed", "7", "--scene", "second day", "--scene", "erased client")
    disturbed = re.findall(r"(\d+) disturbed", said)
    assert int(disturbed[-1]) >= 25
    assert said.rstrip().endswith("0 wrong")


@pytest.mark.slow
def test_twenty_readers_beside_a_loader_see_whole_states_only() -> None:
    said = run("tests.crash.readers")
    assert re.match(r"20 readers, \d+ readings, \d+ of 8 published states seen, 0 others", said)
