"""Centre profiles: the model of `<id>.yaml`, and its reader.

Criteria shared by many centres are described once in `criteria.yaml`; a centre's scorecard refers to them with a weight, may override
any of their fields, and may add its own. Every error in a file is reported with its line, the value, the allowed values and the nearest
match. `core.profile_files` finds the files: the packaged ones and those of a folder outside the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import yaml
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from rapidfuzz import process

from pipelines.centres.scorecard import Scorecard
from pipelines.centres.vocabulary import CLIENT_TYPES, LINES, TOPICS, ClientType, ClientTypeOrId, Language, LineOrId, Phrases, TopicOrId
from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import PACKAGED, SUFFIX, HasStart, centre_day, centre_ids, profile_file
from pipelines.core.profile_history import archived, facts
from pipelines.core.settings import ROOT
from pipelines.core.validation import FileModel, Place, not_known, wrong
from pipelines.core.yaml_lines import check, entries, parse_yaml, read_yaml, where

CENTRES = ROOT / PACKAGED
FOLDER = Path(__file__).parent
SHARED_CRITERIA = FOLDER / "criteria.yaml"
NO_PROFILE = "general"  # the packaged profile of calls whose centre is not named


def _timezone(name: object) -> ZoneInfo:
    if isinstance(name, ZoneInfo):
        return name
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, or a path
        near = process.extractOne(str(name), sorted(available_timezones()))
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise wrong(f"timezone {name!r} is not known to this system (an IANA name such as Europe/Kyiv).{hint}".rstrip(".")) from None


TimeZone: TypeAlias = Annotated[ZoneInfo, BeforeValidator(_timezone), WithJsonSchema({"type": "string"})]
Hour: TypeAlias = Annotated[int, Field(ge=0, le=24)]


class ProcedureConfig(FileModel):
    """The warn-before-hang-up rule: the number of warnings, and whether the end must be announced."""

    warnings: int = Field(default=1, ge=1, le=5)
    """How many warnings an abusive client gets before the operator may end the call."""
    is_notice_required: bool = Field(default=True, alias="notice_required")
    """Whether the operator must announce the end of the call."""


class RestRule(FileModel):
    """The rest rule: an operator is due a rest at whichever of the three comes first within a shift."""

    abusive_in_a_row: int = Field(default=2, ge=1, le=100)
    """Abusive calls one after another."""
    abusive_calls: int = Field(default=3, ge=1, le=100)
    """Abusive calls in the shift."""
    abuse_s: float = Field(default=60.0, ge=1, le=36000)
    """Seconds of abuse in the shift."""


class Hours(FileModel):
    """Local hours of the full service; outside them only `night_topics` are handled. From = to means round the clock."""

    day_from: Hour = 0
    """The local hour at which the full service opens."""
    day_to: Hour = 0
    """The local hour at which the full service closes; the same as day_from: never."""
    night_topics: tuple[str, ...] = ()
    """Topics that are handled outside these hours."""

    def is_night(self, hour: int) -> bool:
        """Whether the full service is closed at this local hour."""
        return self.day_from != self.day_to and not self.day_from <= hour < self.day_to


class Centre(FileModel):
    """The profile of one contact centre: its facts, vocabulary and scorecard."""

    centre_id: str = Field(alias="centre")
    """The id of the centre; also the name of the file."""
    name: str
    """The display name of the centre."""
    timezone: TimeZone
    """The time zone: an IANA name such as Europe/Kyiv."""
    languages: tuple[Language, ...]
    """Languages of the calls, the main one first."""
    company_names: Phrases = Field(default_factory=dict)
    """Names of the company, as phrases by language, the proper spelling first; a list for every language, or none at all."""
    hours: Hours = Field(default_factory=Hours)
    """Hours of the full service, for centres that handle fewer topics at night."""
    lines: tuple[LineOrId, ...] = Field(min_length=1)
    """The lines of support that the centre has: ids, or ids with names for the pages."""
    topics: tuple[TopicOrId, ...] = Field(min_length=1)
    """Topics that calls of this centre may have: ids of known topics, and topics of the centre's own with a description and examples."""
    client_types: tuple[ClientTypeOrId, ...] = Field(default=tuple(ClientType(id=known) for known in CLIENT_TYPES), min_length=1)
    """Types of clients: ids of known types, and types of the centre's own with sentences that such clients say; all known types when omitted."""
    menu_topics: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Values of the columns queue or ivr_path of the call log, each with its topics."""
    terms: Phrases = Field(default_factory=dict)
    """Product names and other domain terms by language, for recognition and pages."""
    procedure: ProcedureConfig = Field(default_factory=ProcedureConfig)
    """What an operator must do before ending an abusive call."""
    scorecard: Scorecard
    """The scorecard that calls are graded by."""
    max_hold_s: float = Field(default=60.0, ge=1, le=3600)
    """The longest acceptable hold, in seconds; informational, nothing is computed from it."""
    dead_air_s: float = Field(default=5.0, ge=1, le=120)
    """The minimum silence of both sides that counts as dead air, in seconds."""
    rest: RestRule = Field(default_factory=RestRule)
    """When an operator is due a rest after abusive calls."""
    operators: int | None = Field(default=None, ge=0, le=10**6)
    """The number of operators; informational, nothing is computed from it."""
    calls_per_day: int | None = Field(default=None, ge=0, le=10**8)
    """The usual number of calls a day; informational, nothing is computed from it."""
    notes: Any = None
    """Free-text remarks."""

    @property
    def topic_ids(self) -> tuple[str, ...]:
        """The ids of its topics."""
        return tuple(topic.topic_id for topic in self.topics)

    @property
    def has_own_topics(self) -> bool:
        """Whether it has topics beyond the known ones, which any centre may list."""
        return any(topic.topic_id not in TOPICS for topic in self.topics)

    @property
    def topic_examples(self) -> Mapping[str, tuple[str, ...]]:
        """By topic: the sentences that the turn model learns it from, for topics that have any."""
        return {topic.topic_id: topic.sentences for topic in self.topics if topic.sentences}

    @property
    def upsetting_topics(self) -> frozenset[str]:
        """The topics whose clients count as upset."""
        return frozenset(topic.topic_id for topic in self.topics if topic.is_upsetting)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for code in self.languages if self.company_names else ():
            if code not in self.company_names:
                raise wrong(f"there is no list for language {code!r} of this centre", "company_names")
        _are_different("topics", "topic", self.topic_ids)
        _are_different("lines", "line", [line.line_id for line in self.lines])
        _are_different("client_types", "client type", [kind.type_id for kind in self.client_types])
        for place, topic in self._topics_referred_to():
            if topic not in (*self.topic_ids, *TOPICS):
                raise wrong(not_known("topic", topic, sorted({*self.topic_ids, *TOPICS})), *place)
        for n, criterion in enumerate(self.scorecard.criteria):
            for k, line in enumerate(criterion.applies.lines):
                lines = [*(own.line_id for own in self.lines), *LINES]
                if line not in lines:
                    raise wrong(not_known("line", line, lines), "scorecard", "criteria", n, "applies", "lines", k)
        return self

    def _topics_referred_to(self) -> Iterator[tuple[Place, str]]:
        """Every topic that another part of the profile names, with its place."""
        yield from ((("hours", "night_topics", k), topic) for k, topic in enumerate(self.hours.night_topics))
        yield from ((("menu_topics", name, k), topic) for name, topics in self.menu_topics.items() for k, topic in enumerate(topics))
        for n, criterion in enumerate(self.scorecard.criteria):
            for name in ("topics", "except_topics"):
                for k, topic in enumerate(getattr(criterion.applies, name)):
                    yield ("scorecard", "criteria", n, "applies", name, k), topic


def _are_different(field: str, what: str, ids: Sequence[str]) -> None:
    for n, one in enumerate(ids):
        if one in ids[:n]:
            raise wrong(f"{what} {one!r} is listed twice", field, n)


def load_centre(centre_id: str, day: date | None = None) -> Centre:
    """The checked profile of a centre, read again when its file has changed: the version in force on a local day, or the newest one.

    Raises MisconfiguredError with file, line, value, allowed values and the nearest match; also for a centre without a profile.
    """
    path = profile_file(centre_id, day=day)
    if path is None:
        advice = "`callgrade centre new` writes a profile, and --centres names the folder of your own"
        raise MisconfiguredError(f"{not_known('centre', centre_id, centre_ids(), advice)}.")
    return _read_current(path, centre_id)


def centre_of(call: HasStart) -> Centre:
    """The profile that judges a call: the version in force on its day. Raises MisconfiguredError as `load_centre` does."""
    return load_centre(*centre_day(call))


def centre_in_version(centre_id: str, version: str | None) -> Centre:
    """The profile as it was in a version of its scorecard; the newest one where that version was not kept.

    Raises MisconfiguredError as `load_centre` does.
    """
    path = profile_file(centre_id)
    kept = archived(path, version) if path is not None and version is not None else None
    if path is None or kept is None or version == facts(path).version or not kept.is_file():
        return load_centre(centre_id)
    return _read_current(kept, centre_id)


def _read_current(path: Path, centre_id: str) -> Centre:
    status = path.stat()
    return _read_once(path, centre_id, status.st_mtime_ns, status.st_size)


@cache
def _read_once(path: Path, centre_id: str, mtime_ns: int, size_bytes: int) -> Centre:
    return read_centre(path, centre_id=centre_id)


def read_centre(path: Path, shared: Path = SHARED_CRITERIA, centre_id: str | None = None) -> Centre:
    """A centre's profile from its YAML file, with the shared criteria from `shared`. Raises MisconfiguredError.

    The profile must be that of `centre_id`, which is the name of the file unless given.
    """
    return _checked(read_yaml(path), centre_id or path.stem, shared)


def parse_centre(text: str, centre_id: str, name: str, shared: Path = SHARED_CRITERIA) -> Centre:
    """A centre's profile from the text of such a file; `name` stands for the file in messages. Raises MisconfiguredError."""
    return _checked(parse_yaml(text, name), centre_id, shared)


def _checked(top: yaml.MappingNode, centre_id: str, shared: Path) -> Centre:
    named = entries(top).get("centre")
    if isinstance(named, yaml.ScalarNode) and named.value != centre_id:
        raise MisconfiguredError(f"{where(named)}: centre is {named.value!r} but the file is named {centre_id}{SUFFIX}; they must agree.")
    criteria = entries(entries(top).get("scorecard")).get("criteria")
    if isinstance(criteria, yaml.SequenceNode):
        known = entries(read_yaml(shared))
        criteria.value = [_completed(item, known) for item in criteria.value]
    return check(top, Centre)


def _completed(item: yaml.Node, known: Mapping[str, yaml.Node]) -> yaml.Node:
    """A criterion of a scorecard, with omitted fields from the shared one."""
    own = entries(item)
    named = own.get("id")
    if not isinstance(named, yaml.ScalarNode):
        return item
    shared = known.get(named.value)
    if shared is None and "rule" not in own:
        advice = "A custom criterion needs a rule"
        raise MisconfiguredError(f"{where(named)}: {not_known('criterion', named.value, known, advice)}.")
    inherited = [(key, value) for key, value in shared.value if key.value not in own] if isinstance(shared, yaml.MappingNode) else []
    return yaml.MappingNode(item.tag, [*item.value, *inherited], item.start_mark, item.end_mark)
