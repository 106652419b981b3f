"""Decodes the bytes of a call log into rows of fields, from any exchange or spreadsheet; documented in docs/call-log.md."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_HIGH_RUN = re.compile(rb"[A-Za-z\x80-\xff]{2,}")
_MAX_LINES_IN_A_ROW = 50  # a quoted value may have line breaks; an unclosed quote must not swallow the whole log


@dataclass(frozen=True, slots=True)
class TextRow:
    """One raw row: its first line, counted from 1, and its trimmed fields. No fields: the row cannot be read."""

    line_no: int
    fields: tuple[str, ...]


def decode(content: bytes) -> tuple[str, str]:
    """The text of a log and the name of its encoding: utf-8, utf-16, cp1251 or cp1250.

    A byte order mark or valid UTF-8 decides; otherwise the shape of the words does. A Cyrillic word in cp1251 consists of high bytes,
    while a Hungarian word in cp1250 is Latin letters with an occasional high byte. Invalid bytes become U+FFFD, and NUL is dropped.
    """
    encoding = _encoding_of(content)
    text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
    return text.replace("\0", "").removeprefix("\ufeff"), encoding


def find_delimiter(header: str, known: Collection[str]) -> str:
    """The delimiter that splits the header line into the most known column names; a comma when none does."""

    def hits(mark: str) -> int:
        return sum(column_name(c) in known for c in header.replace('"', "").split(mark))

    return max(DELIMITERS, key=hits)


def column_name(header: str) -> str:
    """A normalised column name: `Call ID` and `call_id` are one column."""
    return re.sub(r"[\s\-]+", "_", header.strip().lower())


def split_lines(text: str) -> list[str]:
    """The physical lines of a log, each with one newline; unlike `splitlines`, rare separators inside a value do not break it."""
    lines = re.split(r"\r\n|\n|\r", text)
    return [line + "\n" for line in (lines if lines[-1] else lines[:-1])]


def read_rows(lines: list[str], first: int, delimiter: str, width: int) -> Iterator[TextRow]:
    """Every non-blank row from line index `first` on, valid or not; `width` is the number of columns.

    A row that spans several lines is accepted only if it has the right number of fields; otherwise its first line is a broken row of
    its own and reading continues with the next line, so that a stray quote costs one row.
    """
    at = first
    while at < len(lines):
        fields, taken = _parse(lines, at, _MAX_LINES_IN_A_ROW, delimiter)
        if taken > 1 and len(_without_empty_tail(fields, width)) != width:
            fields, taken = _parse(lines, at, 1, delimiter)
        if any(fields) or (not fields and lines[at].strip()):
            yield TextRow(at + 1, _without_empty_tail(fields, width))
        at += taken


def _parse(lines: list[str], at: int, most: int, delimiter: str) -> tuple[tuple[str, ...], int]:
    reader = csv.reader(lines[at : at + most], delimiter=delimiter)
    try:
        fields = tuple(field.strip() for field in next(reader))
    except csv.Error:  # a field longer than the csv module reads: no call log has one
        return (), 1
    return fields, reader.line_num


def _without_empty_tail(fields: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Fields without the empty ones past the last column, which spreadsheets often add."""
    while len(fields) > width and not fields[-1]:
        fields = fields[:-1]
    return fields


def _encoding_of(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8"
    head = content[:4096]
    if head.count(0) > len(head) // 4:  # UTF-16 without its mark: every other byte of the Latin header is NUL
        return "utf-16-le" if head[1::2].count(0) > head[0::2].count(0) else "utf-16-be"
    decoded = content.decode("utf-8", errors="replace")
    foreign = sum(c > "\x7f" for c in decoded)
    if decoded.count("\ufffd") * 10 <= foreign:  # a single broken byte does not change the encoding of a UTF-8 log
        return "utf-8"
    runs = [run for run in _HIGH_RUN.findall(content) if any(b > 0x7F for b in run)]
    cyrillic = sum(len(run) for run in runs if all(b > 0x7F for b in run))
    return "cp1251" if cyrillic * 2 >= sum(map(len, runs)) else "cp1250"
