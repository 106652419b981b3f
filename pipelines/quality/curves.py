"""Coverage and accuracy trade-off: accuracy of the decided verdicts at each coverage, by criterion and language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipelines.quality.reference import right_verdicts
from pipelines.quality.replay import JudgedCall
from pipelines.quality.tables import markdown

THRESHOLDS = (0.0, 0.6, 0.7, 0.8, 0.9)
ALL = "all"


@dataclass(frozen=True, slots=True)
class Decision:
    """One criterion of one call: its confidence, and whether the verdict was right; None where it was left to a person."""

    criterion: str
    language: str
    centre: str
    confidence: float
    is_right: bool | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of a curve: verdicts with at least this confidence are decided, all others go to a person."""

    threshold: float
    coverage: float
    accuracy: float | None  # None where nothing is left


def decisions(judged: Iterable[JudgedCall]) -> list[Decision]:
    """Every criterion of every call with a known answer."""
    found = []
    for one in judged:
        right = right_verdicts(one.reference)
        for v in one.scored.verdicts:
            if right.get(v.criterion_id, "unsure") != "unsure":
                is_right = None if v.verdict == "unsure" else v.verdict == right[v.criterion_id]
                found.append(Decision(v.criterion_id, one.reference["language"], one.reference["centre"], v.confidence, is_right))
    return found


def curve(some: Sequence[Decision], thresholds: Sequence[float] = THRESHOLDS) -> list[CurvePoint]:
    """Coverage and accuracy at each confidence threshold, both 0 to 1. Coverage never increases with the threshold."""
    points = []
    for threshold in thresholds:
        kept = [d for d in some if d.is_right is not None and d.confidence >= threshold]
        accuracy = sum(bool(d.is_right) for d in kept) / len(kept) if kept else None
        points.append(CurvePoint(threshold, len(kept) / max(len(some), 1), accuracy))
    return points


def curves(some: Iterable[Decision]) -> str:
    """The curves of each criterion, over all languages and in each, as a Markdown table: coverage → accuracy at each threshold.

    Groups where everything was decided correctly at the highest threshold are only listed below it.
    """
    groups: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in some:
        for criterion in (ALL, decision.criterion):
            for language in (ALL, decision.language):
                groups[criterion, language].append(decision)
    found = {name: (len(groups[name]), curve(groups[name])) for name in sorted(groups, key=_order)}
    perfect = {name for name, (_, points) in found.items() if all((p.coverage, p.accuracy) == (1.0, 1.0) for p in points)}
    head = ("criterion", "language", "n", *(f"≥ {threshold}" if threshold else "as shipped" for threshold in THRESHOLDS))
    rows = [(*name, n, *map(_cell, points)) for name, (n, points) in found.items() if name not in perfect]
    rest = "; ".join(f"{criterion} ({language})" for criterion, language in found if (criterion, language) in perfect)
    return markdown(head, rows) + (f"\n\nAll decided and all right at every threshold: {rest}." if rest else "")


def reliability(some: Iterable[Decision], bounds: Sequence[float] = (0.0, 0.6, 0.7, 0.8, 0.9, 1.01)) -> str:
    """The accuracy of verdicts by confidence, as a Markdown table: a calibrated 0.8 is right eight times in ten."""
    decided = [d for d in some if d.is_right is not None]
    rows = []
    for low, high in pairwise(bounds):
        own = [d for d in decided if low <= d.confidence < high]
        if own:
            said = sum(d.confidence for d in own) / len(own)
            rows.append((f"{low}–{min(high, 1.0)}", len(own), f"{said:.2f}", f"{sum(bool(d.is_right) for d in own) / len(own):.2f}"))
    return markdown(("confidence", "verdicts", "mean confidence", "right"), rows)


def _cell(point: CurvePoint) -> str:
    return f"{100 * point.coverage:.0f} % → " + ("–" if point.accuracy is None else f"{100 * point.accuracy:.0f} %")


def _order(name: tuple[str, str]) -> tuple[bool, str, bool, str]:
    criterion, language = name
    return criterion != ALL, criterion, language != ALL, language
