"""How certain a verdict is, as a chance that was measured, and how certain it must be to be decided without a person.

`thresholds.yaml` holds both; `python -m tests.quality.choose` makes it from verdicts whose right answer is known. The evidence of a verdict has a
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

from pipelines.core.records import VerdictName
from pipelines.core.yaml_lines import Entry, read_yaml

PATH = Path(__file__).with_name("thresholds.yaml")
KINDS = ("said", "blamed", "absent", "searched", "na")
ANY = "any"  # every criterion, every language
_NEAR_0 = 0.005


@dataclass(frozen=True, slots=True)
class Line:
    """Evidence of one kind: its log odds of being right, as a straight line over those of its strength."""

    offset: float = 0.0
    slope: float = 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measured chances and the limits that were chosen from them."""

    version: str
    kinds: Mapping[str, Line] = field(default_factory=dict)
    criteria: Mapping[str, float] = field(default_factory=dict)  # criterion → what it adds to the log odds
    languages: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[tuple[str, str], float] = field(default_factory=dict)  # (criterion, language), either may be ANY
    least_to_fail: float = 0.0  # no fail is less certain than this

    def confidence(self, kind: str, strength: float, criterion_id: str, language: str) -> float:
        """The chance (0 to 1) that a verdict is right, from the kind and strength of its evidence."""
        line = self.kinds.get(kind, Line())
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
    top = read_yaml(path)
    top.allow("version", "chosen_from", "wanted", "wanted_to_fail", "least_to_fail", "kinds", "criteria", "languages", "thresholds")
    kinds, limits = top.child("kinds"), top.child("thresholds")
    kinds.allow(*KINDS)
    return Calibration(
        version=top.text("version"),
        kinds={name: _line(kinds.child(name)) for name in kinds.names()},
        criteria=_numbers(top.child("criteria")),
        languages=_numbers(top.child("languages")),
        thresholds={(name, code): value for name in limits.names() for code, value in _numbers(limits.child(name), 0.0, 1.0).items()},
        least_to_fail=top.number("least_to_fail", 0.0, 0, 1),
    )


def _line(entry: Entry) -> Line:
    entry.allow("offset", "slope")
    return Line(entry.number("offset", 0.0, -10, 10), entry.number("slope", 1.0, 0, 10))


def _numbers(entry: Entry, least: float = -10.0, most: float = 10.0) -> dict[str, float]:
    return {name: entry.number(name, None, least, most) for name in entry.names()}
