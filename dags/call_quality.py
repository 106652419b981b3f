"""The three grading Dags, from recording to scorecard: pull_calls → grade_calls → publish_scorecards.

Only ids and paths pass between tasks. The stage itself records which batches are waiting (a batch folder that contains the file
`pending`), not a message. So a lost asset event loses no calls, and the next run picks up a batch that failed.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from dags.rules import BATCHES, DAG, WAREHOUSE


@dag(schedule="*/15 * * * *", tags=["callgrade", "calls"], **DAG)
def pull_calls() -> None:
    """### Receive new calls

    Reads the call log and the recordings in `CALLGRADE_RECORDINGS`, after fetching them from `CALLGRADE_SOURCE` if that is set. Rejects
    what cannot be used, with a reason; skips calls that are already graded; splits the rest into batches of `CALLGRADE_BATCH_AUDIO_MIN`
    minutes in the stage. Triggers `grade_calls` when there are new batches.
    """

    @task(outlets=[BATCHES])
    def receive() -> list[str]:
        from pipelines import flow, intake
        from pipelines.core import preflight
        from pipelines.core.settings import Settings
        from pipelines.intake.folder import read_folder

        settings = Settings.from_environment()
        preflight.check(settings, verify_models=False)
        received = read_folder(intake.fetch(settings), settings.call_log)
        batches = flow.offer(received.calls, received.rejected, settings)
        if not batches:
            raise AirflowSkipException("no new calls")
        return batches

    receive()


@dag(schedule=[BATCHES], tags=["callgrade", "calls"], **DAG)
def grade_calls() -> None:
    """### Transcribe and grade every pending batch

    One mapped task group per batch. Batches are independent: one that fails does not hold up the others. A call that cannot be graded
    is rejected by the step that fails on it. The verdicts of a batch are loaded into the warehouse in one transaction.
    """

    @task
    def pending() -> list[str]:
        from pipelines import flow
        from pipelines.core import preflight
        from pipelines.core.settings import Settings

        settings = Settings.from_environment()
        batches = flow.pending(settings)
        if batches:
            preflight.check(settings, verify_models=False)
        return batches

    @task_group
    def grade(batch: str) -> None:
        audio(batch) >> [transcribe(batch), diarize(batch)] >> (turned := turns(batch))
        turned >> redact(batch) >> questions(batch) >> score(batch) >> load(batch)

    grade.expand(batch=pending())


def run_step(name: str, batch: str) -> None:
    """Run one step of `pipelines.flow` on one staged batch; a slow step that is already done is not repeated."""
    from pipelines import flow
    from pipelines.core.settings import Settings
    from pipelines.core.staging import Batch

    flow.run_step(name, Batch(Path(batch)), Settings.from_environment())


@task
def audio(batch: str) -> None:
    """Decode, split the channels, detect speech, holds and levels."""
    run_step("audio", batch)


@task(pool="gpu")
def transcribe(batch: str) -> None:
    """Recognise words with their times."""
    run_step("transcribe", batch)


@task(pool="gpu")
def diarize(batch: str) -> None:
    """Who spoke when."""
    run_step("diarize", batch)


@task
def turns(batch: str) -> None:
    """Assign words to speakers, and speakers to operator and client."""
    run_step("turns", batch)


@task
def redact(batch: str) -> None:
    """Mask personal data, then delete the unmasked words."""
    run_step("redact", batch)


@task
def questions(batch: str) -> None:
    """Ask the configured language model the questions of the scorecards; without one, only note that."""
    run_step("questions", batch)


@task(pool="gpu")
def score(batch: str) -> None:
    """Compute metrics, sentiment, abuse, procedure, criteria and topic."""
    run_step("score", batch)


@task(pool="warehouse", outlets=[WAREHOUSE])
def load(batch: str) -> None:
    """Merge one batch into the warehouse; skipped, so that nothing downstream runs, when the warehouse already had all of it."""
    from pipelines import flow
    from pipelines.core.settings import Settings
    from pipelines.core.staging import Batch

    if not flow.load(Batch(Path(batch)), Settings.from_environment()):
        raise AirflowSkipException("the warehouse holds these verdicts already")


@dag(schedule=[WAREHOUSE], tags=["callgrade", "calls"], **DAG)
def publish_scorecards() -> None:
    """### Publish the results

    Runs the data checks, swaps in the read-only copy that analysts use, then cuts coaching clips and writes the scorecard pages from
    that copy. A failed check stops the run here: readers keep the last valid pages.
    """

    @task(pool="warehouse")
    def publish() -> None:
        from pipelines import flow
        from pipelines.core.settings import Settings

        settings = Settings.from_environment()
        flow.publish(settings, flow.recordings(settings))

    @task
    def tell() -> None:
        """Send the configured alerts; failed deliveries are retried."""
        from pipelines import alerts
        from pipelines.core.errors import TransientError
        from pipelines.core.settings import Settings

        report = alerts.run(Settings.from_environment())
        if report and report.waiting:
            raise TransientError(f"{report.waiting} alerts are waiting for delivery. {' '.join(report.problems)}")

    publish() >> tell()


pull_calls()
grade_calls()
publish_scorecards()
