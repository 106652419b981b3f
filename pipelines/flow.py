"""The steps in their order, said once: what the `callgrade` command and the Dags both run.

Each step reads the Parquet of the steps before it and writes its own; see `store` for where it lies. The slow ones are not run again
when their file is there: a batch's id is made from its calls and from the speech models, so the file answers the same question.
"""

from __future__ import annotations

import hashlib
import json
import logging
import logging.handlers
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from models import registry
from pipelines import audio, coaching, diarize, redact, transcribe, turns, warehouse
from pipelines.records import Call, PutAside
from pipelines.score import evaluate
from pipelines.settings import Settings
from pipelines.store import Batch
from pipelines.web import pages

Step = Callable[[Batch, Settings], None]

STEPS: dict[str, Step] = {
    "audio": audio.run,
    "transcribe": transcribe.run,
    "diarize": diarize.run,
    "turns": turns.run,
    "redact": redact.run,
    "score": evaluate.run,
}
_KEPT = {"audio": "audio", "transcribe": "words", "diarize": "segments"}  # slow step → the file that says it is done
LOGGER = logging.getLogger("callgrade")


def grade(calls: Sequence[Call], put_aside: Sequence[PutAside], settings: Settings) -> None:
    """Everything from accepted calls to published pages; what an earlier run finished with the same versions is not done again."""
    done = warehouse.already_graded(settings, calls)
    todo = [call for call in calls if call.call_id not in done]
    LOGGER.info("%d calls received, %d put aside, %d graded before", len(calls) + len(put_aside), len(put_aside), len(done))
    changed = False
    for batch in _judged(plan(todo, put_aside, settings), settings):
        changed = warehouse.load(batch, settings) or changed
    publish(settings, {call.call_id: Path(call.recording) for call in calls})


def publish(settings: Settings, recordings: dict[str, Path]) -> None:
    """Check and publish the warehouse, then cut clips and write pages from the published copy."""
    warehouse.publish(settings)
    coaching.run(settings, recordings)
    pages.publish_pages(settings)


def plan(calls: Sequence[Call], put_aside: Sequence[PutAside], settings: Settings) -> list[Batch]:
    """Cut what intake received into batches of about `batch_audio_min` minutes and stage them; nothing is lost between batches.

    The length of a recording is judged from its size before it is decoded: 16 kB a second at most for telephone sound.
    """
    groups: list[list[Call]] = []
    minutes = 0.0
    lengths_min = {call.call_id: max(call.size_bytes / 16_000 / 60, 0.5) for call in calls}
    most_min = min(settings.batch_audio_min, sum(lengths_min.values()) / settings.workers + 1.0)
    for call in sorted(calls, key=lambda c: c.call_id):
        length_min = lengths_min[call.call_id]
        if not groups or minutes + length_min > most_min:
            groups.append([])
            minutes = 0.0
        groups[-1].append(call)
        minutes += length_min
    if put_aside and not groups:
        groups.append([])
    batches = [_stage(group, put_aside if n == 0 else (), settings) for n, group in enumerate(groups)]
    return batches


def run_step(name: str, batch: Batch, settings: Settings) -> None:
    """Run one step on a batch, unless it is a slow one that was done before."""
    done = _KEPT.get(name)
    if done and (batch.has(done) or (done == "words" and batch.has("turns"))):
        return
    STEPS[name](batch, settings)


def judge(folder: Path, settings: Settings) -> Path:
    """Run every step up to the verdicts on one staged batch."""
    for name in STEPS:
        run_step(name, Batch(folder), settings)
    return folder


def _judged(batches: Sequence[Batch], settings: Settings) -> Iterator[Batch]:
    """The batches, each as soon as its verdicts are there; side by side in `workers` processes when more than one was asked for."""
    if settings.workers == 1 or len(batches) < 2:
        for number, batch in enumerate(batches, 1):
            LOGGER.info("batch %d of %d: %d calls", number, len(batches), len(batch.calls()))
            judge(batch.folder, settings)
            yield batch
        return
    context = multiprocessing.get_context("spawn")  # forking after a model's threads have started is not safe
    queue = context.Manager().Queue()
    listener = logging.handlers.QueueListener(queue, *LOGGER.handlers)
    listener.start()
    try:
        with ProcessPoolExecutor(settings.workers, mp_context=context, initializer=_log_to, initargs=(queue,)) as pool:
            for future in as_completed([pool.submit(judge, batch.folder, settings) for batch in batches]):
                yield Batch(future.result())
    finally:
        listener.stop()


def _log_to(queue: object) -> None:
    LOGGER.addHandler(logging.handlers.QueueHandler(queue))  # type: ignore[arg-type]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def _stage(calls: Iterable[Call], put_aside: Iterable[PutAside], settings: Settings) -> Batch:
    calls, put_aside = list(calls), list(put_aside)
    content = json.dumps(
        [registry.speech_version(settings.profile), settings.keep_text, [asdict(c) for c in calls], [asdict(p) for p in put_aside]],
        default=str,
        sort_keys=True,
    )
    batch = Batch(settings.stage / hashlib.sha256(content.encode()).hexdigest()[:16])
    batch.write("calls", calls)
    batch.write_put_aside("intake", put_aside)
    return batch
