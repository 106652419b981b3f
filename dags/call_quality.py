"""From a recording to a scorecard: pull_calls → grade_calls → publish_scorecards, the three Dags of Callgrade on one page.

Only ids and paths travel between tasks. What waits to be graded is said by the stage itself, not by a message: a batch whose folder holds the
file `pending`. So nothing is lost when an asset event is, and a batch that failed is taken up by the next run.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from dags.rules import BATCHES, DAG, WAREHOUSE


@dag(schedule="*/15 * * * *", tags=["callgrade", "calls"], **DAG)
def pull_calls() -> None:
    """### Receive the new calls

    Reads the call log and the recordings in `CALLGRADE_RECORDINGS`, or fetches them from `CALLGRADE_SOURCE` first; rejects what cannot be
    used with its reason, leaves out what is graded already, and cuts the rest into batches of `CALLGRADE_BATCH_AUDIO_MIN` minutes in the stage.
    Starts `grade_calls` when there is something to do.
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
    """### Hear and judge every pending batch

    One mapped group a batch: each batch goes its own way from sound to verdicts, and one that fails holds up no other. A call that cannot be
    judged is rejected by its step. The verdicts of a batch enter the warehouse in one transaction.
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
        turned >> redact(batch) >> score(batch) >> load(batch)

    grade.expand(batch=pending())


def run_step(name: str, batch: str) -> None:
    """Run one step of `pipelines.flow` on one staged batch; a slow step that was done before is not done again."""
    from pipelines import flow
    from pipelines.core.settings import Settings
    from pipelines.core.staging import Batch

    flow.run_step(name, Batch(Path(batch)), Settings.from_environment())


@task
def audio(batch: str) -> None:
    """Decode, split the channels, find speech, holds and levels."""
    run_step("audio", batch)


@task(pool="gpu")
def transcribe(batch: str) -> None:
    """Words with their times."""
    run_step("transcribe", batch)


@task(pool="gpu")
def diarize(batch: str) -> None:
    """Who spoke when."""
    run_step("diarize", batch)


@task
def turns(batch: str) -> None:
    """Words to speakers, speakers to operator and client."""
    run_step("turns", batch)


@task
def redact(batch: str) -> None:
    """Mask personal data, then remove the unmasked words."""
    run_step("redact", batch)


@task(pool="gpu")
def score(batch: str) -> None:
    """Measures, sentiment, abuse, procedure, criteria, topic."""
    run_step("score", batch)


@task(pool="warehouse", outlets=[WAREHOUSE])
def load(batch: str) -> None:
    """Merge one batch into the warehouse; skipped, and so starting nothing, when the warehouse held it all before."""
    from pipelines import flow
    from pipelines.core.settings import Settings
    from pipelines.core.staging import Batch

    if not flow.load(Batch(Path(batch)), Settings.from_environment()):
        raise AirflowSkipException("the warehouse holds these verdicts already")


@dag(schedule=[WAREHOUSE], tags=["callgrade", "calls"], **DAG)
def publish_scorecards() -> None:
    """### Show the people what changed

    Runs the data checks, swaps in the read-only copy that analysts open, cuts coaching clips and writes the scorecard pages from that copy.
    A check that fails stops here: people keep the last good pages.
    """

    @task(pool="warehouse")
    def publish() -> None:
        from pipelines import flow
        from pipelines.core.settings import Settings

        settings = Settings.from_environment()
        flow.publish(settings, flow.recordings(settings))

    @task
    def tell() -> None:
        """Send the alerts that are set up; what a channel did not take is tried again."""
        from pipelines import alerts
        from pipelines.core.errors import TransientError
        from pipelines.core.settings import Settings

        told = alerts.run(Settings.from_environment())
        if told and told.waiting:
            raise TransientError(f"{told.waiting} alerts wait to be told. {' '.join(told.problems)}")

    publish() >> tell()


pull_calls()
grade_calls()
publish_scorecards()
