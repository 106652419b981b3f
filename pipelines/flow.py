"""The order of the steps, shared by the `callgrade` command and the Dags.

Each step reads the Parquet of the steps before it and writes its own; see `staging` for the files. A slow step is not repeated when its
file exists: a batch's id is derived from its calls and the speech models, so the file is the answer to the same question.
"""

from __future__ import annotations

import hashlib
import json
import logging
import logging.handlers
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path

from models import registry
from models.batches import in_groups
from models.cores import cores
from pipelines import erasure, warehouse
from pipelines.app_db.database import open_store, store_path
from pipelines.audio import step as audio
from pipelines.coaching import clip_extraction
from pipelines.core import heap, staleness, versions
from pipelines.core.errors import TransientError
from pipelines.core.printable import normalise_id
from pipelines.core.profile_files import centre_day, centre_days
from pipelines.core.published import Published
from pipelines.core.records import Call, Clip, Rejection
from pipelines.core.settings import Settings, now
from pipelines.core.staging import PENDING, Batch, CutShortError
from pipelines.diarize import step as diarize
from pipelines.redact import step as redact
from pipelines.reports import static_pages
from pipelines.reviews import sync
from pipelines.score import step as evaluate
from pipelines.scorecards import activation
from pipelines.transcribe import step as transcribe
from pipelines.turns import from_transcripts
from pipelines.turns import step as turns
from pipelines.warehouse.forgetting import ForgottenCall

Step = Callable[[Batch, Settings], None]

STEPS: dict[str, Step] = {
    "audio": audio.run,
    "transcribe": transcribe.run,
    "diarize": diarize.run,
    "turns": turns.run,
    "redact": redact.run,
    "score": evaluate.run,
}
LOGGER = logging.getLogger("callgrade")


def grade(calls: Sequence[Call], rejected: Sequence[Rejection], settings: Settings) -> None:
    """Run everything from accepted calls to published pages; work that an earlier run finished with the same versions is skipped."""
    for batch in _judged(receive(calls, rejected, settings), settings):
        try:
            load(batch, settings)
        except CutShortError as error:
            LOGGER.warning("%s", error)
            load(Batch(judge(batch.folder, settings)), settings)
    publish(settings, {call.call_id: Path(call.recording) for call in calls if call.medium == "recording"})


def receive(calls: Sequence[Call], rejected: Sequence[Rejection], settings: Settings) -> list[Batch]:
    """The staged batches of an intake, without the calls that the warehouse already has with the same versions.

    Forgotten calls are rejected, under ids that identify nobody.
    """
    calls, rejected = warehouse.reject_forgotten(settings, calls, rejected)
    days = {call.call_id: centre_day(call) for call in calls}
    versions_of = {one: versions.graded_by(settings.profile, *one) for one in set(days.values())}
    done = warehouse.already_graded(settings, calls, scored_by={call_id: versions_of[one] for call_id, one in days.items()})
    todo = [call for call in calls if call.call_id not in done]
    LOGGER.info("%d calls received, %d rejected, %d graded before", len(calls) + len(rejected), len(rejected), len(done))
    return plan(todo, rejected, settings)


def load(batch: Batch, settings: Settings) -> bool:
    """Merge a graded batch into the warehouse; it is no longer pending. True when the warehouse changed."""
    changed = warehouse.load(batch, settings)
    _pending_mark(batch.folder).unlink(missing_ok=True)
    return changed


def offer(calls: Sequence[Call], rejected: Sequence[Rejection], settings: Settings) -> list[str]:
    """Stage an intake and mark its batches pending, for a later run to grade; returns their folders."""
    return _mark([batch.folder for batch in receive(calls, rejected, settings)])


def pending(settings: Settings) -> list[str]:
    """The folders of pending batches, including those that failed in an earlier run."""
    _note_regraded(settings)
    return sorted(str(mark.parent) for mark in settings.stage.glob(f"*/{PENDING}"))


def offer_again(settings: Settings) -> list[str]:
    """Mark every staged batch pending, after a rule changed: each stale step runs again, with those after it."""
    return _mark(sorted(file.parent for file in settings.stage.glob("*/calls.parquet")))


def recordings(settings: Settings) -> dict[str, Path]:
    """The recording of each staged call, by call id, without those that no longer exist."""
    calls = [call for file in sorted(settings.stage.glob("*/calls.parquet")) for call in Batch(file.parent).read("calls")]
    return {call.call_id: Path(call.recording) for call in calls if call.medium == "recording" and Path(call.recording).exists()}


def publish(settings: Settings, recordings: dict[str, Path]) -> None:
    """Check the warehouse, cut clips, publish both together, then write the pages and remove unreferenced files.

    Only what was loaded since the last publication is checked, cut and written; where that is not possible, all calls are.
    """
    clips: list[Clip] = []
    try:
        sync.copy_to_warehouse(settings)
        warehouse.publish(settings, lambda checked: clips.extend(clip_extraction.cut(checked, settings, recordings, only_touched=True)))
        static_pages.publish_pages(settings, only_changed=True)
        clip_extraction.remove_others(settings, clips)
        _note_regraded(settings)
    except OSError as error:
        raise TransientError(f"Publishing stopped: {error.filename or settings.site}: {error.strerror or error}. Run it again.") from error


def _note_regraded(settings: Settings) -> None:
    """Close approved requests for regrading whose calls are judged; a run without a changed verdict is not published."""
    if store_path(settings).exists():
        activation.note_regraded(settings, open_store(settings))


def erase_client(settings: Settings, client_ref: str) -> None:
    """Erase a client and rebuild the pages; can be repeated after an interruption.

    The client is matched by the normalised id, and by the id as the call log wrote it before ids were normalised.
    """
    for ref in dict.fromkeys((client_ref, normalise_id(client_ref))):
        warehouse.erase_client(settings, ref, partial(_forget_elsewhere, settings, on_request=True))
    _finish_forgetting(settings)


def forget_old(settings: Settings) -> None:
    """Delete the calls that are older than `retention_days` and rebuild the pages."""
    day = (now() - timedelta(days=settings.retention_days)).date()
    warehouse.forget_before(settings, day, partial(_forget_elsewhere, settings, on_request=False))
    _finish_forgetting(settings)


def _forget_elsewhere(settings: Settings, calls: Sequence[ForgottenCall], *, on_request: bool) -> None:
    """Remove the data of these calls from the web application, and their pages."""
    static_pages.remove_pages(settings, [call.call_id for call in calls])
    erasure.forget(settings, calls, on_request=on_request)


def _finish_forgetting(settings: Settings) -> None:
    """Remove what an earlier run left, and rewrite the pages; those that fail are removed, since they may quote forgotten calls."""
    with warehouse.open_for_reading(settings) as db:
        if db is not None:
            erasure.sweep(settings, Published(db), with_audit=True)
    if settings.snapshot.exists():
        try:
            static_pages.publish_pages(settings)
        except Exception:
            static_pages.remove_all(settings)
            raise


def plan(calls: Sequence[Call], rejected: Sequence[Rejection], settings: Settings) -> list[Batch]:
    """Split an intake into batches of about `batch_audio_min` minutes and stage them; every call is in exactly one batch.

    The duration of a recording is estimated from its size before it is decoded: 16 kB a second at most for telephone audio.
    """
    lengths_min = {call.call_id: max(call.size_bytes / 16_000 / 60, 0.5) for call in calls}
    most_min = min(settings.batch_audio_min, sum(lengths_min.values()) / settings.workers + 1.0)
    batches: list[Batch] = []
    for medium in ("recording", "transcript"):  # never in one batch: they go through different steps
        some = sorted((call for call in calls if call.medium == medium), key=lambda c: c.call_id)
        batches += [_stage(group, (), settings) for group in in_groups(some, lambda call: lengths_min[call.call_id], most_min)]
    if rejected:  # a batch of their own: a run that resumes a killed one must find the others under the same ids
        batches.append(_stage((), rejected, settings))
    return batches


def run_step(name: str, batch: Batch, settings: Settings) -> None:
    """Run one step on a batch where it is due, see `staleness`; everything that depends on it is then due as well."""
    if name == "audio":  # the first one
        batch.repair()
    if any(call.medium == "transcript" for call in batch.read("calls")):  # all of them, rejected ones too; see `plan`
        _run_transcript_step(name, batch, settings)
    elif staleness.is_due(name, batch, settings):
        _run(name, STEPS[name], batch, settings)
    if name == "redact" and batch.has("turns"):
        redact.wipe(batch, settings)
    heap.give_back()


def _run_transcript_step(name: str, batch: Batch, settings: Settings) -> None:
    """The same for a batch of transcripts, where one step replaces all that need audio."""
    if name == "audio":
        is_made = batch.has("audio") and (batch.has("turns") or batch.has("spoken_turns"))
        if not is_made or (not staleness.is_current("turns", batch, settings.profile) and staleness.has_sound(batch)):
            _run("turns", from_transcripts.run, batch, settings)
    elif name in ("redact", "score") and staleness.is_due(name, batch, settings):
        _run(name, STEPS[name], batch, settings)


def _run(name: str, step: Step, batch: Batch, settings: Settings) -> None:
    staleness.invalidate_after(name, batch)
    step(batch, settings)
    batch.set_version(name, versions.digests(name, settings.profile, centres=centre_days(batch.read("calls"))))


def judge(folder: Path, settings: Settings) -> Path:
    """Run every step up to the verdicts on one staged batch, also one that a killed run left unfinished."""
    batch = Batch(folder)
    with batch.alone():
        for name in STEPS:
            run_step(name, batch, settings)
    return folder


def _judged(batches: Sequence[Batch], settings: Settings) -> Iterator[Batch]:
    """The batches, each as soon as its verdicts are there; in parallel in `workers` processes when there is more than one."""
    if settings.workers == 1 or len(batches) < 2:
        for number, batch in enumerate(batches, 1):
            LOGGER.info("batch %d of %d: %d calls", number, len(batches), len(batch.calls()))
            judge(batch.folder, settings)
            yield batch
        return
    context = multiprocessing.get_context("spawn")  # forking after a model has started threads is not safe
    queue = context.Manager().Queue()
    listener = logging.handlers.QueueListener(queue, *LOGGER.handlers)
    listener.start()
    try:
        with ProcessPoolExecutor(
            settings.workers, mp_context=context, initializer=_start_worker, initargs=(queue, settings.workers)
        ) as pool:
            try:
                for future in as_completed([pool.submit(judge, batch.folder, settings) for batch in batches]):
                    yield Batch(future.result())
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in multiprocessing.active_children():
                    process.terminate()
                raise
    finally:
        listener.stop()


def _start_worker(queue: object, workers: int) -> None:
    """Forward log records to the main process, and limit the worker to its share of the cores."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // workers)))
    LOGGER.addHandler(logging.handlers.QueueHandler(queue))  # type: ignore[arg-type]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def _stage(calls: Iterable[Call], rejected: Iterable[Rejection], settings: Settings) -> Batch:
    calls, rejected = list(calls), list(rejected)
    content = json.dumps(
        [registry.speech_version(settings.profile), settings.keep_text, [_identity(c) for c in calls], [asdict(p) for p in rejected]],
        default=str,
        sort_keys=True,
    )
    batch = Batch(settings.stage / hashlib.sha256(content.encode()).hexdigest()[:16])
    batch.write("calls", calls)
    batch.write_rejected("intake", rejected)
    batch.repair()
    return batch


def _identity(call: Call) -> dict[str, object]:
    """The input of a batch's id; a batch that was staged before transcripts were supported keeps its id."""
    return {name: value for name, value in asdict(call).items() if (name, value) != ("medium", "recording")}


def _mark(folders: Sequence[Path]) -> list[str]:
    for folder in folders:
        _pending_mark(folder).touch()
    return [str(folder) for folder in folders]


def _pending_mark(folder: Path) -> Path:
    return folder / PENDING
