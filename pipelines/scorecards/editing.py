"""Edits single values of a centre's profile; comments, order and layout stay, so that a diff in git shows only what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from pipelines.centres.profile import SHARED_CRITERIA
from pipelines.core.errors import MisconfiguredError
from pipelines.core.yaml_text import Data
from pipelines.scorecards.errors import ScorecardError
from pipelines.scorecards.rewriting import as_data, read, rewrite


@dataclass(frozen=True, slots=True)
class SetCriterion:
    """Set a field of a criterion, by its name in the YAML (`weight`, `phrases`, `auto_fail`, ...); None removes it.

    An empty value removes it as well, unless the shared criterion of this id has the field: then the empty value is written. With a
    `language`, one entry of a field by language is set (`title`, `description`, `phrases`); the other languages stay, also those of
    a shared criterion.
    """

    criterion_id: str
    field: str
    value: object
    language: str | None = None


@dataclass(frozen=True, slots=True)
class AddCriterion:
    """Add a criterion at the end of the scorecard: its fields by their names in the YAML, `id` first."""

    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RemoveCriterion:
    """Remove a criterion from the scorecard."""

    criterion_id: str


@dataclass(frozen=True, slots=True)
class SetTopic:
    """Set a field of a topic (`title`, `description`, `examples`, `phrases`, `upsetting`); None removes it. `language` as for criteria."""

    topic_id: str
    field: str
    value: object
    language: str | None = None


@dataclass(frozen=True, slots=True)
class AddTopic:
    """Add a topic: its fields by their names in the YAML, `id` first; for a known topic the id alone."""

    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RemoveTopic:
    """Remove a topic."""

    topic_id: str


@dataclass(frozen=True, slots=True)
class SetScorecard:
    """Set a field of the scorecard itself, such as `owner`, `version` or `review_below_coverage_pct`."""

    field: str
    value: object


Change: TypeAlias = SetCriterion | AddCriterion | RemoveCriterion | SetTopic | AddTopic | RemoveTopic | SetScorecard


def edit(text: str, changes: Sequence[Change]) -> str:
    """The text of a profile with some changes; everything else is as before, letter by letter.

    The result is not checked against the schema; `drafts.save_draft` does that. Raises MisconfiguredError when the text is not a profile,
    or when it has no criterion or topic of a given id.
    """
    data = read(text)
    for change in changes:
        _apply(data, change)
    return rewrite(text, data)


def _apply(data: Data, change: Change) -> None:
    card = _mapping(_mapping(data, "the profile").get("scorecard"), "scorecard")
    criteria, topics = _list(card.get("criteria"), "criteria"), _list(_mapping(data, "the profile").get("topics"), "topics")
    match change:
        case SetScorecard():
            _set(card, change.field, change.value)
        case SetCriterion():
            own = _mapping(criteria[_position(criteria, change.criterion_id)], change.criterion_id)
            if change.language is not None and change.field not in own:
                own[change.field] = dict(_shared_texts(change.criterion_id, change.field))
            is_empty = change.value in ("", [], (), {}) and change.field not in _shared_fields(change.criterion_id)
            _set(own, change.field, None if is_empty else change.value, change.language)
        case SetTopic():
            n = _position(topics, change.topic_id)
            if isinstance(topics[n], str):
                topics[n] = {"id": topics[n]}
            _set(_mapping(topics[n], change.topic_id), change.field, change.value or None, change.language)
        case AddCriterion():
            criteria.append(as_data(change.values))
        case AddTopic():
            topics.append(str(change.values["id"]) if set(change.values) == {"id"} else as_data(change.values))
        case RemoveCriterion():
            del criteria[_position(criteria, change.criterion_id)]
        case RemoveTopic():
            del topics[_position(topics, change.topic_id)]


def _set(own: dict[str, Data], field: str, value: object, language: str | None = None) -> None:
    if language is not None:
        own = _mapping(own.setdefault(field, {}), field)
        field = language
    if value is None:
        own.pop(field, None)
    else:
        own[field] = as_data(value)


def _position(items: Sequence[Data], value_id: str) -> int:
    ids = [item if isinstance(item, str) else str(item.get("id")) if isinstance(item, dict) else "" for item in items]
    if value_id not in ids:
        raise ScorecardError("sc_err_unknown", value=value_id, allowed=", ".join(ids))
    return ids.index(value_id)


@cache
def _shared() -> Data:
    return read(SHARED_CRITERIA.read_text(encoding="utf-8"))


def _shared_fields(criterion_id: str) -> dict[str, Data]:
    """The fields of a shared criterion; empty where there is none."""
    shared = _shared()
    own = shared.get(criterion_id) if isinstance(shared, dict) else None
    return own if isinstance(own, dict) else {}


def _shared_texts(criterion_id: str, field: str) -> dict[str, Data]:
    """A field by language of a shared criterion; empty where there is none."""
    found = _shared_fields(criterion_id).get(field)
    return found if isinstance(found, dict) else {}


def _mapping(data: Data, name: str) -> dict[str, Data]:
    if not isinstance(data, dict):
        raise MisconfiguredError(f"{name} must be a mapping of names to values.")
    return data


def _list(data: Data, name: str) -> list[Data]:
    if not isinstance(data, list):
        raise MisconfiguredError(f"{name} must be a list.")
    return data
