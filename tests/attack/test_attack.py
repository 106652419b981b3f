"""All attacks at once on a real server, and on the intake beside it: pages are still answered, and memory and audit log stay bounded."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

from pipelines.core.settings import ROOT, Settings
from tests import sounds
from tests.attack import attacks, harness

SECONDS = 60 if os.environ.get("CI") else 12
CONNECTIONS = 500
PASSWORDS_MB = 135  # two are checked at a time, each in 64 MiB on purpose
REJECTED = ("script", "playlist", "pipe", "one hertz", "cut off", "noise")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return harness.make_site(Path(tmp_path_factory.mktemp("attacked")))


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    """What somebody who delivers files may try: files that name others, that never end, that claim to be huge, and that are none."""
    folder = tmp_path / "hostile"
    (folder / "elsewhere").mkdir(parents=True)
    sounds.write(folder / "elsewhere" / "secret.wav", 0.1 * np.ones((1, 40_000)))
    (folder / "script.wav").write_text("ffconcat version 1.0\nfile elsewhere/secret.wav\n")
    (folder / "playlist.wav").write_text("#EXTM3U\n#EXTINF:5,\nelsewhere/secret.wav\n")
    os.mkfifo(folder / "pipe.wav")
    whole = sounds.write(folder / "whole.wav", 0.1 * np.ones((1, 40_000))).read_bytes()
    (folder / "whole.wav").unlink()
    (folder / "one hertz.wav").write_bytes(whole[:24] + (1).to_bytes(4, "little") + whole[28:])
    (folder / "cut off.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "noise.mp3").write_bytes(random.Random(1).randbytes(50_000))
    return folder


def test_pages_are_answered_during_an_attack_and_nothing_grows(attacked: Settings, hostile_folder: Path, tmp_path: Path) -> None:
    warehouse = tmp_path / "hostile.duckdb"
    command = [sys.executable, "-m", "pipelines", "grade", str(hostile_folder), "--centre", "kyiv", "--warehouse", str(warehouse)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as grading:
        report = harness.run(attacked, SECONDS, CONNECTIONS)
        assert grading.wait(120) == 0
    with duckdb.connect(str(Settings.from_environment(warehouse=warehouse).snapshot), read_only=True) as db:
        rejected = dict(db.execute("select call_id, status_reason from calls where status <> 'graded'").fetchall())
    assert set(REJECTED) <= set(rejected) and all(rejected.values()), rejected
    print(report.text())
    assert not report.errors, report.text()
    assert set(report.statuses) <= {200, 303} and report.statuses[200] > 10, report.text()
    assert statistics.median(report.seconds) < 3.0, (
        report.text()
    )  # of two cores that also attack, grade and run other tests; the benchmark asks for 0.3
    assert report.memory_peak_mb - report.memory_before_mb < 100 + PASSWORDS_MB, report.text()
    assert report.audit_rows < 35 * len(harness.sources()), report.text()
    assert report.megabytes_tried > 100, report.text()
    assert {name for name, counts in report.tried.items() if not counts["connections"]} == set(), report.text()


def test_every_attack_gets_a_connection_and_all_of_them_are_shared_out() -> None:
    for connections in (len(attacks.ATTACKS), 500):
        assert len(made := attacks.shared_out(connections)) == connections and set(made) == set(attacks.ATTACKS)
    assert set(attacks.shared_out(5, "idle")) == {attacks.idle}
