"""Figures as Markdown tables, for people and for docs/quality.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipelines.quality.figures import Figures


def summary(groups: Mapping[str, Figures]) -> str:
    """One row per group of calls: all, each language, each centre."""
    head = (
        "calls", "n", "criteria right of decided", "decided", "wrong fails", "procedure", "of abusive", "left open", "falsely accused", "abuse F1",
        "sentiment F1", "topic", "client type", "quotes resolve", "numbers readable", "names readable",
    )  # fmt: skip
    return markdown(head, (_row(name, f) for name, f in groups.items()))


def criteria(found: Figures) -> str:
    """One row per criterion."""
    head = ("criterion", "right of decided", "decided", "unsure", "wrong fails", "wrong passes")
    rows = (
        (name, f"{c['right']}/{c['decided']}", pct(c["decided"] / max(c["n"], 1)), c["n"] - c["decided"], c["wrong_fail"], c["wrong_pass"])
        for name, c in sorted(found.criteria.items())
    )
    return markdown(head, rows)


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def pct(ratio: float) -> str:
    """A ratio from 0 to 1 as a percentage with one decimal."""
    return f"{100 * ratio:.1f} %"


def _row(name: str, f: Figures) -> tuple[object, ...]:
    total = f.criteria_sum
    return (
        name, f.calls, pct(f.right_of_decided), pct(f.coverage), f"{total['wrong_fail']}/{total['n']}", f.procedure, f.procedure_of_abusive, f.abstained,
        len(f.false_accusations), f"{f.abuse_f1:.2f}", f"{f.sentiment_f1:.2f}", f.topic, f.client_type, f.evidence, f.readable_numbers, f.readable_names,
    )  # fmt: skip
