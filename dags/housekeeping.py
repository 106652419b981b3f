"""Maintenance Dags: retention, erasure on request, regrading after a rule change, recognition quality."""

from __future__ import annotations

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.rules import BATCHES, DAG, WAREHOUSE

TAGS = ["callgrade", "housekeeping"]


@dag(schedule="30 2 * * *", tags=TAGS, **DAG)
def forget_old_calls() -> None:
    """### Delete calls older than `CALLGRADE_RETENTION_DAYS`

    Every night, calls past the retention period are removed from the warehouse, its published copy, the stage, the clips and the pages.
    Recordings are stored outside Callgrade, and their owner deletes them. A recording that is still there is rejected as forgotten and
    not graded again.
    """

    @task(pool="warehouse", outlets=[WAREHOUSE])
    def forget() -> None:
        from pipelines import flow
        from pipelines.core.settings import Settings

        flow.forget_old(Settings.from_environment())

    forget()


@dag(
    schedule=None,
    tags=TAGS,
    params={"client_ref": Param(type="string", minLength=1, description="The client's reference in the call log.")},
    **DAG,
)
def erase_client() -> None:
    """### Erase one client

    For a person who asks to be forgotten: removes all calls of this client from the warehouse, its published copy, the stage, the clips
    and the pages. Recordings are stored outside Callgrade: delete them too. One that is still there is rejected as forgotten and not
    graded again.
    """

    @task(pool="warehouse", outlets=[WAREHOUSE])
    def erase(client_ref: str) -> None:
        from pipelines import flow
        from pipelines.core.settings import Settings

        flow.erase_client(Settings.from_environment(), client_ref)

    erase("{{ params.client_ref }}")


@dag(schedule=None, tags=TAGS, **DAG)
def regrade_calls() -> None:
    """### Regrade every stored call

    Run this after a rule, a scorecard, a word list or a model changed; `callgrade status` shows what is out of date. It first writes
    `regrade.md` beside the warehouse: which verdicts would change, and why (`callgrade regrade-report` writes the same report on its
    own). `grade_calls` then repeats each step whose files changed, and the steps after it; only verdicts that differ change the
    warehouse.
    """

    @task
    def report_changes() -> None:
        from pipelines.core.settings import Settings
        from pipelines.quality import regrade

        settings = Settings.from_environment()
        if settings.snapshot.exists():  # nothing published, so nothing that could change
            regrade.write_report(settings)

    @task(outlets=[BATCHES])
    def offer_again() -> list[str]:
        from pipelines import flow
        from pipelines.core.settings import Settings

        return flow.offer_again(Settings.from_environment())

    report_changes() >> offer_again()


@dag(schedule="0 3 * * 0", tags=TAGS, **DAG)
def measure_models() -> None:
    """### Measure recognition against references

    Every Sunday, recognises the calls in `CALLGRADE_MEASURED_CALLS`, which have reference transcripts, again and compares the results:
    word error rate, and how often each role is right. Writes `measures.json` beside the warehouse.
    """

    @task(pool="gpu")
    def measure() -> None:
        from pipelines.core.settings import Settings
        from pipelines.quality.recognition import measure

        settings = Settings.from_environment()
        if settings.measured_calls is None:
            raise AirflowSkipException("CALLGRADE_MEASURED_CALLS has no calls with a reference")
        measure(settings.measured_calls, settings)

    measure()


forget_old_calls()
erase_client()
regrade_calls()
measure_models()
