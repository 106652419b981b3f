"""Two calls through the real Dags, from the recording to the page, as `callgrade demo` runs them."""

from __future__ import annotations

import csv
import logging
import os
import shutil
from pathlib import Path

import duckdb
import pytest

from pipelines import warehouse
from pipelines.cli import demo, summary
from pipelines.core.settings import Settings
from tests.models.test_private_files import too_open

CALLS = ("kyiv-en-002", "irkutsk-ru-009")  # two languages, two centres; stereo, so that the test stays short


@pytest.fixture
def two_calls(tmp_path: Path, calls_folder: Path) -> Path:
    folder = tmp_path / "received"
    folder.mkdir()
    with (calls_folder / "calls.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["call_id"] in CALLS]
    for row in rows:
        shutil.copy(calls_folder / "audio" / row["recording"], folder)
    (folder / "nobody-knows-me.wav").write_bytes(b"RIFF")
    with (folder / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.slow
def test_recordings_go_in_and_pages_come_out_and_a_second_run_changes_nothing(
    tmp_path: Path, settings: Settings, two_calls: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings.with_(recordings=two_calls, batch_audio_min=0.5)  # one batch a call: the tasks really map
    caplog.set_level(logging.INFO, logger="callgrade")

    umask = os.umask(0o022)  # as in most shells
    try:
        demo.run_dags(demo.DAGS, settings, tmp_path / "airflow")
    finally:
        os.umask(umask)
    assert too_open(settings.site, settings.warehouse, tmp_path / "airflow") == {}

    with duckdb.connect(str(settings.snapshot), read_only=True) as db:
        status = dict(db.execute("select call_id, status from calls").fetchall())
        bare = db.execute("select count(*) from criterion_results where verdict in ('pass', 'fail') and start_s is null").fetchone()
    assert {call_id for call_id, became in status.items() if became == "graded"} == set(CALLS)
    assert sorted(status.values()) == ["graded", "graded", "quarantined"]
    assert bare == (0,)
    assert (settings.scorecards / "index.html").is_file()
    assert "2 of 3 calls graded, 1 rejected" in summary.of_run(settings)
    assert {"Dag pull_calls", "Dag grade_calls", "Dag publish_scorecards"} <= set(caplog.messages)
    assert sum(message.startswith("transcribe ") for message in caplog.messages) == 2
    spoken = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in (tmp_path / "airflow").rglob("*.log"))
    quotes = _long_quotes(settings)
    assert quotes
    assert not [quote for quote in quotes if quote in spoken], "what was said in a call stands in a log"

    before = warehouse.contents(settings.snapshot)
    caplog.clear()
    demo.run_dags(demo.DAGS, settings, tmp_path / "airflow")
    assert warehouse.contents(settings.snapshot) == before
    assert not [message for message in caplog.messages if message.startswith(("transcribe ", "diarize "))]

    demo.run_dags(("regrade_calls", "grade_calls", "publish_scorecards"), settings, tmp_path / "airflow")
    assert warehouse.contents(settings.snapshot) == before
    assert not [message for message in caplog.messages if message.startswith(("transcribe ", "diarize "))]


def _long_quotes(settings: Settings) -> list[str]:
    with duckdb.connect(str(settings.snapshot), read_only=True) as db:
        return [text for (text,) in db.execute('select "text" from turns where length("text") > 25').fetchall()]
