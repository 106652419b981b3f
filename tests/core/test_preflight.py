"""Predictable failures are reported before any work: no recording is read, nothing is written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from models import registry
from pipelines.__main__ import main
from pipelines.core import preflight
from pipelines.core.choices import PROFILES
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.settings import Settings
from pipelines.intake.recordings import Recordings


@pytest.fixture
def nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(self: Recordings, folder: Path) -> None:
        raise AssertionError(f"{folder} was read")

    monkeypatch.setattr(Recordings, "__init__", read)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.usefixtures("nothing_is_read")
def test_missing_models_are_reported_before_a_recording_is_read(
    profile: str, tmp_path: Path, calls_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALLGRADE_MODELS_DIR", str(tmp_path / "models"))
    assert main(["grade", str(calls_folder), "--warehouse", str(tmp_path / "w.duckdb"), "--profile", profile]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'models'}/" in said  # the file
    assert (
        "make setup" if profile == "offline" else f"callgrade models --profile {'cpu' if profile == 'telephone' else profile} --fetch"
    ) in said
    assert list(tmp_path.iterdir()) == []


def test_transcripts_are_graded_without_the_models_that_need_sound(settings: Settings, tmp_path: Path) -> None:
    models = tmp_path / "models"
    text = registry.entry("offline", "text").files[0].target
    (models / text).parent.mkdir(parents=True)
    (models / text).symlink_to(settings.models_dir / text)
    preflight.check(settings.with_(models_dir=models), job="text")
    with pytest.raises(registry.MissingWeightsError):
        preflight.check(settings.with_(models_dir=models))


@pytest.mark.parametrize("command", ["demo", "cases"])
def test_other_commands_that_load_models_tell_it_first(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALLGRADE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr("pipelines.cli.demo.run_dags", lambda *_: pytest.fail("a Dag was started"))
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 2
    assert "is not installed" in capsys.readouterr().err


def test_a_changed_model_is_reported_first(settings: Settings, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(settings.models_dir, models, copy_function=os.symlink)
    target = models / registry.entry("offline", "embedding").files[0].target
    target.unlink()
    target.write_bytes(b"changed")
    with pytest.raises(registry.ChangedWeightsError, match=target.name):
        preflight.check(settings.with_(models_dir=models))


def test_a_place_that_cannot_be_written_is_reported_with_what_to_do(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MisconfiguredError, match=r"/file cannot be written .*--warehouse"):
        preflight.check(settings.with_(warehouse=tmp_path / "file" / "below" / "w.duckdb"))
    (tmp_path / "notes.duckdb").write_text("a text, which DuckDB does not open", encoding="utf-8")
    with pytest.raises(MisconfiguredError, match="is not a DuckDB file"):
        preflight.check(settings.with_(warehouse=tmp_path / "notes.duckdb"))
    (tmp_path / "folder.duckdb").mkdir()
    with pytest.raises(MisconfiguredError, match="cannot be opened for writing"):
        preflight.check(settings.with_(warehouse=tmp_path / "folder.duckdb"))


def test_too_little_disk_space_is_reported_with_how_much_is_needed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    preflight.check(settings)
    assert not settings.site.exists()  # a check leaves nothing behind
    monkeypatch.setattr(preflight, "LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(TransientError, match=r"Only \d+ MB are free in .*; a run needs \d+ MB"):
        preflight.check(settings)


def test_an_invalid_centre_profile_is_reported_before_a_recording_is_hashed(
    tmp_path: Path, calls_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.intake import folder

    def broken(centre_id: str) -> None:
        raise MisconfiguredError(f"{centre_id}.yaml line 3: weight must be a number")

    monkeypatch.setattr(folder, "load_centre", broken)
    monkeypatch.setattr(Recordings, "sha256", lambda *_: pytest.fail("a recording was read"))
    with pytest.raises(MisconfiguredError, match="line 3"):
        folder.read_folder(calls_folder)
