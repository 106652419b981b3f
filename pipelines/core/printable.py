r"""Untrusted text: normalisation of ids, and escaping of invisible characters.

File names, ids and free text come from telephone exchanges, spreadsheets and people. An invisible character can make one id look like
another, reverse the reading direction of a line, hide a part of it, or control a terminal. Ids with such a character are rejected
(`intake.ids`); any other text is escaped where it is shown, logged or stored (`printable`): U+202E is shown as `\u202e`.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from typing import TextIO

# The categories Cc, Cf, Cs, Zl and Zp, and characters that Unicode calls default ignorable or that render as nothing. U+200D may join two
# emoji.
INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SHOWN_ESCAPED = re.compile(f"[{INVISIBLE}]|\u200d(?![\u2600-\u27bf\U0001f000-\U0001faff])")
# Capital letters that look like a Latin one or a digit, and dashes; for `skeleton` only.
_LOOK_ALIKE = str.maketrans(
    "АВСЕНІЈКМОРЅТУХЗΑΒΕΖΗΙΚΜΝΟΡΤΥΧO‐‑‒–—―−", "ABCEHIJKM0PSTYX3ABEZHIKMN0PTYX0-------"
)  # fmt: skip


def printable(text: str, keep: str = "") -> str:
    """The text with every invisible character escaped as in a Python string, except those in `keep`."""
    if text.isascii() and text.isprintable():  # most names, and much faster
        return text
    return _SHOWN_ESCAPED.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def quoted(text: str, longest: int = 60) -> str:
    """A value as shown in messages: quoted, on one line, invisible characters escaped, truncated after `longest` characters."""
    cut = text if len(text) <= longest else text[: longest - 3] + "..."
    mark = '"' if "'" in cut and '"' not in cut else "'"
    return mark + printable(cut) + mark


def normalise_id(text: str) -> str:
    """An id in Unicode NFC, with runs of any spaces as one space, and trimmed: ids that look the same are the same."""
    return re.sub(r"[^\S\t\n\x0b\x0c\r\x1c-\x1f\x85\u2028\u2029]+", " ", unicodedata.normalize("NFC", text)).strip(" ")


def skeleton(text: str) -> str:
    """A key shared by ids that people could confuse: letter case, Cyrillic, Greek and full-width letters, O and 0, dashes."""
    return unicodedata.normalize("NFKC", text).upper().translate(_LOOK_ALIKE)


class PrintableMessages(logging.Filter):
    """A log filter that escapes invisible characters in every message, so that a name cannot forge a line or control a terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = printable(logging.Formatter().formatException(record.exc_info), keep="\n")
        return True


class PrintableStream:
    """A text stream that escapes its output, except line ends and tabs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text, keep="\n\t"))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
