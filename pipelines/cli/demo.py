"""`callgrade demo`: runs the real Dags on the sample calls in the repository.

Only `dags/` imports Airflow, so the Dags run in a separate process; this module prepares its environment and prints its report.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from models import private_files
from pipelines.cli.options import Commands, add_command
from pipelines.core.choices import ROOT
from pipelines.core.errors import CallgradeError

if TYPE_CHECKING:
    from pipelines.core.settings import Settings

SAMPLE_CALLS = ROOT / "tests" / "calls"  # shipped with the repository
DAGS = ("pull_calls", "grade_calls", "publish_scorecards")
LOGGER = logging.getLogger("callgrade")


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    add_command(commands, "demo", run, "grade the sample calls in the repository with the Airflow Dags")


def run(arguments: argparse.Namespace) -> int:
    """Grade the sample calls into `.demo/callgrade.duckdb`, print the results and where to find them; 0 on success.

    Raises CallgradeError naming the failed task and Airflow's log.
    """
    from pipelines.app_db.accounts import ROLES
    from pipelines.cli import sample_accounts, summary
    from pipelines.core import preflight
    from pipelines.core.settings import Settings

    settings = Settings.from_environment(
        warehouse=ROOT / ".demo" / "callgrade.duckdb",
        recordings=SAMPLE_CALLS,
        batch_audio_min=4.0,  # several batches of few calls, so that the mapped tasks run in parallel
    ).with_(call_log=None)
    preflight.check(settings)
    run_dags(DAGS, settings, ROOT / ".airflow")
    print(summary.of_run(settings))
    shown = Path(os.path.relpath(settings.warehouse))
    print(f"  In a browser   callgrade serve --warehouse {shown}")
    print(
        f"                 sign in as {', '.join(ROLES[:-1])} or {ROLES[-1]}; the password of all is {sample_accounts.open_samples(settings)}"
    )
    print(
        f"  In DuckDB      duckdb.connect({str(Path(os.path.relpath(settings.snapshot)))!r}, read_only=True).sql('from operator_scorecards')\n"
    )
    return 0


def run_dags(dag_ids: tuple[str, ...], settings: Settings, airflow_home: Path) -> None:
    """Run Dags to completion in a separate process, with these settings and an Airflow home that needs no server.

    Raises CallgradeError when one of them fails.
    """
    private_files.tighten(airflow_home)
    command = [sys.executable, "-m", "dags.run_local", *dag_ids]
    environment = os.environ | airflow_environment(airflow_home) | settings.as_environment()
    error = "Airflow ended without a message"
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, encoding="utf-8"
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            level, _, message = line.rstrip("\n").partition(" ")
            if level == "ERROR":
                error = message
            else:
                LOGGER.log(logging.getLevelNamesMapping().get(level, logging.INFO), "%s", message)
    if child.returncode:
        raise CallgradeError(f"{error} (log: {airflow_home / 'logs' / 'run_local.log'})" if airflow_home.name not in error else error)


def airflow_environment(home: Path) -> dict[str, str]:
    """The environment of Airflow: a home of its own, and the repository root as its Dag bundle."""
    bundle = {"name": "callgrade", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": str(ROOT)}}
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": f"0o{private_files.folder_mode():o}",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": f"0o{private_files.file_mode():o}",
        "AIRFLOW__API__HOST": "127.0.0.1",  # its pages, where they are started, are for this machine only
        "NO_COLOR": "1",  # the log is a file
    }
