"""Explanations of results: a key and its values, so that each reader gets them in their own language.

The sentences are under `explanations` in `pipelines/i18n/strings/<language>.yaml`. A stored result has the key with its values as JSON,
for pages, and the English sentence, for analysts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipelines.i18n.wording import wording


@dataclass(frozen=True, slots=True)
class Explanation:
    """The key of a sentence, and the values of its placeholders (a data value, a number, a list of data values or another explanation)."""

    key: str
    values: tuple[tuple[str, str | int | tuple[str, ...] | Explanation], ...] = ()

    @property
    def as_json(self) -> str:
        """The key and the values, in stored form."""
        return json.dumps(self._plain(), ensure_ascii=False, separators=(",", ":"))

    @property
    def text(self) -> str:
        """The sentence in English. Raises KeyError for a key that is missing in the strings."""
        text = wording("en").explain(self.as_json)
        if not text:
            raise KeyError(f"{self.key!r} is not an explanation; add it to pipelines/i18n/strings/*.yaml")
        return text

    def _plain(self) -> dict[str, Any]:
        return {"key": self.key} | {name: value._plain() if isinstance(value, Explanation) else value for name, value in self.values}


def why(key: str, **values: str | int | tuple[str, ...] | Explanation) -> Explanation:
    """The explanation of a key with its values."""
    return Explanation(key, tuple(values.items()))


def read_why(explanation_json: str) -> Explanation:
    """An explanation stored as JSON. Raises KeyError where none was stored."""
    return _built(json.loads(explanation_json))


def _built(plain: dict[str, Any]) -> Explanation:
    return Explanation(plain["key"], tuple((name, _value(value)) for name, value in plain.items() if name != "key"))


def _value(value: Any) -> Any:
    return _built(value) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value
