"""The texts of pages in the reader's language: strings, and through `formats` numbers, times and dates.

One YAML file per language in `strings/`; all have the same keys. Texts of one page of the server are in `strings/pages/<page>.yaml`, each
key in all languages. Data values (a topic, an outcome) are looked up in a group; an unknown value is displayed with spaces for
underscores.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from pipelines.centres.names import GROUPS, title
from pipelines.core.errors import MisconfiguredError
from pipelines.core.rejections import read_reason
from pipelines.i18n.formats import Formats

FOLDER = Path(__file__).parent / "strings"
LANGUAGES = ("ru", "uk", "hu", "en")
# the values of an explanation that are data, and the group of strings with their names
_NAMED_BY = {
    "topic": "topics", "topics": "topics", "direction": "directions", "line": "lines", "mood": "sentiments", "outcomes": "outcomes",
    "answer": "question_answers",
}  # fmt: skip


class Wording:
    """The strings of one language, and its formats of numbers and dates."""

    def __init__(self, code: str, strings: Mapping[str, Any]) -> None:
        self.code = code
        self._strings = strings
        self._formats = Formats(strings["format"]["locale"], strings["format"]["date"])

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of a key, with its {places} filled and whole numbers formatted. Raises KeyError for an unknown key.

        A key may have a sentence for each plural category (CLDR's one, few, many, other); the value {n} selects it.
        """
        said: str | Mapping[str, str] = self._strings["text"][key]
        text = said if isinstance(said, str) else said[self._formats.plural(cast(int, values["n"]))]
        if not values:
            return text
        return text.format(**{name: self.number(value) if type(value) is int else value for name, value in values.items()})

    def label(self, group: str, value: object) -> str:
        """The name of a data value (a topic, a role, a criterion), from the language file or the centres' profiles; else its own text in plain words."""
        if value is None or value == "":
            return self("unknown")
        known: Mapping[str, str] = self._strings[group]
        text = known.get(str(value)) or (title(group, str(value), self.code) if group in GROUPS else None)
        return text or str(value).replace("_", " ")

    def has(self, group: str, value: str) -> bool:
        """Whether the language file knows a data value."""
        return value in self._strings[group]

    def explain(self, explanation_json: str | None, otherwise: str | None = None) -> str:
        """The reason for a judgement, from its key and values as `score.explanations` stores them.

        Returns `otherwise` (the text that was stored beside it) where there is no key, as with a person's own words, or an unknown one.
        """
        reason = json.loads(explanation_json or "{}")
        return self._sentence(reason) if reason.get("key") in self._strings["explanations"] else otherwise or ""

    def _sentence(self, reason: Mapping[str, Any]) -> str:
        text: str = self._strings["explanations"][reason["key"]]
        return text.format(**{name: self._value(name, value) for name, value in reason.items() if name != "key"})

    def _value(self, name: str, value: Any) -> str:
        if isinstance(value, Mapping):
            return self._sentence(value)
        names = [self._quoted(name, one) for one in (value if isinstance(value, list) else [value])]
        return self._formats.either(names)

    def _quoted(self, name: str, value: Any) -> str:
        """A data value by its name in quotation marks, so that it fits any sentence without inflection; a number unchanged."""
        group = _NAMED_BY.get(name)
        return str(self._strings["format"]["quote"]).format(self.label(group, value)) if group else str(value)

    def rejected(self, key: str | None, values_json: str | None, otherwise: str | None) -> str:
        """The reason for a rejection, from the stored key and values.

        Returns `otherwise` (the English sentence stored beside them) where an older version stored no key, or a newer one an unknown key.
        """
        with suppress(ValueError):
            if key:
                return read_reason(key, json.loads(values_json or "{}")).text(self.code)
        return otherwise or self("no_reason")

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number with this language's decimal mark and thousands; a dash for none."""
        return "–" if value is None else self._formats.number(value, digits)

    def pct(self, value: float | None, digits: int = 0) -> str:
        """A percentage (0 to 100) with its sign; a dash for none."""
        return "–" if value is None else self._formats.percentage(value, digits)

    def share(self, part: float | None, whole: float | None) -> str:
        """A part of a whole as a percentage; a dash when the whole is zero."""
        return "–" if not whole or part is None else self.pct(100 * part / whole)

    def signed(self, value: float | None, digits: int = 1) -> str:
        """A number that always shows its sign."""
        return "–" if value is None else ("+" if value > 0 else "") + self.number(value, digits)

    def date(self, moment: dt.date | None) -> str:
        """The date of a local timestamp."""
        return self("no_date") if moment is None else self._formats.date(moment)

    def time(self, moment: dt.datetime | None) -> str:
        """The date and time of a local timestamp."""
        return self("no_date") if moment is None else self._formats.time(moment)

    def hour(self, moment: dt.datetime | dt.time) -> str:
        """The time of a local timestamp."""
        return self._formats.hour(moment)

    def month(self, day: dt.date) -> str:
        """The month and year of a local day."""
        return self._formats.month(day)

    def period(self, first: dt.date | None, last: dt.date | None) -> str:
        """The range from a first to a last day; both are None where no day is known."""
        return self("no_date") if first is None or last is None else self._formats.period(first, last)


def clock(seconds: float | None) -> str:
    """Seconds of a recording as m:ss (h:mm:ss from one hour); a dash for None."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@cache
def wording(language: str) -> Wording:
    """The wording of a language. Raises MisconfiguredError for a language without a strings file."""
    path = FOLDER / f"{language}.yaml"
    if not path.exists():
        raise MisconfiguredError(
            f"Pages have no strings for the language {language!r}: add {path.name}, or use one of {', '.join(LANGUAGES)}."
        )
    strings: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for file in sorted((FOLDER / "pages").glob("*.yaml")):
        _join(strings, yaml.safe_load(file.read_text(encoding="utf-8")), language, file.name)
    return Wording(language, strings)


def _join(strings: dict[str, Any], page: Mapping[str, Any], language: str, name: str) -> None:
    """Add the strings of a page to those of a language. Raises MisconfiguredError when two files use one key."""
    for group, texts in (("text", page.get("text", {})), *page.get("groups", {}).items()):
        known = strings.setdefault(group, {})
        if twice := sorted(set(known) & set(texts)):
            raise MisconfiguredError(
                f"{name} defines {', '.join(twice)} of {group}, which another strings file already defines. Choose another key."
            )
        known.update({key: languages[language] for key, languages in texts.items()})
