"""Values that the profiles of all centres define, and their names on pages: topics, lines, client types and criteria."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from pipelines.centres.profile import Centre, load_centre
from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import centre_ids

log = logging.getLogger("callgrade")
GROUPS = ("topics", "lines", "client_types", "criteria")


def all_topics() -> tuple[str, ...]:
    """The topics of every centre."""
    return tuple(dict.fromkeys(topic for centre in _readable() for topic in centre.topic_ids))


def title(group: str, value: str, language: str) -> str | None:
    """The name of a value of one of `GROUPS` in a language, else in English, else in any; None where no profile gives it a name."""
    for centre in _readable():
        named = _titles(centre, group).get(value)
        if named:
            return named.get(language) or named.get("en") or next(iter(named.values()))
    return None


def _titles(centre: Centre, group: str) -> Mapping[str, Mapping[str, str]]:
    match group:
        case "topics":
            return {topic.topic_id: topic.title for topic in centre.topics}
        case "lines":
            return {line.line_id: line.title for line in centre.lines}
        case "client_types":
            return {kind.type_id: kind.title for kind in centre.client_types}
        case _:
            return {criterion.criterion_id: criterion.title for criterion in centre.scorecard.criteria}


def _readable() -> Iterator[Centre]:
    """Every centre whose profile is right: a wrong one is reported where its calls are graded, and must not take away the others' names."""
    for centre_id in centre_ids():
        try:
            yield load_centre(centre_id)
        except MisconfiguredError as error:
            log.debug("%s", error)
