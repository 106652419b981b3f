"""Determines which steps of a staged batch are due: those whose product is missing or was made from other versions of its inputs.

Recognition results are expensive: the steps that need audio run again only where every recording of the batch is still there unchanged.
Masking also applies to masked text: where the words are gone, the masked text is masked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.core import versions
from pipelines.core.profile_files import CentreDay, centre_days
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch

PRODUCTS = {"audio": "audio", "transcribe": "words", "diarize": "segments", "turns": "spoken_turns", "redact": "turns", "score": "verdicts"}
NEED_SOUND = frozenset({"audio", "transcribe", "diarize", "turns"})
_NAMED = 5  # changed files that a report names


@dataclass(frozen=True, slots=True)
class StaleProduct:
    """A product whose inputs have changed."""

    batch_id: str
    step: str
    calls: int
    changed: tuple[str, ...]  # files and models, see `versions.changed`
    can_be_redone: bool  # otherwise a recording is missing


def is_current(step: str, batch: Batch, profile: str) -> bool:
    """Whether a step's product was made from the current inputs."""
    before = batch.version_of(step)
    if before is None:
        return step in NEED_SOUND  # an older version stored no digests: recognition is not repeated for that
    return bool(before) and not versions.changed(before, step, profile, _centres(batch))


def is_due(step: str, batch: Batch, settings: Settings) -> bool:
    """Whether a step of a batch of recordings must run now; the steps before it have run."""
    current = is_current(step, batch, settings.profile)
    if step in ("audio", "diarize"):
        return not batch.has(PRODUCTS[step]) or (not current and has_sound(batch))
    if step == "transcribe":
        if batch.has("words"):
            return not current and has_sound(batch)
        is_wanted = not all(is_current(name, batch, settings.profile) for name in NEED_SOUND)  # turns are built from the words
        return not batch.has("turns") or (is_wanted and has_sound(batch))
    if step == "turns":
        return batch.has("words") and (not batch.has("spoken_turns") or not current)
    if step == "redact":
        return (batch.has("spoken_turns") or batch.has("turns")) and not (batch.has("turns") and current)
    return not (batch.has(PRODUCTS[step]) and current)


def has_sound(batch: Batch) -> bool:
    """Whether every source file of a batch's calls is still in place, with its original size."""
    files = [(Path(call.recording), call.size_bytes) for call in batch.calls()]
    return bool(files) and all(path.is_file() and path.stat().st_size == size for path, size in files)


def _centres(batch: Batch) -> set[CentreDay]:
    return centre_days(batch.read("calls"))


def invalidate_after(step: str, batch: Batch) -> None:
    """Mark everything that depends on a step's product as stale, so that it is rebuilt even if the run is killed."""
    for later in versions.AFTER[step]:
        if batch.has(PRODUCTS[later]) or batch.version_of(later) is not None:
            batch.set_version(later, {})


def stale(settings: Settings) -> Iterator[StaleProduct]:
    """The stale products in the stage, batch by batch in the order of the steps."""
    for file in sorted(settings.stage.glob("*/calls.parquet")):
        batch = Batch(file.parent)
        for step in PRODUCTS:
            before = batch.version_of(step)
            if not is_current(step, batch, settings.profile) and batch.has("turns"):
                can = step not in NEED_SOUND or has_sound(batch)
                names = versions.changed(before, step, settings.profile, _centres(batch)) if before else []
                yield StaleProduct(batch.batch_id, step, len(batch.calls()), tuple(names), can)


def report(settings: Settings) -> str:
    """A readable report: the stale steps, the number of calls, the changed files, and what will happen."""
    batches = [Batch(file.parent) for file in sorted(settings.stage.glob("*/calls.parquet"))]
    calls = sum(len(batch.calls()) for batch in batches)
    head = f"{_count(calls, len(batches))}; current rules: {versions.graded_by(settings.profile)}."
    groups: dict[tuple[str, bool], list[StaleProduct]] = defaultdict(list)
    for one in stale(settings):
        groups[one.step, one.can_be_redone].append(one)
    if not groups:
        return f"{head}\nEverything is up to date."
    lines = [head]
    for (step, can), some in groups.items():
        number = sum(one.calls for one in some)
        names = sorted({name for one in some for name in one.changed})
        why = (
            ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            if names
            else "an earlier step changed, or graded by an older version"
        )
        what = "redone by the next run of regrade_calls, or of grade on the same folder" if can else "kept as it is: a recording is missing"
        lines.append(f"{step}: {_count(number, len(some))} out of date ({why}); {what}.")
        if not can:
            lines += [f"  batch {one.batch_id}" for one in some]
    return "\n".join(lines)


def _count(calls: int, batches: int) -> str:
    return f"{calls} call{'s' * (calls != 1)} in {batches} batch{'es' * (batches != 1)}"
