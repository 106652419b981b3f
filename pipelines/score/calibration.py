"""Calibration: measured confidence of verdicts, and the thresholds for deciding without a person.

`thresholds.yaml` has both; `python -m pipelines.quality.fit_thresholds` creates it from verdicts with known answers. The evidence of a
verdict has a strength; the share of correct verdicts at that kind and strength is its confidence, slightly corrected by criterion and
language. A criterion in a language requires the confidence at which its verdicts reached the target precision; where few were measured,
the threshold of the criterion over all languages counts, and then that of all criteria.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from pipelines.core.records import VerdictName
from pipelines.core.validation import FileModel, OneOf
from pipelines.core.yaml_lines import read_model

PATH = Path(__file__).with_name("thresholds.yaml")
KINDS = ("said", "blamed", "absent", "searched", "na")
ANY = "any"  # every criterion, every language
_NEAR_0 = 0.005
Chance: TypeAlias = Annotated[float, Field(ge=0, le=1)]
LogOdds: TypeAlias = Annotated[float, Field(ge=-10, le=10)]


class CalibrationLine(FileModel):
    """Evidence of one kind: its log odds of being right, as a linear function of those of its strength."""

    offset: float = Field(default=0.0, ge=-10, le=10)
    slope: float = Field(default=1.0, ge=0, le=10)


class _File(FileModel):
    """The content of `thresholds.yaml`."""

    version: str
    chosen_from: str = ""
    wanted: Chance = 0.0
    wanted_to_fail: Chance = 0.0
    least_to_fail: Chance = 0.0
    kinds: Mapping[Annotated[str, OneOf(KINDS)], CalibrationLine] = Field(default_factory=dict)
    criteria: Mapping[str, LogOdds] = Field(default_factory=dict)
    languages: Mapping[str, LogOdds] = Field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, Chance]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measured probabilities and the thresholds chosen from them."""

    version: str
    kinds: Mapping[str, CalibrationLine] = field(default_factory=dict)
    criteria: Mapping[str, float] = field(default_factory=dict)  # criterion → its addition to the log odds
    languages: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[tuple[str, str], float] = field(default_factory=dict)  # (criterion, language), either may be ANY
    least_to_fail: float = 0.0  # no fail is less certain than this

    def confidence(self, kind: str, strength: float, criterion_id: str, language: str) -> float:
        """The probability (0 to 1) that a verdict is right, from the kind and strength of its evidence."""
        line = self.kinds.get(kind, CalibrationLine())
        odds = line.offset + line.slope * log_odds(strength) + self.criteria.get(criterion_id, 0.0) + self.languages.get(language, 0.0)
        return 1 / (1 + math.exp(-odds))

    def threshold(self, criterion_id: str, language: str) -> float:
        """The minimum confidence for a decision on a criterion in a language."""
        known = ((criterion_id, language), (criterion_id, ANY), (ANY, language), (ANY, ANY))
        return next((self.thresholds[name] for name in known if name in self.thresholds), 0.0)

    def decides(self, verdict: VerdictName, confidence: float, criterion_id: str, language: str) -> bool:
        """Whether a verdict of this confidence is decided without a person."""
        least = self.threshold(criterion_id, language)
        return confidence >= (max(least, self.least_to_fail) if verdict == "fail" else least)


OPEN = Calibration("none")  # everything is decided, strengths are used as they are: the input of calibration itself


def kind_of(verdict: VerdictName, has_quote: bool) -> str:
    """The kind of evidence behind a verdict."""
    if verdict == "na":
        return "na"
    if verdict == "pass":
        return "said" if has_quote else "searched"
    return "blamed" if has_quote else "absent"


def log_odds(chance: float, nearest: float = _NEAR_0) -> float:
    """The log odds of a probability, clipped to `nearest` from 0 and 1."""
    held = min(max(chance, nearest), 1 - nearest)
    return math.log(held / (1 - held))


@cache
def load_calibration() -> Calibration:
    """The shipped calibration. Raises MisconfiguredError with file, line and value where it is invalid."""
    return read_calibration(PATH)


def read_calibration(path: Path) -> Calibration:
    """A calibration from its YAML file. Raises MisconfiguredError with file, line and value."""
    file = read_model(path, _File)
    return Calibration(
        version=file.version,
        kinds=file.kinds,
        criteria=file.criteria,
        languages=file.languages,
        thresholds={(name, code): value for name, limits in file.thresholds.items() for code, value in limits.items()},
        least_to_fail=file.least_to_fail,
    )
