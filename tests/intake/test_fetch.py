"""A site whose recordings are stored elsewhere: they are fetched into its inbox and graded from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import intake
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings


def test_without_a_source_the_folder_itself_is_graded(tmp_path: Path) -> None:
    settings = Settings.from_environment(warehouse=tmp_path / "w.duckdb", recordings=tmp_path)
    assert intake.fetch(settings) == tmp_path


def test_a_source_is_copied_into_the_inbox_beside_the_warehouse(tmp_path: Path) -> None:
    far = tmp_path / "far" / "day"
    far.mkdir(parents=True)
    (far / "calls.csv").write_text("call_id,recording\n")
    settings = Settings.from_environment(warehouse=tmp_path / "w.duckdb", source=f"file://{tmp_path}/far")
    folder = intake.fetch(settings)
    assert folder == settings.inbox
    assert (folder / "day" / "calls.csv").read_text() == "call_id,recording\n"


def test_a_source_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="nothing-here"):
        intake.fetch(Settings.from_environment(warehouse=tmp_path / "w.duckdb", source=f"file://{tmp_path}/nothing-here"))
