"""Verdicts with known answers, from evidence alone: the input of calibration and thresholds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.languages.language import LANGUAGES
from pipelines.core.records import VerdictName
from pipelines.quality.reference import right_verdicts
from pipelines.quality.replay import JudgedCall, replay
from pipelines.score.calibration import OPEN, kind_of

REFERENCE, RECOGNISED = "reference", "recognised"
_OWN_DOUBTS = ("abuse_procedure",)  # decided by the procedure's own table, not by a threshold


@dataclass(frozen=True, slots=True)
class MeasuredVerdict:
    """One criterion of one call: the verdict that the evidence supports, its strength, and the right answer."""

    source: str  # reference words or recognised ones
    centre: str
    language: str  # of most words of the call, as read or recognised
    criterion: str
    verdict: VerdictName  # `unsure` where the evidence supports none
    kind: str
    strength: float
    right: str

    @property
    def is_right(self) -> bool:
        """Whether the verdict would be right if it were given."""
        return self.verdict == self.right


def from_references(folder: Path) -> list[MeasuredVerdict]:
    """The verdicts of the calls of a folder, graded from the words of their references without thresholds."""
    return measured(replay(folder, calibration=OPEN), REFERENCE)


def measured(judged: Iterable[JudgedCall], source: str) -> list[MeasuredVerdict]:
    """Every verdict with a known answer of some calls."""
    found = []
    for one in judged:
        right = right_verdicts(one.reference)
        for v in one.scored.verdicts:
            if v.criterion_id not in _OWN_DOUBTS and right.get(v.criterion_id, "unsure") != "unsure":
                kind = kind_of(v.verdict, v.quote is not None)
                language = one.scored.metrics.language if one.scored.metrics.language in LANGUAGES else one.reference["language"]
                found.append(
                    MeasuredVerdict(
                        source, one.reference["centre"], language, v.criterion_id, v.verdict, kind, v.confidence, right[v.criterion_id]
                    )
                )
    return found
