"""View models of a scorecard: its criteria, topics and procedure in the reader's language, and what differs between two versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.centres.profile import Centre
from pipelines.centres.scorecard import Applies, Criterion
from pipelines.centres.vocabulary import Topic
from pipelines.i18n.wording import Wording

Row = dict[str, Any]
CONDITIONS = ("is_night", "upset_client", "rude_client", "considerate_client")  # fields of Applies that may be true, false or open
CRITERION_FIELDS = (
    "title", "description", "weight", "rule", "acts", "phrases", "said_like", "not_like", "where", "applies", "is_auto_fail", "severity",
    "question", "applies_if", "answers", "asks",
)  # fmt: skip
TOPIC_FIELDS = ("title", "description", "examples", "phrases", "upsetting")


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes in one criterion or topic: its name, and the fields with their values before and after."""

    kind: str  # criterion, topic
    value_id: str
    title: str
    state: str  # added, removed, changed
    lines: tuple[tuple[str, str, str], ...] = ()  # the field's name, its value before and after; empty values for long fields


def show(centre: Centre, w: Wording) -> dict[str, Any]:
    """The values of the scorecard's page: criteria with their share of all weights, topics, lines and procedure."""
    whole = sum(criterion.weight for criterion in centre.scorecard.criteria)
    return {
        "profile": centre,
        "criteria": [criterion_card(centre, criterion, whole, w) for criterion in centre.scorecard.criteria],
        "whole": whole,
        "topics": [topic_card(topic, w) for topic in centre.topics],
        "lines": [named(line.title, w) or w.label("lines", line.line_id) for line in centre.lines],
        "companies": [(code, names[0]) for code, names in centre.company_names.items() if names],
    }


def criterion_card(centre: Centre, criterion: Criterion, whole: float, w: Wording) -> Row:
    """One criterion in the reader's language; `whole` is the sum of all weights."""
    return {
        "criterion_id": criterion.criterion_id, "title": named(criterion.title, w) or w.label("criteria", criterion.criterion_id),
        "description": named(criterion.description, w), "weight": criterion.weight, "share": w.share(criterion.weight, whole),
        "rule": w.label("scorecard_rules", criterion.rule), "is_opening": criterion.where == "opening",
        "acts": [w.label("acts", act) for act in criterion.acts],
        "phrases": _by_language(criterion.phrases), "said_like": criterion.said_like, "not_like": criterion.not_like,
        "applies": conditions(centre, criterion.applies, w), "is_auto_fail": criterion.is_auto_fail, "severity": criterion.severity,
        "question": named(criterion.question, w), "applies_if": named(criterion.applies_if, w),
    }  # fmt: skip


def topic_card(topic: Topic, w: Wording) -> Row:
    """One topic in the reader's language."""
    return {
        "topic_id": topic.topic_id, "title": named(topic.title, w) or w.label("topics", topic.topic_id),
        "description": topic.description, "examples": topic.examples, "phrases": _by_language(topic.phrases), "is_upsetting": topic.is_upsetting,
    }  # fmt: skip


def conditions(centre: Centre, applies: Applies, w: Wording) -> list[str]:
    """When a criterion is asked, a sentence for each condition; none: in every call."""

    def names(values: Sequence[str], titles: Mapping[str, str]) -> str:
        return ", ".join(titles[value] for value in values)

    topics = {topic: topic_title(centre, topic, w) for topic in (*applies.topics, *applies.except_topics)}
    lines = {line.line_id: named(line.title, w) for line in centre.lines}
    said = []
    if applies.topics:
        said.append(w("sc_applies_topics", names=names(applies.topics, topics)))
    if applies.except_topics:
        said.append(w("sc_applies_except", names=names(applies.except_topics, topics)))
    if applies.directions:
        said.append(w("sc_applies_directions", names=", ".join(w.label("directions", one) for one in applies.directions)))
    if applies.lines:
        said.append(w("sc_applies_lines", names=", ".join(lines.get(one) or w.label("lines", one) for one in applies.lines)))
    for field in CONDITIONS:
        value = getattr(applies, field)
        if value is not None:
            said.append(w.label("scorecard_conditions", f"{field}_{'yes' if value else 'no'}"))
    if applies.unless_ended_by_abuse:
        said.append(w.label("scorecard_conditions", "unless_ended_by_abuse"))
    return said


def topic_title(centre: Centre, topic_id: str, w: Wording) -> str:
    """The name of a topic of a centre, or of a common one."""
    own = next((topic for topic in centre.topics if topic.topic_id == topic_id), None)
    return (named(own.title, w) if own else "") or w.label("topics", topic_id)


def named(by_language: Mapping[str, str], w: Wording) -> str:
    """A text in the reader's language, else in English, else in any; empty where there is none."""
    return by_language.get(w.code) or by_language.get("en") or next(iter(by_language.values()), "")


def differences(before: Centre, after: Centre, w: Wording) -> list[Difference]:
    """What differs between two versions of a profile, criteria first, in the order of the newer one."""
    first = _compared(
        "criterion", {c.criterion_id: c for c in before.scorecard.criteria}, {c.criterion_id: c for c in after.scorecard.criteria}, w
    )
    return first + _compared("topic", {t.topic_id: t for t in before.topics}, {t.topic_id: t for t in after.topics}, w)


def _compared(kind: str, before: Mapping[str, Any], after: Mapping[str, Any], w: Wording) -> list[Difference]:
    group, fields = ("criteria", CRITERION_FIELDS) if kind == "criterion" else ("topics", TOPIC_FIELDS)
    found = []
    for value_id, value in after.items():
        title = named(value.title, w) or w.label(group, value_id)
        old = before.get(value_id)
        if old is None:
            found.append(Difference(kind, value_id, title, "added"))
            continue
        lines = tuple(
            _line(field, getattr(old, field), getattr(value, field), w) for field in fields if getattr(old, field) != getattr(value, field)
        )
        if lines:
            found.append(Difference(kind, value_id, title, "changed", lines))
    gone = [value_id for value_id in before if value_id not in after]
    return found + [Difference(kind, one, named(before[one].title, w) or w.label(group, one), "removed") for one in gone]


def _line(field: str, before: Any, after: Any, w: Wording) -> tuple[str, str, str]:
    name = w.label("scorecard_fields", field)
    match field:
        case "weight":
            return name, w.number(before, 1 if before % 1 else 0), w.number(after, 1 if after % 1 else 0)
        case "is_auto_fail" | "upsetting":
            return name, w("sc_yes") if before else w("sc_no"), w("sc_yes") if after else w("sc_no")
        case "severity":
            return name, w.label("scorecard_severities", before), w.label("scorecard_severities", after)
        case "where":
            return name, w.label("scorecard_places", before), w.label("scorecard_places", after)
        case "asks":
            return name, w.label("roles", before), w.label("roles", after)
        case "title" | "question" | "applies_if":
            return name, named(before, w), named(after, w)
        case _:
            return name, "", ""


def _by_language(phrases: Mapping[str, Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    return [(code, own) for code, own in phrases.items() if own]
