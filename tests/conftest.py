"""Shared fixtures: the sample calls in the repository, and settings that write only into the test's own folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.core.settings import ROOT, Settings


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own CALLGRADE_* variables must not change what a test sees."""
    for name in [name for name in os.environ if name.startswith("CALLGRADE_") and name != "CALLGRADE_MODELS_DIR"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def calls_folder() -> Path:
    """The shipped calls: `audio/`, `calls.csv`, `reference/`."""
    return ROOT / "tests" / "calls"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a run whose warehouse, stage and pages lie in the test's folder."""
    return Settings.from_environment(warehouse=tmp_path / "callgrade.duckdb")
