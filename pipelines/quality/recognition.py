"""Measures recognition: calls with a reference are recognised again and compared, by word error rate and by role over time.

A reference is `reference/<call_id>.json` beside the recordings: `{"turns": [{"role", "start_s", "end_s", "text"}, ...]}`. The only
output is `measures.json` beside the warehouse: the unmasked words are in a temporary folder that is deleted afterwards.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models import private_files, registry
from models.languages.language import words_of
from pipelines import flow
from pipelines.core import preflight
from pipelines.core.errors import MisconfiguredError
from pipelines.core.intervals import overlap_s
from pipelines.core.records import Call, Turn
from pipelines.core.settings import Settings
from pipelines.intake.folder import read_folder

LOGGER = logging.getLogger("callgrade")
RECOGNITION_STEPS = ("audio", "transcribe", "diarize", "turns")


@dataclass(frozen=True, slots=True)
class RecognitionMeasure:
    """The measures of one call. Ratios 0 to 1, and above 1 for a word error rate with more insertions than words."""

    call_id: str
    speech_model: str
    words: int
    word_error_ratio: float
    role_right_ratio: float  # of the seconds where a role was given
    role_given_ratio: float  # of the seconds with recognised speech


def measure(folder: Path, settings: Settings) -> list[RecognitionMeasure]:
    """Recognise every call of a folder that has a reference, and write the measures to `measures.json` beside the warehouse.

    Raises MisconfiguredError when no call of the folder has one.
    """
    preflight.check_models(settings)
    calls = [call for call in read_folder(folder).calls if _reference(folder, call).is_file()]
    if not calls:
        raise MisconfiguredError(f"No call of {folder} has a reference/<call_id>.json to compare with; see docs/running.md.")
    with tempfile.TemporaryDirectory(prefix="callgrade-measure-") as temporary:
        recognition_settings = settings.with_(warehouse=Path(temporary) / "measure.duckdb")
        measures = []
        for batch in flow.plan(calls, (), recognition_settings):
            for step in RECOGNITION_STEPS:
                flow.run_step(step, batch, recognition_settings)
            turns = batch.read("spoken_turns")
            for call in batch.calls():
                reference = json.loads(_reference(folder, call).read_text(encoding="utf-8"))["turns"]
                recognised = [turn for turn in turns if turn.call_id == call.call_id]
                measures.append(compare(call.call_id, registry.speech_version(settings.profile), reference, recognised))
    private_files.make_folder(settings.site)
    (settings.site / "measures.json").write_text(json.dumps([asdict(m) for m in measures], indent=1), encoding="utf-8")
    words = sum(m.words for m in measures)
    errors = sum(m.words * m.word_error_ratio for m in measures)
    LOGGER.info(
        "%d calls measured: word error rate %.1f %%, written to %s", len(measures), 100 * errors / words, settings.site / "measures.json"
    )
    return measures


def compare(call_id: str, speech_model: str, reference: Sequence[dict[str, Any]], recognised: Sequence[Turn]) -> RecognitionMeasure:
    """One call's measures: words by edit distance without punctuation and case, roles by the seconds of each turn."""
    import jiwer

    expected = " ".join(word for turn in sorted(reference, key=lambda t: t["start_s"]) for word in words_of(turn["text"]))
    got = " ".join(word for turn in recognised for word in words_of(turn.text))
    given_s = right_s = all_s = 0.0
    for turn in recognised:
        by_role = {role: sum(_shared_s(turn, r) for r in reference if r["role"] == role) for role in ("operator", "client")}
        all_s += sum(by_role.values())
        if turn.role != "unknown":
            given_s += sum(by_role.values())
            right_s += by_role[turn.role]
    return RecognitionMeasure(
        call_id=call_id,
        speech_model=speech_model,
        words=len(expected.split()),
        word_error_ratio=round(float(jiwer.wer(expected, got)), 4),
        role_right_ratio=round(right_s / given_s, 4) if given_s else 0.0,
        role_given_ratio=round(given_s / all_s, 4) if all_s else 0.0,
    )


def _shared_s(turn: Turn, reference: dict[str, Any]) -> float:
    return overlap_s((turn.start_s, turn.end_s), (float(reference["start_s"]), float(reference["end_s"])))


def _reference(folder: Path, call: Call) -> Path:
    return folder / "reference" / f"{call.call_id}.json"
