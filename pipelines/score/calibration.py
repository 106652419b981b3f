"""How certain a verdict is, as a chance that was measured, and how certain it must be to be decided without a person.

`thresholds.yaml` holds both; `python -m pipelines.quality.fit_thresholds` makes it from verdicts whose right answer is known. The evidence of a verdict has a
strength; how often evidence of that kind and strength is right is its confidence, a little corrected by criterion and language. A criterion
in a language needs the confidence at which its verdicts were right as often as is wanted; where few were measured, what holds for the
criterion everywhere counts, and then what holds for all.
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
    """Evidence of one kind: its log odds of being right, as a straight line over those of its strength."""

    offset: float = Field(default=0.0, ge=-10, le=10)
    slope: float = Field(default=1.0, ge=0, le=10)


class _File(FileModel):
    """What `thresholds.yaml` says."""

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
    """Measured chances and the limits that were chosen from them."""

    version: str
    kinds: Mapping[str, CalibrationLine] = field(default_factory=dict)
    criteria: Mapping[str, float] = field(default_factory=dict)  # criterion → what it adds to the log odds
    languages: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[tuple[str, str], float] = field(default_factory=dict)  # (criterion, language), either may be ANY
    least_to_fail: float = 0.0  # no fail is less certain than this

    def confidence(self, kind: str, strength: float, criterion_id: str, language: str) -> float:
        """The chance (0 to 1) that a verdict is right, from the kind and strength of its evidence."""
        line = self.kinds.get(kind, CalibrationLine())
        odds = line.offset + line.slope * log_odds(strength) + self.criteria.get(criterion_id, 0.0) + self.languages.get(language, 0.0)
        return 1 / (1 + math.exp(-odds))

    def threshold(self, criterion_id: str, language: str) -> float:
        """The confidence from which a criterion is decided in a language."""
        known = ((criterion_id, language), (criterion_id, ANY), (ANY, language), (ANY, ANY))
        return next((self.thresholds[name] for name in known if name in self.thresholds), 0.0)

    def decides(self, verdict: VerdictName, confidence: float, criterion_id: str, language: str) -> bool:
        """Whether a verdict of this confidence is given without a person."""
        least = self.threshold(criterion_id, language)
        return confidence >= (max(least, self.least_to_fail) if verdict == "fail" else least)


OPEN = Calibration("none")  # everything is decided, strengths are taken as they are: what calibration itself is made from


def kind_of(verdict: VerdictName, has_quote: bool) -> str:
    """The kind of evidence behind a verdict."""
    if verdict == "na":
        return "na"
    if verdict == "pass":
        return "said" if has_quote else "searched"
    return "blamed" if has_quote else "absent"


def log_odds(chance: float, nearest: float = _NEAR_0) -> float:
    """The log odds of a chance; those of a chance nearer to 0 or 1 than `nearest` are those of `nearest`."""
    held = min(max(chance, nearest), 1 - nearest)
    return math.log(held / (1 - held))


@cache
def load_calibration() -> Calibration:
    """The calibration that ships. Raises MisconfiguredError with file, line and value where it is written wrongly."""
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
