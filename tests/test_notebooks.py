"""The notebooks run from top to bottom on a small warehouse, and are stored without results."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest

from pipelines import warehouse
from pipelines.core import staging
from pipelines.core.records import Clip
from pipelines.core.settings import ROOT, Settings
from tests.staged import call, stage

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(warehouse=tmp_path_factory.mktemp("notebooks") / "callgrade.duckdb")
    warehouse.load(stage(settings, "a", [call("a"), call("b", operator_id="op-2")]), settings)
    warehouse.load(stage(settings, "c", [call("c", operator_id="op-2")], verdict="fail"), settings)
    at = call("a").started_at
    assert at is not None
    settings.clips.mkdir()
    (settings.clips / "k.ogg").write_bytes(b"sound")
    clip = Clip("k", "a", "greeting", "good_example", 0.0, 2.0, "Добрый день,", "clips/k.ogg", True, at)
    staging.write_records(settings.site / "clips.parquet", Clip, [clip])
    warehouse.publish(settings)
    return settings


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, published: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("CALLGRADE_WAREHOUSE", str(published.warehouse))
    notebook = nbformat.read(path, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter's own: event loops and folders
        NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    assert any(output.get("output_type") == "execute_result" for cell in notebook.cells for output in cell.get("outputs", ()))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_results(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")], "clear all outputs before committing"


def test_the_three_notebooks_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["coaching", "explore", "scorecards"]
