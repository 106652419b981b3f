"""Background work yields to interactive requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness is that of all threads")

NICENESS = """
import os, sys, threading
from models import cores

def niceness():
    return os.getpriority(os.PRIO_PROCESS, 0)

before = niceness()  # that of the tests, which may have given way in an earlier one
cores._NICENESS = before + 2
"""
A_THREAD = """
from models.cores import let_people_go_first

def work():
    let_people_go_first()
    let_people_go_first()  # it does not add up
    aside.append(niceness())
    later = threading.Thread(target=lambda: aside.append(niceness()))
    later.start(), later.join()

aside = []
thread = threading.Thread(target=work)
thread.start(), thread.join()
print(before, niceness(), *aside)
"""
GRADING = """
from pipelines.__main__ import main
main(["grade", sys.argv[1], "--warehouse", sys.argv[1] + "/calls.duckdb"])
print(before, niceness())
"""
A_TASK = """
from dags.rules import DEFAULTS
DEFAULTS["on_execute_callback"]({})
print(before, niceness())
"""


def _printed(code: str, *arguments: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", NICENESS + code, *arguments], capture_output=True, text=True, check=True)
    return [int(number) for number in done.stdout.split("\n")[-2].split()]


def test_a_thread_gives_way_with_all_that_it_starts_and_no_other_does() -> None:
    before, after, aside, later = _printed(A_THREAD)
    assert before == after < aside == later


@pytest.mark.parametrize("code", [GRADING, A_TASK])
def test_grading_gives_way(code: str, tmp_path: Path) -> None:
    before, after = _printed(code, str(tmp_path))
    assert before < after
