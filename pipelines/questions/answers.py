"""Checks what a language model answered: the JSON, and the quote, which must stand in one turn of the right role."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.core.records import Turn

M = TypeVar("M", bound=BaseModel)


class _Response(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class GivenAnswer(_Response):
    """A response to a question."""

    quote: str = Field(default="", max_length=2000)
    turn: int | None = None
    answer: Literal["yes", "no", "not_applicable", "unsure"]


class Proof(_Response):
    """A response to the request whether a quote proves a claim."""

    result: Literal["proven", "not_proven"]


class GivenSentence(_Response):
    """A sentence of a summary in a response."""

    quote: str = Field(max_length=2000)
    turn: int | None = None
    text: str = Field(min_length=3, max_length=300)


class GivenSummary(_Response):
    """A response to the request for a summary."""

    sentences: tuple[GivenSentence, ...] = Field(min_length=1, max_length=4)


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of one turn: tokens `first` to `last` - 1."""

    turn: Turn
    first: int
    last: int

    @property
    def masked(self) -> str:
        """The words of the turn, with personal data masked."""
        return " ".join(token.text for token in self.turn.tokens[self.first : self.last])


def schema_of(model: type[BaseModel], answers: Collection[str] = ()) -> Mapping[str, Any]:
    """The JSON Schema of a response for a server, with every field required and no other; `answers` limits the field `answer`."""
    found: Mapping[str, Any] = _strict(model.model_json_schema(), answers)
    return found


def parsed(text: str, model: type[M]) -> M:
    """The response in a model's text, which may have reasoning before it or a code fence around it. Raises ValueError."""
    text = text.rpartition("</think>")[2]
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ValueError("no JSON object")
    try:
        return model.model_validate_json(text[start : end + 1])
    except (ValidationError, RecursionError):
        raise ValueError("another JSON object") from None


def find_quote(words: str, turns: Sequence[Turn], role: str | None, turn_no: int | None) -> Quote | None:
    """Where a quote stands in the turns of a role (None: operator or client); spaces, case and punctuation do not count.

    The turn that the model names is searched first. A quote without a letter of its own, such as a placeholder alone, is none.
    """
    wanted = _words(words)
    if not any(any(c.isalpha() for c in word) for word in _words(_without_placeholders(words))):
        return None
    roles = (role,) if role else ("operator", "client")
    for turn in sorted((t for t in turns if t.role in roles), key=lambda t: (t.turn_no != turn_no, t.turn_no)):
        said = [(word, n) for n, token in enumerate(turn.tokens) for word in _words(token.text)]
        for at in range(len(said) - len(wanted) + 1):
            if [word for word, _ in said[at : at + len(wanted)]] == wanted:
                return Quote(turn, said[at][1], said[at + len(wanted) - 1][1] + 1)
    return None


def _words(text: str) -> list[str]:
    """The words of a text, in the form in which they are compared."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return "".join(c if c.isalnum() else "" if c in "'’ʼ`" or unicodedata.combining(c) else " " for c in folded).split()


def _without_placeholders(text: str) -> str:
    return " ".join(part for part in text.split() if not part.startswith("["))


def _strict(schema: Any, answers: Collection[str]) -> Any:
    """A JSON Schema in the form that servers support: no defaults, titles or lengths, every field required."""
    if isinstance(schema, list):
        return [_strict(part, answers) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if answers and schema.get("enum") == ["yes", "no", "not_applicable", "unsure"]:
        return {"type": "string", "enum": list(answers)}
    left_out = ("default", "title", "minLength", "maxLength", "description")
    found = {
        name: {key: _strict(value, answers) for key, value in part.items()} if name in ("properties", "$defs") else _strict(part, answers)
        for name, part in schema.items()
        if name not in left_out
    }
    if "properties" in found:
        found |= {"required": list(found["properties"]), "additionalProperties": False}
    return found


def as_shape(schema: Mapping[str, Any]) -> str:
    """A schema as text, for a model whose server does not enforce it."""
    return json.dumps(schema, ensure_ascii=False)
