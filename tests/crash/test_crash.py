"""A sample of the kills for every change; `python -m tests.crash --kills 1000` runs any number."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from pipelines.core.settings import ROOT

# Side by side: two cores are there, and children that are killed use one each.
SLICES = (
    ("--kills", "4", "--seed", "7", "--scene", "second day", "--before", "at-once", "--before", "words"),
    ("--kills", "9", "--seed", "8", "--scene", "erased client", "--before", "none"),
)


def start(*arguments: str) -> subprocess.Popen[str]:
    """A module of this folder in a process of its own, because it forks."""
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")}
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | one_thread, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def output_of(process: subprocess.Popen[str]) -> str:
    """All that it printed, once it has ended well."""
    with process:
        said, _ = process.communicate(timeout=3600)
    assert process.returncode == 0, said[-6000:]
    return said


@pytest.mark.slow
def test_whatever_is_killed_comes_to_the_same_end() -> None:
    said = [output_of(process) for process in [start("tests.crash", *arguments) for arguments in SLICES]]
    assert sum(int(re.findall(r"(\d+) disturbed", one)[-1]) for one in said) >= 12
    assert all(one.rstrip().endswith("0 wrong") for one in said)


@pytest.mark.slow
def test_twenty_readers_beside_a_loader_see_whole_states_only() -> None:
    assert re.match(r"20 readers, \d+ readings, \d+ of 4 published states seen, 0 others", output_of(start("tests.crash.readers")))
