"""Validation of the ids of calls, operators and clients."""

from __future__ import annotations

import re
import unicodedata

from pipelines.core.printable import INVISIBLE
from pipelines.core.rejections import Key, Reason

MAX_ID_LENGTH = 200
DOT_SEGMENTS = (".", "..")  # browsers resolve them, quoted or not, so no link could lead to such an id
_NOT_IN_AN_ID = re.compile(f"[{INVISIBLE}\u200d\ufe00-\ufe0f]")


def id_problem(text: str) -> Reason | None:
    """The reason why a text is not a valid id, to follow its name in a sentence; None for a valid one. The caller decides on empty ones."""
    found = _NOT_IN_AN_ID.search(text) or next((m for m in re.finditer(r"[^ ]", text) if not m[0].isprintable()), None)
    if found:
        name = unicodedata.name(found[0], "control character" if unicodedata.category(found[0]) == "Cc" else "no character")
        return Reason(Key.INVISIBLE_CHARACTER, character=f"U+{ord(found[0]):04X} ({name})")
    if text in DOT_SEGMENTS:
        return Reason(Key.DOT_SEGMENT)
    return Reason(Key.LONG_ID, most=MAX_ID_LENGTH) if len(text) > MAX_ID_LENGTH else None
