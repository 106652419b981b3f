"""Centre profiles: the models of `centres/<id>.yaml`, and their reader.

Criteria shared by many centres are described once in `criteria.yaml`; a centre's scorecard refers to them with a weight, may override
any of their fields, and may add its own. Every error in a file is reported with its line, the value, the allowed values and the nearest
match.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from rapidfuzz import process

from models.languages.language import ACTS, LANGUAGES, find_phrase
from pipelines.core.errors import MisconfiguredError
from pipelines.core.validation import FileModel, OneOf, not_known, wrong
from pipelines.core.yaml_lines import check, entries, read_yaml, where

RULES = (
    "said", "not_said", "identified", "hold_announced", "hold_thanked", "farewell", "abuse_procedure", "good_impression", "request_taken",
    "question",
)  # fmt: skip
WHERE = ("opening", "anywhere")
ASKS = ("operator", "client")
ANSWERS = ("yes", "no", "not_applicable")
VERDICTS = ("pass", "fail", "na", "unsure")
SEVERITIES = ("minor", "major", "critical")
DIRECTIONS = ("inbound", "callback", "outbound")
LINES = ("first", "second", "technical")
TOPICS = (
    "balance", "payment", "meter_reading", "outage", "heating", "power_quality", "office_hours", "meter_install", "portal", "tariff",
    "debt", "energy_saving", "connection", "technical", "settings", "roaming", "sim", "promotion", "service_order", "contract_change",
    "complaint",
    "wrong_company", "prank", "other",
)  # fmt: skip
FOLDER = Path(__file__).parent
CENTRES = FOLDER / "packaged"
SHARED_CRITERIA = FOLDER / "criteria.yaml"


def _phrases(given: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    for code, phrases in given.items():
        for n, phrase in enumerate(phrases):
            try:
                find_phrase((), phrase, code)
            except ValueError as error:
                raise wrong(str(error), code, n) from error
    return given


def _timezone(name: object) -> ZoneInfo:
    if isinstance(name, ZoneInfo):
        return name
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, or a path
        near = process.extractOne(str(name), sorted(available_timezones()))
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise wrong(f"timezone {name!r} is not known to this system (an IANA name such as Europe/Kyiv).{hint}".rstrip(".")) from None


Language: TypeAlias = Annotated[str, OneOf(LANGUAGES)]
Topic: TypeAlias = Annotated[str, OneOf(TOPICS)]
Line: TypeAlias = Annotated[str, OneOf(LINES)]
ByLanguage: TypeAlias = Mapping[Language, str]
Sentences: TypeAlias = Mapping[Language, Annotated[str, Field(min_length=3, max_length=600)]]
Phrases: TypeAlias = Annotated[Mapping[Language, tuple[str, ...]], AfterValidator(_phrases)]
TimeZone: TypeAlias = Annotated[ZoneInfo, BeforeValidator(_timezone), WithJsonSchema({"type": "string"})]
Hour: TypeAlias = Annotated[int, Field(ge=0, le=24)]


class Applies(FileModel):
    """The conditions under which a criterion applies to a call; all that are given must hold."""

    topics: tuple[Topic, ...] = ()
    """Applies only to calls about one of these topics."""
    except_topics: tuple[Topic, ...] = ()
    """Does not apply to calls about one of these topics."""
    directions: tuple[Annotated[str, OneOf(DIRECTIONS)], ...] = ()
    """Applies only to calls in one of these directions."""
    lines: tuple[Line, ...] = ()
    """Applies only to calls on one of these lines."""
    is_night: bool | None = Field(default=None, alias="night")
    """true: applies only outside the hours of the full service; false: only within them."""
    upset_client: bool | None = None
    """true: applies only where the client is upset, by the topic or by two or more negative turns; false: only where not."""
    rude_client: bool | None = None
    """true: applies only where the client is abusive or has two or more negative turns; false: only where not."""
    considerate_client: bool | None = None
    """true: applies only where the client sounds pleased and is not abusive; false: only where not."""
    unless_ended_by_abuse: bool = False
    """true: does not apply where the call ended over abuse."""


class Criterion(FileModel):
    """A weighted question and the evidence that answers it. A field that a scorecard omits comes from criteria.yaml."""

    criterion_id: str = Field(alias="id")
    """The name of the criterion in criterion_results; one of criteria.yaml, or one of your own with its rule, weight, title and description."""
    rule: Annotated[str, OneOf(RULES)]
    """How the verdict is determined; docs/scorecards.md describes each rule. `said` and `not_said` need acts or phrases."""
    weight: float = Field(ge=0, le=100)
    """The points of the criterion; a score is points earned divided by points decided."""
    title: ByLanguage
    """A few words by language, for pages and tables."""
    description: ByLanguage
    """What the operator is expected to do, by language, in one sentence."""
    acts: tuple[Annotated[str, OneOf(ACTS)], ...] = ()
    """Speech acts of models/languages/<language>.yaml that answer the question."""
    phrases: Phrases = Field(default_factory=dict)
    """Phrases of this centre's own by language, as patterns over dictionary forms; docs/scorecards.md lists the signs."""
    where: Annotated[str, OneOf(WHERE)] = "anywhere"
    """Where the words are searched: `opening` is the operator's first two turns."""
    question: Sentences = Field(default_factory=dict)
    """With the rule `question`: what a language model is asked about the call, by language, so that yes or no answers it; see docs/questions.md."""
    answers: Mapping[Annotated[str, OneOf(ANSWERS)], Annotated[str, OneOf(VERDICTS)]] = Field(default_factory=dict)
    """The verdict for each answer to the question, where it differs from yes: pass, no: fail, not_applicable: na."""
    applies_if: Sentences = Field(default_factory=dict)
    """When the question applies, by language; where this is not so in a call, its answer is not_applicable."""
    asks: Annotated[str, OneOf(ASKS)] = "operator"
    """Whose words must prove the answer to the question."""
    is_auto_fail: bool = Field(default=False, alias="auto_fail")
    """true: a fail makes the score of the whole call 0."""
    severity: Annotated[str, OneOf(SEVERITIES)] = "minor"
    """The severity of a fail; a critical criterion that is unsure requires a review."""
    applies: Applies = Field(default_factory=Applies)
    """The calls that the criterion applies to; all when omitted."""
    clip_worthy: bool = True
    """Whether coaching clips are extracted for it."""
    least_trust: float = Field(default=0.6, ge=0, le=2)
    """How well (0 to 1) the searched words must be recognised before their absence is a fail; above 1: absence never is."""
    na_below: float = Field(default=0.5, ge=0, le=0.7)
    """With a probability of being applicable above this, the verdict is never `na`."""

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if self.rule in ("said", "not_said") and not self.acts and not self.phrases:
            raise wrong(f"criterion {self.criterion_id!r} with rule {self.rule!r} needs acts or phrases to look for")
        return self

    @model_validator(mode="after")
    def _has_a_question(self) -> Self:
        if self.rule == "question" and not self.question:
            raise wrong(f"criterion {self.criterion_id!r} with rule 'question' needs a question, such as {{en: Did the operator ...?}}")
        if self.rule != "question" and (self.question or self.answers or self.applies_if):
            raise wrong(f"criterion {self.criterion_id!r} has a question, answers or applies_if, which belong to the rule 'question'")
        return self

    def verdict_of(self, answer: str) -> str:
        """The verdict for an answer to the question: pass, fail, na or unsure."""
        return self.answers.get(answer) or {"yes": "pass", "no": "fail"}.get(answer, "na")


class Scorecard(FileModel):
    """A versioned set of criteria with its owner and effective date."""

    scorecard_id: str = Field(alias="id")
    """The name of the scorecard in the warehouse."""
    version: str
    """Increase it with every change, so that results identify their rules."""
    owner: str
    """The owner of the scorecard."""
    effective_from: str = Field(json_schema_extra={"format": "date"})
    """The effective date of this version, as YYYY-MM-DD."""
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    """The criteria of the scorecard; the weights need not add up to 100."""
    review_below_coverage_pct: float = Field(default=60.0, ge=0, le=100)
    """An evaluation needs a review when a smaller percentage of its applicable points could be decided."""

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        seen: set[str] = set()
        for n, criterion in enumerate(self.criteria):
            if criterion.criterion_id in seen:
                raise wrong(f"criterion {criterion.criterion_id!r} is listed twice in this scorecard", "criteria", n, "id")
            seen.add(criterion.criterion_id)
        return self


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
    night_topics: tuple[Topic, ...] = ()
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
    """Names of the company, as phrases by language, the proper spelling first; every language of the centre needs a list."""
    hours: Hours = Field(default_factory=Hours)
    """Hours of the full service, for centres that handle fewer topics at night."""
    lines: tuple[Line, ...]
    """The lines of support that the centre has."""
    topics: tuple[Topic, ...]
    """Topics that calls of this centre may have."""
    topic_phrases: Mapping[Topic, Phrases] = Field(default_factory=dict)
    """Phrases of this centre's own that indicate a topic, by topic and language."""
    topic_examples: Mapping[Topic, tuple[str, ...]] = Field(default_factory=dict)
    """By topic: its description and sentences of clients, in any language; the turn model learns the topic from them."""
    menu_topics: Mapping[str, tuple[Topic, ...]] = Field(default_factory=dict)
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

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for code in self.languages:
            if code not in self.company_names:
                raise wrong(f"there is no list for language {code!r} of this centre", "company_names")
        for topic in self.topic_examples:
            if topic not in self.topics:
                raise wrong(not_known("topic", topic, self.topics), "topic_examples", topic)
        return self


def centre_ids() -> list[str]:
    """The ids of all centres with a profile, sorted."""
    return sorted(path.stem for path in CENTRES.glob("*.yaml"))


@cache
def load_centre(centre_id: str) -> Centre:
    """The checked profile of a centre.

    Raises MisconfiguredError with file, line, value, allowed values and the nearest match; also for a centre without a profile.
    """
    if centre_id not in centre_ids():
        advice = f"Add {CENTRES / (centre_id + '.yaml')} to support it"
        raise MisconfiguredError(f"{CENTRES}: {not_known('centre', centre_id, centre_ids(), advice)}.")
    return read_centre(CENTRES / f"{centre_id}.yaml")


def read_centre(path: Path, shared: Path = SHARED_CRITERIA) -> Centre:
    """A centre's profile from its YAML file, with the shared criteria from `shared`. Raises MisconfiguredError."""
    top = read_yaml(path)
    named = entries(top).get("centre")
    if isinstance(named, yaml.ScalarNode) and named.value != path.stem:
        raise MisconfiguredError(f"{where(named)}: centre is {named.value!r} but the file is named {path.name}; they must agree.")
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
