"""What every Dag obeys, said once: pools, retries, the data that starts a Dag. Not a Dag file itself (see .airflowignore)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule

from models import private_files
from models.cores import let_people_go_first
from models.registry import ModelError
from pipelines.core.errors import MisconfiguredError, TransientError

private_files.apply_umask()  # in every process that loads a Dag, and so in every task

POOLS = {
    "gpu": (1, "One slot a GPU: a step that holds a model in memory. On a machine without a GPU, one slot a machine."),
    "warehouse": (1, "One slot for ever: DuckDB takes one writer."),
}

BATCHES = Asset("callgrade://batches")  # calls were received and lie in the stage, waiting to be graded
WAREHOUSE = Asset("callgrade://warehouse")  # the warehouse holds something that the published pages do not show yet

RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[MisconfiguredError, ModelError, FileNotFoundError, PermissionError],
            action=RetryAction.FAIL,
            reason="A setting, a file or an installation is wrong. Trying again cannot repair it: read the error, change what it names, clear the task.",
        ),
        RetryRule(
            exception=[TransientError, OSError],
            action=RetryAction.RETRY,
            reason="A disk, a network or a lock failed for now. Nothing was written by halves, so the same task is tried again, each time later.",
        ),
        RetryRule(
            exception=Exception,
            action=RetryAction.FAIL,
            reason="An error that nobody expected is a fault in the program, and the same input would meet it again. The other batches go on.",
        ),
    ],
)
# A bad recording is no error here: its step puts it aside with the reason, and the batch goes on without it.


def give_way(_: object) -> None:
    """Before a task does anything: whoever looks at pages on this machine goes first."""
    let_people_go_first()


DEFAULTS: dict[str, Any] = {
    "owner": "callgrade",
    "retries": 4,
    "retry_policy": RETRIES,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "on_execute_callback": give_way,
    "execution_timeout": timedelta(hours=3),  # a batch holds half an hour of sound: even one slow core is done by then
}

# One run at a time: two would pull the same calls and wait for each other at the warehouse. The past is in the stage, so nothing to catch up.
DAG: dict[str, Any] = {"start_date": datetime(2026, 1, 1), "catchup": False, "max_active_runs": 1, "default_args": DEFAULTS}
