"""The steps in their order, said once: what the `callgrade` command and the Dags both run.

Each step reads the Parquet of the steps before it and writes its own; see `store` for where it lies. The slow ones are not run again
when their file is there: a batch's id is made from its calls and from the speech models, so the file answers the same question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from models import registry
from pipelines import audio, diarize, redact, transcribe, turns
from pipelines.records import Call, PutAside
from pipelines.score import evaluate
from pipelines.settings import Settings
from pipelines.store import Batch

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


def plan(calls: Sequence[Call], put_aside: Sequence[PutAside], settings: Settings) -> list[Batch]:
    """Cut what intake received into batches of about `batch_audio_min` minutes and stage them; nothing is lost between batches.

    The length of a recording is judged from its size before it is decoded: 16 kB a second at most for telephone sound.
    """
    groups: list[list[Call]] = []
    minutes = 0.0
    for call in sorted(calls, key=lambda c: c.call_id):
        length_min = max(call.size_bytes / 16_000 / 60, 0.5)
        if not groups or minutes + length_min > settings.batch_audio_min:
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
