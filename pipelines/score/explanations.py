"""Why something was judged so: a key and its values, so that everybody reads it in his own language.

The sentences stand under `explanations` in `pipelines/i18n/strings/<language>.yaml`. A stored result keeps the key with its values as JSON, for
pages, and the English sentence, for analysts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipelines.i18n.wording import wording


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason: the key of a sentence, and what fills its places (a data value, a number, a list of data values or another reason)."""

    key: str
    values: tuple[tuple[str, str | int | tuple[str, ...] | Explanation], ...] = ()

    @property
    def as_json(self) -> str:
        """The key and the values, as they are stored."""
        return json.dumps(self._plain(), ensure_ascii=False, separators=(",", ":"))

    @property
    def text(self) -> str:
        """The sentence in English. Raises KeyError for a key that the strings do not have."""
        text = wording("en").explain(self.as_json)
        if not text:
            raise KeyError(f"{self.key!r} is no explanation; add it to pipelines/i18n/strings/*.yaml")
        return text

    def _plain(self) -> dict[str, Any]:
        return {"key": self.key} | {name: value._plain() if isinstance(value, Explanation) else value for name, value in self.values}


def why(key: str, **values: str | int | tuple[str, ...] | Explanation) -> Explanation:
    """The reason of a key with its values."""
    return Explanation(key, tuple(values.items()))


def read_why(explanation_json: str) -> Explanation:
    """The reason that was stored as JSON. Raises KeyError where none was stored."""
    return _built(json.loads(explanation_json))


def _built(plain: dict[str, Any]) -> Explanation:
    return Explanation(plain["key"], tuple((name, _value(value)) for name, value in plain.items() if name != "key"))


def _value(value: Any) -> Any:
    return _built(value) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value
