"""Why something was not graded, in the reader's language: the English sentence that a step wrote is found in `strings/put_aside.yaml`.

So steps need no page to say what is wrong, and what was stored long ago is told in every language as well.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).parent / "strings" / "put_aside.yaml"
_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = r"-?[\d.]+"
_FILE = r"(?:(?!: ).)+?"  # what a colon follows is no part of a name
_NUMBERS = frozenset(
    {
        "rate",
        "lowest",
        "highest",
        "gigabytes",
        "code",
        "line",
        "first",
        "bytes",
        "channels",
        "damaged",
        "packets",
        "found",
        "wanted",
        "most",
        "seconds",
        "least",
        "declared",
        "decoded",
    }
)
_SENTENCES = frozenset({"reason", "problem", "what"})  # values that stand in the file themselves; `problems` are several of them


def told(reason: str, language: str) -> str:
    """A reason in a language; as it is where the file does not know it."""
    return _told(reason, language) or reason


def _told(reason: str, language: str) -> str | None:
    for pattern, texts in _patterns():
        found = pattern.fullmatch(reason)
        if found is None:
            continue
        values = found.groupdict()
        inner = {name: _told(value, language) for name, value in values.items() if name in _SENTENCES}
        if "problem" in inner and inner["problem"] is None:
            continue  # "NAME: anything." is a reason only where the second half is one
        parts = {"problems": "; ".join(told(part, language) for part in values["problems"].split("; "))} if "problems" in values else {}
        return texts[language].format(**{**values, **{name: text for name, text in inner.items() if text}, **parts})
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    sentences = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple((re.compile(_pattern(texts["en"]), re.DOTALL), texts) for texts in sentences.values())


def _pattern(text: str) -> str:
    """The English sentence with its places open, as a regular expression."""
    parts = _PLACE.split(text)
    values = (f"(?P<{name}>{_NUMBER if name in _NUMBERS else _FILE if name == 'file' else '.+?'})" for name in parts[1::2])
    return "".join(re.escape(fixed) + value for fixed, value in zip(parts[::2], (*values, ""), strict=True))
