"""Grades reference transcripts as if they had been recognised without errors: turns, then redact, then score.

This measures judgement separately from recognition. Recognised speech is measured in the same way from the staged batches of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.text.loading import get_turn_model
from models.text.turn_model import TurnModel
from pipelines.centres.profile import centre_of
from pipelines.core.profile_files import centre_day
from pipelines.core.records import AudioFacts, Call, Hold, Interval, PersonalData, Token, Turn
from pipelines.core.staging import Batch
from pipelines.intake.folder import read_folder
from pipelines.quality.reference import Reference, read_references
from pipelines.redact.step import redact_turns
from pipelines.score.calibration import Calibration
from pipelines.score.step import Scored, score_call
from pipelines.turns.model_reading import NOTHING_READ, ModelReading, read_with

_CONFIDENCE = 0.95  # recognition probability of a word of a reference


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """One call as graded, with its reference."""

    call: Call
    reference: Reference
    turns: tuple[Turn, ...]  # personal data masked
    scored: Scored
    reading: ModelReading = NOTHING_READ


def replay(
    folder: Path,
    only: Iterable[str] = (),
    calibration: Calibration | None = None,
    add_errors: Callable[[Turn], Turn] = lambda turn: turn,
    model: TurnModel | None = None,
) -> list[JudgedCall]:
    """The calls of a folder that have a reference, graded from its words.

    Args:
        folder: a call log and references.
        only: ids of the requested calls; all when empty.
        calibration: see `score_call`.
        add_errors: adds simulated recognition errors to a turn.
        model: the turn model; the shipped one by default.
    """
    wanted = set(only)
    references = read_references(folder)
    calls = [
        call
        for call in read_folder(folder, medium="transcript").calls
        if call.call_id in references and (not wanted or call.call_id in wanted)
    ]
    model = model or get_turn_model()
    spoken = [[add_errors(turn) for turn in turns_of(call.call_id, references[call.call_id])] for call in calls]
    masked = [
        redact_turns(turns, centre=centre_day(call), readings=read.turns)
        for call, turns, read in zip(calls, spoken, read_with(model, spoken), strict=True)
    ]
    examples = [centre_of(call).topic_examples for call in calls]
    readings = read_with(model, [turns for turns, _ in masked], examples)
    return [
        _judged(call, references[call.call_id], turns, personal, reading, calibration)
        for call, (turns, personal), reading in zip(calls, masked, readings, strict=True)
    ]


def replay_call(call: Call, reference: Reference, is_masked: bool = True, keep_raw: bool = False) -> JudgedCall:
    """One call graded from the words of its reference; `keep_raw` as with `--keep-text raw`."""
    model, spoken = get_turn_model(), turns_of(call.call_id, reference)
    personal: list[PersonalData] = []
    if is_masked:
        spoken, personal = redact_turns(spoken, keep_raw, centre_day(call), read_with(model, [spoken])[0].turns)
    examples = [centre_of(call).topic_examples]
    return _judged(call, reference, spoken, personal, read_with(model, [spoken], examples)[0])


def _judged(
    call: Call,
    reference: Reference,
    turns: Sequence[Turn],
    personal: Sequence[PersonalData],
    reading: ModelReading,
    calibration: Calibration | None = None,
) -> JudgedCall:
    holds = tuple(Hold(h["start_s"], h["end_s"], "music" if h["sound"] == "music" else "silence") for h in reference["holds"])
    speech = tuple(Interval(0, t["start_s"], t["end_s"]) for t in reference["turns"])
    audio = AudioFacts(call.call_id, reference["duration_s"], 8000, "pcm_s16le", 1, 1, speech, holds, 0.1, ((),))
    scored = score_call(call, audio, turns, personal_data=personal, calibration=calibration, reading=reading)
    return JudgedCall(call, reference, tuple(turns), scored, reading)


def staged(folder: Path, stage: Path) -> Iterator[JudgedCall]:
    """The calls of a folder that have a reference, as the batches under `stage` graded them from recognised speech."""
    for call, reference, own in _staged(
        folder, stage, ("turns", "sentiments", "speech_acts", "findings", "procedures", "verdicts", "evaluations", "metrics")
    ):
        scored = Scored(
            own["sentiments"],
            own["speech_acts"],
            own["findings"],
            own["procedures"][0],
            own["verdicts"],
            own["evaluations"][0],
            own["metrics"][0],
        )
        yield JudgedCall(call, reference, own["turns"], scored)


def judged_again(folder: Path, stage: Path, add_errors: Callable[[Turn], Turn]) -> Iterator[JudgedCall]:
    """The same calls graded again after `add_errors` has been applied to the recognised turns."""
    for call, reference, own in _staged(folder, stage, ("audio", "roles", "turns", "dropped", "personal_data")):
        turns = tuple(add_errors(turn) for turn in own["turns"])
        scored = score_call(call, own["audio"][0], turns, next(iter(own["roles"]), None), own["dropped"], own["personal_data"])
        yield JudgedCall(call, reference, turns, scored)


def _staged(folder: Path, stage: Path, kinds: Sequence[str]) -> Iterator[tuple[Call, Reference, dict[str, tuple[Any, ...]]]]:
    """Each graded call under `stage` that has a reference, with its rows of some kinds."""
    references = read_references(folder)
    for file in sorted(stage.rglob("verdicts.parquet")):
        batch = Batch(file.parent)
        rows = {kind: batch.read(kind) for kind in kinds}
        for call in batch.calls():
            if call.call_id in references:
                own = {kind: tuple(row for row in some if row.call_id == call.call_id) for kind, some in rows.items()}
                yield call, references[call.call_id], own


def turns_of(call_id: str, reference: Reference) -> list[Turn]:
    """The turns of a reference as if they had been recognised without errors."""
    return [_turn(call_id, n, turn) for n, turn in enumerate(reference["turns"], 1)]


def _turn(call_id: str, number: int, turn: Reference) -> Turn:
    """A turn of the reference with its time divided among its words by their letters."""
    words = turn["text"].split()
    letters = sum(len(word) for word in words)
    tokens: list[Token] = []
    at_s = turn["start_s"]
    for word in words:
        end_s = at_s + (turn["end_s"] - turn["start_s"]) * len(word) / letters
        tokens.append(Token(word, round(at_s, 3), round(end_s, 3), _CONFIDENCE))
        at_s = end_s
    return Turn(
        call_id, number, 0, turn["role"], turn["role"], _CONFIDENCE, turn["start_s"], turn["end_s"], tuple(tokens), turn["lang"], _CONFIDENCE, 0.0,
        turn["voice"] == "raised", float(turn["overlap_s"]), bool(turn["overlap_s"]),
    )  # fmt: skip
