"""The `callgrade grade` command on real recordings with the real models: from a folder to the warehouse."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb
import pytest

from pipelines import warehouse
from pipelines.__main__ import main
from pipelines.core.settings import Settings
from pipelines.quality.figures import figures_of
from pipelines.quality.gates import RECOGNISED, shortfalls
from pipelines.quality.replay import staged
from tests.intake.bad_input import CALLS, GRADED, make_bad_folder

THREE = ("kyiv-en-002", "motiv-ru-003", "irkutsk-ru-009")  # three centres, two languages, stereo and mono


def folder_of(path: Path, call_ids: Sequence[str]) -> Path:
    """A folder with these shipped calls and a log of them alone."""
    path.mkdir()
    with (CALLS / "calls.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["call_id"] in call_ids]
    for row in rows:
        shutil.copy(CALLS / "audio" / row["recording"], path)
    with (path / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def grade(folder: Path, file: Path) -> dict[str, list[str]]:
    """Run the command; what the published copy then holds."""
    assert main(["grade", str(folder), "--warehouse", str(file)]) == 0
    return warehouse.contents(Settings.from_environment(warehouse=file).snapshot)


@pytest.mark.slow
def test_the_bad_is_rejected_with_its_reason_the_good_are_graded_and_nothing_is_lost(tmp_path: Path) -> None:
    made = make_bad_folder(tmp_path / "received", [CALLS / "audio" / "kyiv-en-002.ogg"])
    file = tmp_path / "w.duckdb"

    first = grade(made.path, file)

    with duckdb.connect(str(Settings.from_environment(warehouse=file).snapshot), read_only=True) as db:
        became = {
            call_id: (status, reason)
            for call_id, status, reason in db.execute("select call_id, status, status_reason from calls").fetchall()
        }
        suspects = db.execute("select distinct call_id from findings where kind = 'channel_mapping'").fetchall()
    wrong = []
    for pattern, outcome in made.expected.items():
        found = [call_id for call_id in became if fnmatchcase(call_id, pattern)]
        status, reason = became[found[0]] if len(found) == 1 else (f"found {found}", "")
        if status != outcome.status or (outcome.status != GRADED and not all(word in reason for word in outcome.words)):
            wrong.append(f"{pattern}: {status}, {reason}")
    assert not wrong, "\n".join(wrong)
    assert len(became) == len(made.expected)
    assert suspects == [("channel-swapped",)]
    assert grade(made.path, file) == first


@pytest.mark.slow
def test_a_folder_whole_or_in_halves_gives_the_same_warehouse(tmp_path: Path) -> None:
    whole = grade(folder_of(tmp_path / "whole", THREE), tmp_path / "whole.duckdb")
    grade(folder_of(tmp_path / "one", THREE[:1]), tmp_path / "halves.duckdb")
    halves = grade(folder_of(tmp_path / "two", THREE[1:]), tmp_path / "halves.duckdb")

    assert halves == whole
    assert len(whole["calls"]) == len(THREE)
    recognised = figures_of(staged(CALLS, Settings.from_environment(warehouse=tmp_path / "whole.duckdb").stage))
    assert recognised.calls == len(THREE)
    assert not shortfalls({"recognised": recognised}, of_group=RECOGNISED)


def test_a_folder_that_is_not_there_is_an_error_of_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", str(tmp_path / "nowhere"), "--warehouse", str(tmp_path / "w.duckdb")]) == 2
    assert "nowhere" in capsys.readouterr().err
