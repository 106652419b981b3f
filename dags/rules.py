"""Settings shared by all Dags: pools, retries, assets. Not a Dag file itself (see .airflowignore)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule

from models import private_files
from models.cores import let_people_go_first
from models.registry import ModelError
from pipelines.core.errors import MisconfiguredError, TransientError

private_files.apply_umask()  # in every process that loads a Dag, and therefore in every task

POOLS = {
    "gpu": (1, "One slot per GPU, for steps that hold a model in memory. On a machine without a GPU, one slot per machine."),
    "warehouse": (1, "Always one slot: DuckDB allows one writer."),
}

BATCHES = Asset("callgrade://batches")  # calls were received and are staged, waiting to be graded
WAREHOUSE = Asset("callgrade://warehouse")  # the warehouse has results that are not published yet

RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[MisconfiguredError, ModelError, FileNotFoundError, PermissionError],
            action=RetryAction.FAIL,
            reason="A setting, a file or an installation is wrong. A retry cannot fix it: correct the cause and clear the task.",
        ),
        RetryRule(
            exception=[TransientError, OSError],
            action=RetryAction.RETRY,
            reason="A temporary failure of a disk, a network or a lock. Nothing was half written, so the task is retried with growing delays.",
        ),
        RetryRule(
            exception=Exception,
            action=RetryAction.FAIL,
            reason="An unexpected error is a bug, and the same input would cause it again. The other batches continue.",
        ),
    ],
)
# A bad recording is not an error here: its step rejects it with the reason, and the batch continues without it.


def give_way(_: object) -> None:
    """Lower the priority of the task before it starts, so that pages served from this machine stay responsive."""
    let_people_go_first()


DEFAULTS: dict[str, Any] = {
    "owner": "callgrade",
    "retries": 4,
    "retry_policy": RETRIES,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "on_execute_callback": give_way,
    "execution_timeout": timedelta(hours=3),  # a batch holds half an hour of audio: even one slow core finishes before that
}

# One run at a time: two would pull the same calls and block each other at the warehouse. Pending work is in the stage, so there is no
# catch-up.
DAG: dict[str, Any] = {"start_date": datetime(2026, 1, 1), "catchup": False, "max_active_runs": 1, "default_args": DEFAULTS}
