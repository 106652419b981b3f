"""Rejection reasons: the keys, and their sentences in each language.

A step creates a `Reason`: a key with the values of its sentence in `rejections.yaml`. Key and values are stored, so that pages show the
reason in the reader's language; the English sentence is stored beside them, for analysts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Literal, TypeAlias

import yaml
from babel.numbers import get_decimal_symbol

from pipelines.core.printable import printable

FILE = Path(__file__).with_suffix(".yaml")
_BETWEEN = "; "  # separates several reasons of one row


class Key(StrEnum):
    """All rejection reasons, grouped by subject."""

    # a row of the call log
    AT_LINE = auto()
    ROW_IS_WRONG = auto()
    NO_CALL_ID = auto()
    NO_RECORDING_NAMED = auto()
    ROW_LENGTH = auto()
    BAD_ID = auto()
    BAD_PRIVATE_ID = auto()
    NO_CENTRE = auto()
    NEAR_CENTRE = auto()
    UNKNOWN_CENTRE = auto()
    BAD_MOMENT = auto()
    REPEATED_ROW = auto()
    ID_WITH_SAME_RECORDING = auto()
    ID_WITH_OTHER_RECORDING = auto()
    SAME_RECORDING = auto()
    OUTSIDE = auto()
    A_FOLDER = auto()
    MISSING = auto()
    AMBIGUOUS = auto()
    # why a text is not a valid id, following its name
    INVISIBLE_CHARACTER = auto()
    LONG_ID = auto()
    DOT_SEGMENT = auto()
    # a file in the folder
    OF_FILE = auto()
    BAD_FILE_NAME = auto()
    NO_ROW = auto()
    NO_ROW_AND_MORE = auto()
    NO_ROW_FOR_COPY = auto()
    COPY_WITHOUT_LOG = auto()
    DISK = auto()
    LINK_OUT = auto()
    NOT_REGULAR = auto()
    EMPTY_FILE = auto()
    LARGE_FILE = auto()
    NOT_UTF8 = auto()
    NO_ACCESS = auto()
    # a recording that cannot be decoded
    UNREADABLE = auto()
    EMPTY = auto()
    TOO_LARGE = auto()
    TOO_LONG = auto()
    TOO_SLOW = auto()
    CHANGED = auto()
    DECODER_CRASHED = auto()
    DECODER_MEMORY = auto()
    DECODER_FAILED = auto()
    DECODER_ANSWER = auto()
    CUT_PAGE = auto()
    CUT_HEADER = auto()
    CUT_SHORT = auto()
    DAMAGED = auto()
    NOT_AUDIO = auto()
    NO_AUDIO = auto()
    NO_SOUND = auto()
    UNKNOWN_CODEC = auto()
    OTHER_CODEC = auto()
    CHANNELS = auto()
    BAD_RATE = auto()
    CHANGES_FORMAT = auto()
    # a transcript
    TRANSCRIPT_TOO_LARGE = auto()
    TRANSCRIPT_CHANGED = auto()
    NOT_TRANSCRIPT = auto()
    TRANSCRIPT_EMPTY = auto()
    # a call that cannot be graded
    TOO_SHORT = auto()
    SILENT = auto()
    MUSIC_ONLY = auto()
    NOISE_ONLY = auto()
    NO_WORD = auto()
    NO_WORD_TO_JUDGE = auto()
    NO_RESULT = auto()
    # calls that the warehouse already has, or must not have again
    GRADED_FROM_ANOTHER = auto()
    GRADED_BEFORE = auto()
    FORGOTTEN_ON_REQUEST = auto()
    FORGOTTEN_PAST_ITS_TIME = auto()


_UNSCOREABLE = frozenset(
    {
        Key.TRANSCRIPT_EMPTY, Key.TOO_SHORT, Key.SILENT, Key.MUSIC_ONLY, Key.NOISE_ONLY, Key.NO_WORD, Key.NO_WORD_TO_JUDGE, Key.NO_RESULT,
    }
)  # fmt: skip
Status: TypeAlias = Literal["quarantined", "unscoreable"]
Value: TypeAlias = "str | int | float | Reason | tuple[Reason, ...]"


class _Sentence(Formatter):
    """Formats the values into a sentence; a fraction has the decimal sign of the language."""

    def __init__(self, language: str) -> None:
        self._sign = get_decimal_symbol(language)

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return text.replace(".", self._sign) if isinstance(value, float) else text


@dataclass(frozen=True, slots=True, init=False)
class Reason:
    """A key and the values of its sentence, with invisible characters escaped, as they come from file names and logs."""

    key: Key
    values: tuple[tuple[str, Value], ...]

    def __init__(self, key: Key, /, **values: Value) -> None:
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "values", tuple((name, printable(v) if isinstance(v, str) else v) for name, v in values.items()))

    def __str__(self) -> str:
        return self.text()

    def text(self, language: str = "en") -> str:
        """The sentence in a language. Raises KeyError where a value is missing."""
        values = {name: _said(value, language) for name, value in self.values}
        return _Sentence(language).vformat(sentences()[self.key][language], (), values)

    @property
    def status(self) -> Status:
        """The status of the call: quarantined for bad input, unscoreable for a valid recording that cannot be graded."""
        return "unscoreable" if self.key in _UNSCOREABLE else "quarantined"

    @property
    def values_json(self) -> str:
        """The values in their stored form."""
        return json.dumps(self.plain_values(), ensure_ascii=False, separators=(",", ":"))

    def plain_values(self) -> dict[str, Any]:
        """The values as plain JSON types; a nested reason is an object with its key and values."""
        return {name: _plain(value) for name, value in self.values}


def read_reason(key: str, values: Mapping[str, Any]) -> Reason:
    """The reason of a key and plain values. Raises ValueError for a key unknown to this version, and for values that do not match it."""
    try:
        reason = Reason(Key(key), **{name: _read(value) for name, value in values.items()})
        reason.text()
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{key} has no such values") from error
    if values.keys() != places(sentences()[reason.key]["en"]):
        raise ValueError(f"{key} has other values")
    return reason


def places(sentence: str) -> set[str]:
    """The names of the placeholders of a sentence."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@cache
def sentences() -> Mapping[str, Mapping[str, str]]:
    """The sentences: key → language → sentence."""
    found: Mapping[str, Mapping[str, str]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def _said(value: Value, language: str) -> str | int | float:
    if isinstance(value, tuple):
        return _BETWEEN.join(reason.text(language) for reason in value)
    return value.text(language) if isinstance(value, Reason) else value


def _plain(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return {"key": value.key, "values": value.plain_values()} if isinstance(value, Reason) else value


def _read(plain: Any) -> Value:
    if isinstance(plain, list):
        return tuple(read_reason(**one) for one in plain)
    if isinstance(plain, dict):
        return read_reason(**plain)
    if isinstance(plain, str | int | float):
        return plain
    raise ValueError(f"{type(plain).__name__} is not a valid value of a reason")
