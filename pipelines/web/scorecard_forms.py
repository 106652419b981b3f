"""The forms of a scorecard's criteria and topics: their values, what is wrong with them in the reader's language, and the changes they make.

The values of a form have the names of the profile's YAML. A problem is keyed by its field, with the row after a dash in a list
(`said_like-2`); the template gives the field the id `f-` and that key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from markupsafe import Markup
from rapidfuzz import process

from models.languages.language import find_phrase
from pipelines.centres.profile import Centre
from pipelines.centres.scorecard import ANSWERS, ASKS, DIRECTIONS, SEVERITIES, VERDICTS, WHERE, Criterion, default_verdict
from pipelines.centres.vocabulary import LEAST_WORDS, LINES, TOPICS, Topic
from pipelines.core.errors import MisconfiguredError
from pipelines.i18n.wording import LANGUAGES, Wording
from pipelines.queries.masking import mask_typed
from pipelines.reports.scorecard_view import CONDITIONS
from pipelines.scorecards.errors import ScorecardError

Values: TypeAlias = dict[str, Any]
Problems: TypeAlias = dict[str, str]

NEW_RULES = ("said", "not_said")  # those of criteria that people write
WORDLESS_RULES = ("abuse_procedure", "good_impression", "question")  # those that look for no words
TRI_STATE = {"yes": True, "no": False}
MOST_ROWS = {"said_like": 30, "not_like": 20, "phrases": 20, "examples": 20}  # of one list, for phrases of one language
MOST_ITEMS = 100  # criteria, and topics, of a profile
MOST_WEIGHT = 100.0
FORM_ONLY = "profile"  # the key of a problem that belongs to no field
LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_ROW, LONGEST_ID, LONGEST_QUESTION = 80, 400, 200, 40, 600
SHORTEST_QUESTION = 3  # characters
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CONDITION_NAMES = {"is_night": "night"}  # fields of Applies whose name in the file differs


@dataclass(frozen=True, slots=True)
class FormFields:
    """The fields of a submitted form: one value by name, and all values of a repeated field."""

    one: Callable[[str], str]
    every: Callable[[str], Sequence[str]]


def explained(error: MisconfiguredError, introduction: str, w: Wording) -> str:
    """An error for a page: its sentence in the reader's language.

    One of a file's content is English, with line and value: it is quoted after an introduction, the key of a text.
    """
    if isinstance(error, ScorecardError):
        return error.text(w)
    return Markup('{} <code class="quoted" lang="en">{}</code>').format(w(introduction), str(error))


def criterion_values(criterion: Criterion | None) -> Values:
    """The values of a criterion's form; without a criterion, those of an empty one."""
    if criterion is None:
        return {
            "id": "", "rule": NEW_RULES[0], "weight": "5", "title": {}, "description": {}, "phrases": {}, "said_like": [], "not_like": [], "acts": [],
            "where": "anywhere", "auto_fail": False, "severity": "minor", "applies": {}, "question": {}, "applies_if": {}, "answers": {}, "asks": ASKS[0],
        }  # fmt: skip
    applies = criterion.applies.model_dump(exclude_defaults=True)
    return {
        "id": criterion.criterion_id, "rule": criterion.rule, "acts": list(criterion.acts), "weight": f"{criterion.weight:g}", "title": dict(criterion.title),
        "description": dict(criterion.description), "phrases": {code: list(own) for code, own in criterion.phrases.items()},
        "said_like": list(criterion.said_like), "not_like": list(criterion.not_like), "where": criterion.where, "auto_fail": criterion.is_auto_fail,
        "severity": criterion.severity, "applies": {name: list(value) if isinstance(value, tuple) else value for name, value in applies.items()},
        "question": dict(criterion.question), "applies_if": dict(criterion.applies_if), "answers": dict(criterion.answers), "asks": criterion.asks,
    }  # fmt: skip


def topic_values(topic: Topic | None) -> Values:
    """The values of a topic's form; without a topic, those of an empty one."""
    if topic is None:
        return {"id": "", "title": {}, "description": "", "examples": [], "phrases": {}, "upsetting": False}
    return {
        "id": topic.topic_id, "title": dict(topic.title), "description": topic.description, "examples": list(topic.examples),
        "phrases": {code: list(own) for code, own in topic.phrases.items()}, "upsetting": topic.upsetting,
    }  # fmt: skip


def read_criterion(given: FormFields, before: Values, languages: Sequence[str], *, is_new: bool) -> Values:
    """What was typed into a criterion's form, trimmed; personal data in what is new is masked."""
    known = set(_texts(before))
    applies: Values = {
        name: _chosen(given, name, before["applies"].get(name, [])) for name in ("topics", "except_topics", "directions", "lines")
    }
    for field in CONDITIONS:
        if given.one(field):
            applies[_CONDITION_NAMES.get(field, field)] = TRI_STATE.get(given.one(field), given.one(field))
    if given.one("unless_ended_by_abuse") == "1":
        applies["unless_ended_by_abuse"] = True
    typed = {
        "phrases": _phrases(given, before, languages, known), "said_like": _rows(given, "said_like", known), "not_like": _rows(given, "not_like", known),
        "where": given.one("where"),
    }  # fmt: skip
    if before["rule"] in WORDLESS_RULES:  # its form does not have these fields
        typed = {name: before[name] for name in typed}
    asked = {name: before[name] for name in ("question", "applies_if", "answers", "asks")}
    if before["rule"] == "question":
        asked = {
            "question": _translations(given, "question", known), "applies_if": _translations(given, "applies_if", known),
            "answers": {answer: given.one(f"answer_{answer}") for answer in ANSWERS}, "asks": given.one("asks"),
        }  # fmt: skip
    return {
        "id": given.one("id").lower() if is_new else before["id"], "rule": given.one("rule") if is_new else before["rule"], "acts": before["acts"],
        "weight": given.one("weight"), "title": _translations(given, "title", known), "description": _translations(given, "description", known),
        "auto_fail": given.one("auto_fail") == "1", "severity": given.one("severity"),
        "applies": {name: value for name, value in applies.items() if value != []}, **typed, **asked,
    }  # fmt: skip


def read_topic(given: FormFields, before: Values, languages: Sequence[str], *, is_new: bool) -> Values:
    """What was typed into a topic's form, trimmed; personal data in what is new is masked."""
    known = set(_texts(before))
    return {
        "id": given.one("id").lower() if is_new else before["id"], "title": _translations(given, "title", known),
        "description": _masked(given.one("description"), known), "examples": _rows(given, "examples", known),
        "phrases": _phrases(given, before, languages, known), "upsetting": given.one("upsetting") == "1",
    }  # fmt: skip


def check_criterion(values: Values, before: Values, centre: Centre, w: Wording, *, is_new: bool) -> Problems:
    """What is wrong with the values of a criterion's form, by field."""
    found: Problems = {}
    _check_weight(values, "weight", found, w)
    _check_texts(values["title"], "title", LONGEST_TITLE, found, w)
    _check_texts(values["description"], "description", LONGEST_DESCRIPTION, found, w)
    for text, label in (("title", "sc_err_title"), ("description", "sc_err_description")):
        if not values[text]:
            found.setdefault(f"{text}_{w.code}", w(label))
    if values["rule"] == "question":
        _check_question(values, found, w)
    _check_phrases(values, before, found, w)
    for name in ("said_like", "not_like"):
        _check_rows(values[name], before[name], name, found, w)
    for name, allowed in (("where", WHERE), ("severity", SEVERITIES), *((("rule", NEW_RULES),) if is_new else ())):
        _check_choice(values[name], allowed, name, found, w)
    _check_applies(values["applies"], centre, found, w)
    if values["rule"] in NEW_RULES and not (values["acts"] or values["phrases"] or values["said_like"]):
        found.setdefault("said_like", w("sc_err_words"))
    if values["not_like"] and not values["said_like"]:
        found.setdefault("said_like", w("sc_err_not_like"))
    if is_new:
        _choose_id(values, [c.criterion_id for c in centre.scorecard.criteria], "criterion", found, w)
    return found


def check_topic(values: Values, before: Values, centre: Centre, w: Wording, *, is_new: bool) -> Problems:
    """What is wrong with the values of a topic's form, by field."""
    found: Problems = {}
    _check_texts(values["title"], "title", LONGEST_TITLE, found, w)
    _check_texts({"": values["description"]}, "description", LONGEST_DESCRIPTION, found, w)
    _check_rows(values["examples"], before["examples"], "examples", found, w)
    _check_phrases(values, before, found, w)
    if is_new and not values["title"]:
        found.setdefault(f"title_{w.code}", w("sc_err_title"))
    if is_new:
        _choose_id(values, centre.topic_ids, "topic", found, w)
    if values["id"] not in TOPICS and not (values["description"] or values["examples"] or values["phrases"]):
        found.setdefault("description", w("sc_err_topic"))
    return found


def check_weights(values: Mapping[str, str], w: Wording) -> Problems:
    """What is wrong with the weights of a scorecard, by criterion id (`weight_ID`)."""
    found: Problems = {}
    for criterion_id in values:
        _check_weight(dict(values), criterion_id, found, w)
    return {f"weight_{criterion_id}": said for criterion_id, said in found.items()}


def changed(before: Values, after: Values) -> Values:
    """The fields whose values differ, as the profile stores them: a weight is a number, an empty value removes the field."""
    names = [name for name in after if name not in ("id", "rule") and stored(name, before[name]) != stored(name, after[name])]
    return {name: stored(name, after[name]) for name in names}


def stored(name: str, value: Any) -> Any:
    """A value as the profile stores it: of the answers to a question, those whose verdict is not the usual one."""
    if name == "answers":
        return {answer: verdict for answer, verdict in value.items() if verdict != default_verdict(answer)}
    return number(value) if name == "weight" else value


def number(text: str) -> float | int | None:
    """A typed number, with a decimal comma or point; None for anything else."""
    try:
        value = float(text.replace(",", ".").strip())
    except ValueError:
        return None
    if value != value or abs(value) == float("inf"):
        return None
    return int(value) if value == int(value) else value


def digest(values: Values) -> str:
    """Identifies the values that a form was filled with, to notice that somebody else changed them meanwhile."""
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:16]


def _translations(given: FormFields, name: str, known: Iterable[str]) -> dict[str, str]:
    typed = {code: _masked(given.one(f"{name}_{code}"), known) for code in LANGUAGES}
    return {code: text for code, text in typed.items() if text}


def _phrases(given: FormFields, before: Values, languages: Sequence[str], known: Iterable[str]) -> dict[str, list[str]]:
    codes = dict.fromkeys([*languages, *before["phrases"]])
    typed = {code: _rows(given, f"phrases_{code}", known) for code in codes}
    return {code: rows for code, rows in typed.items() if rows}


def _rows(given: FormFields, name: str, known: Iterable[str]) -> list[str]:
    typed = (" ".join("".join(c if c.isprintable() else " " for c in row).split()) for row in given.every(name))
    return list(dict.fromkeys(_masked(row, known) for row in typed if row))


def _chosen(given: FormFields, name: str, before: Sequence[str]) -> list[str]:
    """The chosen values of a field, those that were chosen before in their order."""
    typed = dict.fromkeys(given.every(name))
    return [value for value in before if value in typed] + [value for value in typed if value not in before]


def _masked(text: str, known: Iterable[str]) -> str:
    """A typed text with personal data masked; one that stood there before is unchanged."""
    return text if not text or text in known else mask_typed(text)


def _texts(values: Any) -> list[str]:
    if isinstance(values, str):
        return [values]
    if isinstance(values, Mapping):
        values = list(values.values())
    return [text for value in values for text in _texts(value)] if isinstance(values, list) else []


def _check_weight(values: Values, name: str, found: Problems, w: Wording) -> None:
    typed = values[name]
    value = number(typed)
    if value is None:
        found[name] = w("sc_err_number", value=typed[:20], least=0, most=int(MOST_WEIGHT))
    elif not 0 <= value <= MOST_WEIGHT:
        near = int(min(max(value, 0.0), MOST_WEIGHT))
        found[name] = w("sc_err_range", value=typed[:20], least=0, most=int(MOST_WEIGHT), near=near)


def _check_texts(texts: Mapping[str, str], name: str, longest: int, found: Problems, w: Wording) -> None:
    for code, text in texts.items():
        if len(text) > longest:
            found[f"{name}_{code}" if code else name] = w("sc_err_long", n=len(text), most=longest)


def _check_question(values: Values, found: Problems, w: Wording) -> None:
    for name in ("question", "applies_if"):
        _check_texts(values[name], name, LONGEST_QUESTION, found, w)
        for code, text in values[name].items():
            if len(text) < SHORTEST_QUESTION:
                found[f"{name}_{code}"] = w("sc_err_short", value=text, least=LEAST_WORDS)
    if not values["question"]:
        found[f"question_{w.code}"] = w("sc_err_question")
    for answer, verdict in values["answers"].items():
        _check_choice(verdict, VERDICTS, f"answer_{answer}", found, w)
    _check_choice(values["asks"], ASKS, "asks", found, w)


def _check_rows(rows: Sequence[str], before: Sequence[str], name: str, found: Problems, w: Wording) -> None:
    for n, row in enumerate(rows):
        if len(row) > LONGEST_ROW:
            found[f"{name}-{n}"] = w("sc_err_long", n=len(row), most=LONGEST_ROW)
        elif len(row.split()) < LEAST_WORDS:
            found[f"{name}-{n}"] = w("sc_err_short", value=row, least=LEAST_WORDS)
    _check_most(rows, before, name, MOST_ROWS[name], found, w)


def _check_phrases(values: Values, before: Values, found: Problems, w: Wording) -> None:
    for code, rows in values["phrases"].items():
        for n, row in enumerate(rows):
            if len(row) > LONGEST_ROW:
                found[f"phrases_{code}-{n}"] = w("sc_err_long", n=len(row), most=LONGEST_ROW)
            elif not _is_phrase(row, code):
                found[f"phrases_{code}-{n}"] = w("sc_err_phrase", value=row, near=_plain_phrase(row) or "…")
        _check_most(rows, before["phrases"].get(code, ()), f"phrases_{code}", MOST_ROWS["phrases"], found, w)


def _check_most(rows: Sequence[str], before: Sequence[str], name: str, most: int, found: Problems, w: Wording) -> None:
    most = max(most, len(before))
    if len(rows) > most:
        found.setdefault(f"{name}-{most}", w("sc_err_many", n=len(rows), most=most))


def _is_phrase(row: str, code: str) -> bool:
    try:
        find_phrase((), row, code)
    except ValueError:
        return False
    return True


def _plain_phrase(row: str) -> str:
    """A phrase without its signs: the nearest that is valid."""
    return " ".join(re.findall(r"\w+(?:['’-]\w+)*", row.replace("_", " ")))


def _check_choice(value: Any, allowed: Sequence[str], name: str, found: Problems, w: Wording) -> None:
    if value not in allowed:
        near = process.extractOne(str(value), allowed)
        found[name] = w("sc_err_choice", value=str(value)[:40], near=near[0], allowed=", ".join(allowed))


def _check_applies(applies: Values, centre: Centre, found: Problems, w: Wording) -> None:
    topics = sorted({*centre.topic_ids, *TOPICS})
    lines = sorted({*(line.line_id for line in centre.lines), *LINES})
    for name, allowed in (("topics", topics), ("except_topics", topics), ("directions", DIRECTIONS), ("lines", lines)):
        for value in applies.get(name, ()):
            _check_choice(value, allowed, name, found, w)
    for field in CONDITIONS:
        value = applies.get(_CONDITION_NAMES.get(field, field))
        if value is not None and not isinstance(value, bool):
            _check_choice(value, tuple(TRI_STATE), field, found, w)
    for both in set(applies.get("topics", ())) & set(applies.get("except_topics", ())):
        found.setdefault("except_topics", w("sc_err_both", value=w.label("topics", both)))


def _choose_id(values: Values, taken: Sequence[str], otherwise: str, found: Problems, w: Wording) -> None:
    """Check a new id, or choose one from the English title where none was typed."""
    if len(taken) >= MOST_ITEMS:
        found[FORM_ONLY] = w("sc_err_many", n=len(taken) + 1, most=MOST_ITEMS)
    typed = values["id"]
    if not typed:
        words = re.sub(r"[^a-z0-9]+", "_", values["title"].get("en", "").lower()).strip("_")
        typed = words[:LONGEST_ID].strip("_") if words[:1].isalpha() else otherwise
        n, base = 2, typed[: LONGEST_ID - 4]
        while typed in taken:
            typed, n = f"{base}_{n}", n + 1
        values["id"] = typed
    if not _ID.fullmatch(typed):
        near = re.sub(r"[^a-z0-9_]+", "_", typed).strip("_0123456789")[:LONGEST_ID] or f"{otherwise}_1"
        found["id"] = w("sc_err_id", value=typed[:LONGEST_ID], near=near)
    elif typed in taken:
        found["id"] = w("sc_err_taken", value=typed)
