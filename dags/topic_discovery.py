"""Weekly Dag: reasons for calling that fit no topic."""

from __future__ import annotations

from airflow.sdk import dag, task

from dags.rules import DAG


@dag(schedule="0 4 * * 1", tags=["callgrade"], **DAG)
def discover_topics() -> None:
    """### Find new reasons for calling

    Every Monday, compares what clients said first in last week's calls with the eight weeks before, for each centre. Groups of calls that
    fit no topic and are clearly more frequent than before are listed on the page "New reasons", where a manager makes them a topic or
    dismisses them. Nothing changes by itself.
    """

    @task
    def search() -> None:
        from pipelines.core.settings import Settings
        from pipelines.discovery.weekly import discover

        discover(Settings.from_environment())

    search()


discover_topics()
