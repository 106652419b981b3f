"""Long work of pages: done once, with its progress, its result or its error, and without keeping results for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from pipelines.web.background_jobs import BackgroundJob, BackgroundJobs, Progress


def wait_for(job: BackgroundJob[int], *states: str) -> None:
    until = time.monotonic() + 20
    while job.state not in states:
        assert time.monotonic() < until, job.state
        time.sleep(0.005)


def test_work_is_done_once_for_a_key_and_tells_how_far_it_is() -> None:
    jobs, go, started = BackgroundJobs[int](), threading.Event(), []

    def work(progress: Progress) -> int:
        started.append(1)
        progress(1, 2)
        assert go.wait(20)
        return 42

    first = jobs.start("a", work)
    wait_for(first, "running")
    while first.total == 0:
        time.sleep(0.005)
    assert (first.done, first.total) == (1, 2)
    assert jobs.start("a", work) is first and jobs.find("a") is first
    second = jobs.start("b", work)
    assert second.state == "waiting"  # one at a time
    go.set()
    wait_for(second, "done")
    assert first.result == second.result == 42 and len(started) == 2
    assert jobs.find("c") is None
    jobs.close()


def test_work_that_failed_is_tried_again() -> None:
    jobs = BackgroundJobs[int]()

    def fails(_: Progress) -> int:
        raise ValueError("no such call")

    job = jobs.start("a", fails)
    wait_for(job, "failed")
    with pytest.raises(ValueError, match="no such call"):
        _ = job.result
    again = jobs.start("a", lambda _: 1)
    wait_for(again, "done")
    assert again is not job and again.result == 1
    jobs.close()


def test_only_the_latest_results_are_cached_and_work_under_way_is_never_dropped() -> None:
    jobs, go = BackgroundJobs[int](most=3), threading.Event()
    slow = jobs.start("slow", lambda _: int(go.wait(20)))
    made: list[tuple[str, Callable[[Progress], int]]] = [(str(n), lambda _: 1) for n in range(6)]
    for key, work in made:
        jobs.start(key, work)
    assert jobs.find("slow") is slow
    go.set()
    for key, _ in made:
        found = jobs.find(key)
        assert found is not None
        wait_for(found, "done")
    wait_for(jobs.start("last", lambda _: 1), "done")
    jobs.start("one more", lambda _: 1)
    assert jobs.find("slow") is None and jobs.find("0") is None and jobs.find("last") is not None
    jobs.close()


def test_work_ends_at_its_next_progress_when_the_server_stops() -> None:
    jobs, begun = BackgroundJobs[int](), threading.Event()

    def endless(progress: Progress) -> int:
        begun.set()
        while True:
            progress(0, 1)

    job, waiting = jobs.start("a", endless), jobs.start("b", endless)
    assert begun.wait(20)
    jobs.close()
    wait_for(job, "failed")
    assert waiting.state == "failed"
