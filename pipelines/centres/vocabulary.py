"""Value types that the models of a centre profile share: languages, phrases, and the topics, lines and client types of a centre."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from models.languages.language import LANGUAGES, find_phrase
from pipelines.core.validation import FileModel, OneOf, not_known, wrong

LINES = ("first", "second", "technical")  # those with names in the language files of the pages
TOPICS = (
    "balance", "payment", "meter_reading", "outage", "heating", "power_quality", "office_hours", "meter_install", "portal", "tariff",
    "debt", "energy_saving", "connection", "technical", "settings", "roaming", "sim", "promotion", "service_order", "contract_change",
    "complaint",
    "wrong_company", "prank", "other",
)  # fmt: skip
CLIENT_TYPES = ("addressed", "venting", "uninformed", "complainer", "opinionated", "rude")  # those of the turn model
UPSETTING = ("complaint", "outage")
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
LEAST_WORDS = 2  # in an example sentence


def _phrases(given: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    for code, phrases in given.items():
        for n, phrase in enumerate(phrases):
            try:
                find_phrase((), phrase, code)
            except ValueError as error:
                raise wrong(str(error), code, n) from error
    return given


def _id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise wrong(f"{value!r} is no id: up to 40 small Latin letters, digits and underscores, a letter first")
    return value


def _examples(given: tuple[str, ...]) -> tuple[str, ...]:
    for n, sentence in enumerate(given):
        if len(sentence.split()) < LEAST_WORDS:
            raise wrong(f"example {sentence!r} is too short: give whole sentences as they are said; quote one that has a comma", n)
    return given


Language: TypeAlias = Annotated[str, OneOf(LANGUAGES)]
Id: TypeAlias = Annotated[str, AfterValidator(_id)]
ByLanguage: TypeAlias = Mapping[Language, str]
Sentences: TypeAlias = Mapping[Language, Annotated[str, Field(min_length=3, max_length=600)]]
Phrases: TypeAlias = Annotated[Mapping[Language, tuple[str, ...]], AfterValidator(_phrases)]
Examples: TypeAlias = Annotated[tuple[str, ...], AfterValidator(_examples)]


class _Named(FileModel):
    """A value of a centre's own: its id, and its names on pages."""

    title: ByLanguage = Field(default_factory=dict)
    """Its name on pages by language; in other languages the English or the first one is shown."""


class Topic(_Named):
    """A topic of calls: a known one by its id, or one of the centre's own."""

    topic_id: Id = Field(alias="id")
    """The value of the column topic."""
    description: str = ""
    """What such calls are about, in one sentence in any language."""
    examples: Examples = ()
    """Sentences of clients who call about it, in the languages of the calls; three to five of each language are enough."""
    phrases: Phrases = Field(default_factory=dict)
    """Phrases by language that indicate it."""
    upsetting: bool = False
    """true: clients who call about it are upset, and the operator should show empathy."""

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Self:
        if self.topic_id not in TOPICS and not (self.description or self.examples or self.phrases):
            raise wrong(f"topic {self.topic_id!r} is the centre's own: give it a description and examples, so that it can be recognised")
        return self

    @property
    def is_upsetting(self) -> bool:
        """Whether its clients count as upset."""
        return self.upsetting or self.topic_id in UPSETTING

    @property
    def sentences(self) -> tuple[str, ...]:
        """The text that the turn model learns it from."""
        return (*((self.description,) if self.description else ()), *self.examples)


class Line(_Named):
    """A line of support."""

    line_id: Id = Field(alias="id")
    """The value of the column line, as in the call log."""


class ClientType(_Named):
    """A type of client: a known one by its id, or one of the centre's own, which is found by what the client says."""

    type_id: Id = Field(alias="id")
    """The value of the column client_type."""
    description: str = ""
    """Who these clients are, in one sentence."""
    said_like: Examples = ()
    """Sentences that such clients say, five to ten."""
    not_like: Examples = ()
    """Similar sentences of other clients."""

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Self:
        if self.type_id not in CLIENT_TYPES and not self.said_like:
            raise wrong(f"client type {self.type_id!r} is the centre's own: give `said_like`, sentences of such clients")
        return self


class OrId:
    """Metadata of a model that may be written as its id alone: `complaint` for `{id: complaint}`."""

    def __init__(self, what: str, known: tuple[str, ...], is_open: bool, advice: str = "") -> None:
        self.what, self.known, self.is_open, self.advice = what, known, is_open, advice

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self._complete, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        plain: dict[str, Any] = {"type": "string"} | ({} if self.is_open else {"enum": list(self.known)})
        return {"anyOf": [plain, handler(schema)]}

    def _complete(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        if not self.is_open and value not in self.known:
            raise wrong(not_known(self.what, value, self.known, self.advice))
        return {"id": value}


TopicOrId: TypeAlias = Annotated[
    Topic,
    OrId(
        "topic", TOPICS, is_open=False, advice="A topic of your own is written {id: ..., title: {...}, description: ..., examples: [...]}"
    ),
]
LineOrId: TypeAlias = Annotated[Line, OrId("line", LINES, is_open=True)]
ClientTypeOrId: TypeAlias = Annotated[
    ClientType,
    OrId("client type", CLIENT_TYPES, is_open=False, advice="One of your own is written {id: ..., title: {...}, said_like: [...]}"),
]
