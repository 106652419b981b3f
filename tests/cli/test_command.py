"""The `callgrade` command: its output and exit status."""

from __future__ import annotations

import os
import pty
import select
import sys
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.core.settings import ROOT


def test_models_shows_every_profile_with_licence_and_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALLGRADE_MODELS_DIR", str(tmp_path))
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert [line.split(",")[0] for line in said.splitlines() if line.startswith("Profile")] == [
        "Profile offline",
        "Profile cpu",
        "Profile telephone",
        "Profile gpu",
    ]
    assert "licence MIT" in said and "sha256" in said and "missing" in said


@pytest.mark.parametrize("command", ["check", "clips", "serve"])
def test_a_warehouse_that_is_not_there_is_reported_with_its_path(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [command, "--warehouse", str(tmp_path / "none.duckdb"), *([str(tmp_path / "out")] if command == "clips" else [])]
    assert main(arguments) == 2
    assert "none" in capsys.readouterr().err


def test_a_wrong_setting_names_itself_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CALLGRADE_WORKERS", "many")
    assert main(["grade", str(tmp_path)]) == 2
    assert "CALLGRADE_WORKERS" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["core.duckdb", "Intermediate.duckdb", "store.duckdb", "Made.duckdb"])
def test_a_warehouse_is_not_named_as_its_own_schemas(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", str(tmp_path), "--warehouse", str(tmp_path / name)]) == 2
    assert name in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("grade", "demo", "serve", "clips", "check", "models", "schema"):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0
        assert f"callgrade {command}" in capsys.readouterr().out


def test_questions_stay_on_a_terminal_until_they_are_answered(tmp_path: Path) -> None:
    process, terminal = pty.fork()
    if process == 0:  # the command, with a terminal of its own
        os.chdir(tmp_path)
        os.execve(
            sys.executable,
            [sys.executable, "-m", "pipelines", "centre", "new", "parcels", "centres"],
            os.environ | {"PYTHONPATH": str(ROOT)},
        )
    shown, answers = b"", [b"Parcels", b"en", b"Europe/Kyiv", b"", b"8-20", b"first", b"complaint; other"]
    while select.select([terminal], [], [], 120)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # it has ended
            break
        if answers and shown.rstrip().endswith(b":"):
            os.write(terminal, answers.pop(0) + b"\n")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, shown
    assert b"\x1b" not in shown and b"Name of the centre [parcels]: Parcels" in shown  # a progress display would erase the line
    assert "name: Parcels" in (tmp_path / "centres" / "parcels.yaml").read_text(encoding="utf-8")
