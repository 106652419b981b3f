"""The Dags as Airflow loads them: through the same bundle root and ignore file as a server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.registry import MissingWeightsError
from pipelines.cli import demo
from pipelines.core.settings import ROOT

pytestmark = pytest.mark.filterwarnings("ignore")  # Airflow's own warnings, about Airflow


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]  # Airflow is imported only once its home is set
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in demo.airflow_environment(home).items():
            patch.setenv(name, value)
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{home / 'airflow.db'}")
        from airflow.dag_processing.dagbag import DagBag

        yield DagBag(dag_folder=ROOT, bundle_path=ROOT, bundle_name="callgrade")


def test_every_dag_is_found_and_none_twice(bag) -> None:  # type: ignore[no-untyped-def]
    assert bag.import_errors == {}
    assert set(bag.dags) == {
        "pull_calls", "grade_calls", "publish_scorecards", "forget_old_calls", "erase_client", "regrade_calls", "measure_models", "discover_topics",
    }  # fmt: skip
    assert {Path(file).name for file in bag.file_last_changed} == {"call_quality.py", "housekeeping.py", "topic_discovery.py"}


def test_every_dag_explains_itself_and_runs_once_at_a_time(bag) -> None:  # type: ignore[no-untyped-def]
    for dag in bag.dags.values():
        assert dag.doc_md.strip().startswith("### ")
        assert len(dag.doc_md) > 150
        assert "callgrade" in dag.tags
        assert dag.max_active_runs == 1
        assert not dag.catchup


def test_every_pool_that_a_task_names_is_one_that_the_set_up_makes(bag) -> None:  # type: ignore[no-untyped-def]
    from dags.rules import POOLS

    named = {task.pool for dag in bag.dags.values() for task in dag.tasks} - {"default_pool"}
    assert named == set(POOLS)


def test_the_models_share_the_gpu_and_writers_queue_for_the_warehouse(bag) -> None:  # type: ignore[no-untyped-def]
    pools = {task.task_id: task.pool for dag in bag.dags.values() for task in dag.tasks}
    assert {name for name, pool in pools.items() if pool == "gpu"} == {"grade.transcribe", "grade.diarize", "grade.score", "measure"}
    assert {name for name, pool in pools.items() if pool == "warehouse"} == {"grade.load", "publish", "forget", "erase"}


def test_every_task_gives_way_to_people_at_their_pages(bag) -> None:  # type: ignore[no-untyped-def]
    assert [task.task_id for dag in bag.dags.values() for task in dag.tasks if not task.has_on_execute_callback] == []


def test_batches_go_their_own_ways_in_the_order_of_the_flow(bag) -> None:  # type: ignore[no-untyped-def]
    tasks = bag.dags["grade_calls"].task_dict
    assert tasks["grade.load"].get_closest_mapped_task_group() is not None
    after = {name.removeprefix("grade."): {up.removeprefix("grade.") for up in task.upstream_task_ids} for name, task in tasks.items()}
    assert after["transcribe"] == after["diarize"] == {"audio"} | (after["transcribe"] & {"pending"})
    assert {"transcribe", "diarize"} <= after["turns"]
    assert "turns" in after["redact"]
    assert "redact" in after["questions"]
    assert "questions" in after["score"]
    assert "score" in after["load"]


def test_each_dag_starts_the_next_one(bag) -> None:  # type: ignore[no-untyped-def]
    from dags.rules import BATCHES, WAREHOUSE

    def given(dag_id: str) -> set[str]:
        return {asset.uri for task in bag.dags[dag_id].tasks for asset in task.outlets}

    def waits_for(dag_id: str) -> set[str]:
        return {asset.uri for asset in bag.dags[dag_id].timetable.asset_condition.objects}

    assert given("pull_calls") == given("regrade_calls") == {BATCHES.uri}
    assert given("grade_calls") == given("forget_old_calls") == given("erase_client") == {WAREHOUSE.uri}
    assert waits_for("grade_calls") == {BATCHES.uri}
    assert waits_for("publish_scorecards") == {WAREHOUSE.uri}


@pytest.mark.parametrize(
    ("module", "name", "action"),
    [
        ("pipelines.core.errors", "TransientError", "retry"),
        ("builtins", "ConnectionResetError", "retry"),
        ("pipelines.core.errors", "MisconfiguredError", "fail"),
        ("models.registry", "MissingWeightsError", "fail"),
        ("builtins", "FileNotFoundError", "fail"),
        ("builtins", "KeyError", "fail"),
    ],
)
def test_a_task_is_tried_again_only_where_that_can_help(bag, module: str, name: str, action: str) -> None:  # type: ignore[no-untyped-def]
    import importlib

    error = getattr(importlib.import_module(module), name)("something")
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert task.retries >= 3
            decision = task.retry_policy.evaluate(error, 1, task.retries)
            assert decision.action.value == action
            assert len(decision.reason) > 60


def test_the_dag_files_use_nothing_of_airflow_but_its_sdk() -> None:
    lines = [
        line.split()[1] for file in ("call_quality", "housekeeping", "topic_discovery", "rules")
        for line in (ROOT / "dags" / f"{file}.py").read_text(encoding="utf-8").splitlines() if line.lstrip().startswith(("from airflow", "import airflow"))
    ]  # fmt: skip
    assert lines
    assert all(module.startswith("airflow.sdk") for module in lines)


def test_a_dag_that_fails_says_where_and_why(tmp_path: Path) -> None:
    settings = {"CALLGRADE_RECORDINGS": str(tmp_path / "nowhere"), "CALLGRADE_WAREHOUSE": str(tmp_path / "callgrade.duckdb")}
    done = subprocess.run(
        [sys.executable, "-m", "dags.run_local", "pull_calls", "grade_calls"],
        cwd=ROOT, env=os.environ | demo.airflow_environment(tmp_path / "airflow") | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "ERROR Dag pull_calls failed in receive" in done.stdout
    assert "There is no readable folder" in done.stdout
    assert "run_local.log" in done.stdout
    assert "grade_calls" not in done.stdout


@pytest.mark.parametrize(("dag", "task"), [("pull_calls", "receive"), ("grade_calls", "pending")])
def test_missing_models_stop_a_dag_before_any_work(bag, dag: str, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "w.callgrade" / "stage" / "batch").mkdir(parents=True)
    (tmp_path / "w.callgrade" / "stage" / "batch" / "pending").touch()
    monkeypatch.setenv("CALLGRADE_WAREHOUSE", str(tmp_path / "w.duckdb"))
    monkeypatch.setenv("CALLGRADE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr("pipelines.intake.fetch", lambda *_: pytest.fail("recordings were fetched"))
    with pytest.raises(MissingWeightsError, match="make setup"):
        bag.dags[dag].get_task(task).python_callable()
