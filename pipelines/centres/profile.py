"""What a centre is and how its calls are judged: the schema of `centres/<id>.yaml`, and its reader.

Criteria that many centres share are described once in `criteria.yaml`; a centre's scorecard names them with a weight, may change any of
their fields, and may add its own. Every mistake in a file is told with its line, the value, what is allowed and the nearest of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from models.languages.language import ACTS, LANGUAGES, find_phrase
from pipelines.core.yaml_lines import Entry, not_allowed, read_yaml

RULES = (
    "said", "not_said", "identified", "hold_announced", "hold_thanked", "farewell", "abuse_procedure", "good_impression", "request_taken",
)  # fmt: skip
WHERE = ("opening", "anywhere")
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


@dataclass(frozen=True, slots=True)
class Applies:
    """When a criterion is asked of a call; every condition that is given must hold."""

    topics: tuple[str, ...] = ()
    except_topics: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    is_night: bool | None = None
    upset_client: bool | None = None
    rude_client: bool | None = None
    considerate_client: bool | None = None
    unless_ended_by_abuse: bool = False


@dataclass(frozen=True, slots=True)
class Criterion:
    """A weighted question with the evidence that answers it."""

    criterion_id: str
    rule: str
    weight: float
    title: Mapping[str, str]  # language → a few words
    description: Mapping[str, str]  # language → what the operator is expected to do
    acts: tuple[str, ...] = ()
    phrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # language → phrases of this centre's own
    where: str = "anywhere"
    is_auto_fail: bool = False
    severity: str = "minor"
    applies: Applies = field(default_factory=Applies)
    clip_worthy: bool = True
    least_trust: float = 0.6  # how well the searched words must be heard before their absence is a fail; above 1: never
    na_below: float = 0.5  # a chance of being asked that is larger never makes it `na`


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A set of criteria with its history: who owns it and since when it is in force."""

    scorecard_id: str
    version: str
    owner: str
    effective_from: str  # ISO date
    criteria: tuple[Criterion, ...]
    review_below_coverage_pct: float = 60.0


@dataclass(frozen=True, slots=True)
class ProcedureConfig:
    """The warn-before-hang-up rule: how many warnings, and whether the end must be announced."""

    warnings: int = 1
    is_notice_required: bool = True


@dataclass(frozen=True, slots=True)
class RestRule:
    """When an operator is due a rest: whichever of the three comes first within a shift."""

    abusive_in_a_row: int = 2  # abusive calls one after another
    abusive_calls: int = 3
    abuse_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Hours:
    """Local hours of the full service; outside them only `night_topics` are taken. From = to means round the clock."""

    day_from: int = 0
    day_to: int = 0
    night_topics: tuple[str, ...] = ()

    def is_night(self, hour: int) -> bool:
        """Whether the full service is closed at this local hour."""
        return self.day_from != self.day_to and not self.day_from <= hour < self.day_to


@dataclass(frozen=True, slots=True)
class Centre:
    """One contact centre: its facts, its words, its scorecard."""

    centre_id: str
    name: str
    timezone: ZoneInfo
    languages: tuple[str, ...]  # the main one first
    company_names: Mapping[str, tuple[str, ...]]  # language → phrases, the proper spelling first
    hours: Hours
    lines: tuple[str, ...]
    topics: tuple[str, ...]
    topic_phrases: Mapping[str, Mapping[str, tuple[str, ...]]]  # topic → language → phrases of this centre's own
    topic_examples: Mapping[str, tuple[str, ...]]  # topic → its description and sentences of clients, which the turn model learns it from
    menu_topics: Mapping[str, tuple[str, ...]]  # a name in queue or ivr_path → topics it was made for
    terms: Mapping[str, tuple[str, ...]]  # language → product words, for recognition and pages
    procedure: ProcedureConfig
    scorecard: Scorecard
    max_hold_s: float = 60.0
    dead_air_s: float = 5.0
    rest: RestRule = field(default_factory=RestRule)
    operators: int | None = None
    calls_per_day: int | None = None


def centre_ids() -> list[str]:
    """The ids of all centres that have a profile, sorted."""
    return sorted(path.stem for path in CENTRES.glob("*.yaml"))


@cache
def load_centre(centre_id: str) -> Centre:
    """The checked profile of a centre.

    Raises MisconfiguredError with file, line, value, allowed values and the nearest match; also for a centre that has no profile.
    """
    if centre_id not in centre_ids():
        raise not_allowed(str(CENTRES), "centre", centre_id, centre_ids(), f"Add {CENTRES / (centre_id + '.yaml')} to teach it.")
    return read_centre(CENTRES / f"{centre_id}.yaml")


def read_centre(path: Path, shared: Path = FOLDER / "criteria.yaml") -> Centre:
    """A centre's profile from its YAML file, with the shared criteria from `shared`. Raises MisconfiguredError."""
    top = read_yaml(path)
    top.allow(
        "centre", "name", "timezone", "languages", "company_names", "hours", "lines", "topics", "topic_phrases", "topic_examples", "menu_topics", "terms",
        "procedure", "scorecard", "max_hold_s", "dead_air_s", "rest", "operators", "calls_per_day", "notes",
    )  # fmt: skip
    centre_id = top.text("centre")
    if centre_id != path.stem:
        raise top.get("centre").error(f"centre is {centre_id!r} but the file is named {path.name}; they must agree")
    languages = top.choices("languages", LANGUAGES)
    hours, procedure, rest = top.child("hours"), top.child("procedure"), top.child("rest")
    hours.allow("day_from", "day_to", "night_topics")
    procedure.allow("warnings", "notice_required")
    rest.allow("abusive_in_a_row", "abusive_calls", "abuse_s")
    topics = top.choices("topics", TOPICS)
    own_topics = top.child("topic_phrases")
    own_topics.allow(*TOPICS)
    examples = top.child("topic_examples")
    examples.allow(*topics)
    menu = top.child("menu_topics")
    return Centre(
        centre_id=centre_id,
        name=top.text("name"),
        timezone=top.timezone("timezone"),
        languages=languages,
        company_names=_by_language(top.child("company_names"), needed=languages),
        hours=Hours(
            day_from=int(hours.number("day_from", 0, 0, 24)),
            day_to=int(hours.number("day_to", 0, 0, 24)),
            night_topics=hours.choices("night_topics", TOPICS, default=()),
        ),
        lines=top.choices("lines", LINES),
        topics=topics,
        topic_phrases={topic: _by_language(own_topics.get(topic)) for topic in own_topics.names()},
        topic_examples={topic: examples.texts(topic) for topic in examples.names()},
        menu_topics={name: menu.choices(name, TOPICS) for name in menu.names()},
        terms=_by_language(top.child("terms")),
        procedure=ProcedureConfig(
            warnings=int(procedure.number("warnings", 1, 1, 5)), is_notice_required=procedure.flag("notice_required", True)
        ),
        scorecard=_scorecard(top.get("scorecard"), shared),
        max_hold_s=top.number("max_hold_s", 60.0, 1, 3600),
        dead_air_s=top.number("dead_air_s", 5.0, 1, 120),
        rest=RestRule(
            abusive_in_a_row=int(rest.number("abusive_in_a_row", 2, 1, 100)),
            abusive_calls=int(rest.number("abusive_calls", 3, 1, 100)),
            abuse_s=rest.number("abuse_s", 60, 1, 36000),
        ),
        operators=int(top.number("operators", 0, 0, 1e6)) or None,
        calls_per_day=int(top.number("calls_per_day", 0, 0, 1e8)) or None,
    )


def _scorecard(entry: Entry, shared: Path) -> Scorecard:
    entry.allow("id", "version", "owner", "effective_from", "criteria", "review_below_coverage_pct")
    known = read_yaml(shared)
    criteria: list[Criterion] = []
    for item in entry.items("criteria"):
        criterion_id = item.text("id")
        if any(c.criterion_id == criterion_id for c in criteria):
            raise item.get("id").error(f"criterion {criterion_id!r} stands twice in this scorecard")
        has_rule = "rule" in item.names()
        if criterion_id not in known.names() and not has_rule:
            raise item.get("id").not_allowed("criterion", criterion_id, known.names(), "A criterion of your own needs a rule.")
        criteria.append(_criterion(item, known.get(criterion_id) if criterion_id in known.names() else None))
    if not criteria:
        raise entry.error("a scorecard needs at least one criterion")
    return Scorecard(
        scorecard_id=entry.text("id"),
        version=entry.text("version"),
        owner=entry.text("owner"),
        effective_from=entry.text("effective_from"),
        criteria=tuple(criteria),
        review_below_coverage_pct=entry.number("review_below_coverage_pct", 60.0, 0, 100),
    )


def _criterion(item: Entry, shared: Entry | None) -> Criterion:
    """A criterion of a scorecard; what it does not say comes from the shared one."""
    fields = (
        "id", "rule", "weight", "acts", "phrases", "where", "auto_fail", "severity", "applies", "title", "description", "clip_worthy",
        "least_trust", "na_below",
    )  # fmt: skip
    item.allow(*fields)
    if shared is not None:
        shared.allow(*fields)

    def of(key: str) -> Entry:
        return item if shared is None or key in item.names() else shared

    rule = of("rule").choice("rule", RULES)
    acts = of("acts").choices("acts", ACTS, default=())
    phrases = _by_language(of("phrases").child("phrases"))
    if rule in ("said", "not_said") and not acts and not phrases:
        raise item.error(f"criterion {item.text('id')!r} with rule {rule!r} needs acts or phrases to look for")
    title, description = of("title").get("title"), of("description").get("description")
    title.allow(*LANGUAGES)
    description.allow(*LANGUAGES)
    return Criterion(
        criterion_id=item.text("id"),
        rule=rule,
        weight=of("weight").number("weight", None, 0, 100),
        title={code: title.text(code) for code in title.names()},
        description={code: description.text(code) for code in description.names()},
        acts=acts,
        phrases=phrases,
        where=of("where").choice("where", WHERE, default="anywhere"),
        is_auto_fail=of("auto_fail").flag("auto_fail", False),
        severity=of("severity").choice("severity", SEVERITIES, default="minor"),
        applies=_applies(of("applies").child("applies")),
        clip_worthy=of("clip_worthy").flag("clip_worthy", True),
        least_trust=of("least_trust").number("least_trust", 0.6, 0, 2),
        na_below=of("na_below").number("na_below", 0.5, 0, 0.7),
    )


def _applies(entry: Entry) -> Applies:
    entry.allow(
        "topics", "except_topics", "directions", "lines", "night", "upset_client", "rude_client", "considerate_client",
        "unless_ended_by_abuse",
    )  # fmt: skip
    return Applies(
        topics=entry.choices("topics", TOPICS, default=()),
        except_topics=entry.choices("except_topics", TOPICS, default=()),
        directions=entry.choices("directions", DIRECTIONS, default=()),
        lines=entry.choices("lines", LINES, default=()),
        is_night=entry.flag("night", None),
        upset_client=entry.flag("upset_client", None),
        rude_client=entry.flag("rude_client", None),
        considerate_client=entry.flag("considerate_client", None),
        unless_ended_by_abuse=bool(entry.flag("unless_ended_by_abuse", False)),
    )


def _by_language(entry: Entry, needed: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Phrases by language, checked as phrases. A missing language of `needed` is an error."""
    entry.allow(*LANGUAGES)
    for code in needed:
        if code not in entry.names():
            raise entry.error(f"there is no list for language {code!r}, which the centre speaks")
    found = {code: entry.texts(code) for code in entry.names()}
    for code, phrases in found.items():
        for phrase in phrases:
            try:
                find_phrase((), phrase, code)
            except ValueError as error:
                raise entry.get(code).error(str(error)) from error
    return found
