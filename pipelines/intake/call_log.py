"""Parses a call log: one `Call` per row, and invalid rows with their errors; documented in docs/call-log.md.

A row without a call id, a recording, a known centre or a readable start is rejected, and so is one with an id that has invisible
characters. Any other invalid value is dropped with a note, because the call itself can still be graded. Notes and reasons have the
line, column and value, never a client. Ids are normalised (`normalise_id`); invisible characters in free text are escaped.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from models.languages.language import LANGUAGES
from pipelines.centres.profile import NO_PROFILE
from pipelines.core.errors import MisconfiguredError
from pipelines.core.printable import normalise_id, printable, quoted, skeleton
from pipelines.core.records import Call
from pipelines.core.rejections import Key, Reason
from pipelines.intake.ids import id_problem
from pipelines.intake.log_text import DELIMITERS, TextRow, column_name, decode, find_delimiter, read_rows, split_lines

COLUMNS = (
    "call_id", "recording", "centre", "started_at", "direction", "line", "queue", "ivr_path", "operator_id", "operator_tenure",
    "client_ref", "wait_s", "disconnect_party", "operator_channel", "language",
)  # fmt: skip
DIRECTIONS = ("inbound", "callback", "outbound")
DISCONNECT_PARTIES = ("operator", "client", "system", "unknown")
_IDS = ("call_id", "operator_id", "client_ref")
_FREE_TEXT = ("line", "queue", "ivr_path", "operator_tenure")
_ALIASES = {"center": "centre", "centre_id": "centre", "center_id": "centre"}
_LOCAL_FORMATS = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y.%m.%d. %H:%M:%S", "%Y.%m.%d. %H:%M")
_DATES_ALLOWED = "2024-10-21T08:47:00+08:00, 2024-10-21 08:47:00 or 21.10.2024 08:47"
_MAX_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class LogRow:
    """A valid row. `call.recording` is still the name in the log, and its sha256 and size are empty."""

    line_no: int
    call: Call
    digest: str  # 8 hex digits of the row's values: equal rows have equal digests


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """An invalid row, with the values that could be read."""

    line_no: int
    reason: Reason
    digest: str
    call_id: str | None = None
    recording: str | None = None
    centre_id: str | None = None


@dataclass(frozen=True, slots=True)
class CallLog:
    """A parsed call log: every row of the file is in `rows` or in `broken`."""

    path: Path
    encoding: str
    delimiter: str
    rows: list[LogRow]
    broken: list[RejectedRow]
    notes: list[str]


@dataclass(slots=True)
class _Problems:
    """The problems of one row: `errors` reject it, `notes` do not."""

    errors: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_log(
    path: Path, centre_ids: Collection[str], zone_of: Callable[[str], tzinfo], centre: str | None = None, *, id_suffix: str | None = None
) -> CallLog:
    """Every row of a call log, as a call or with its errors.

    Args:
        path: the CSV file; encoding and delimiter are detected and reported in the result.
        centre_ids: the known centres.
        zone_of: the time zone of a centre, called only for rows whose start has no offset.
        centre: the centre of rows without one; in a log without such a column by default the profile `general`.
        id_suffix: the extension of files that are named by their call id, such as transcripts; the column recording is not needed then.

    Raises MisconfiguredError when the file does not exist or is not a call log.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MisconfiguredError(f"The call log {path} cannot be read ({error.strerror}); give an existing CSV file with --log.") from None
    text, encoding = decode(content)
    lines = split_lines(text)
    first = next((n for n, line in enumerate(lines) if line.strip(' ,;\t\n"') and not re.fullmatch(r"sep=.\n", line)), None)
    if first is None:
        raise MisconfiguredError(f"The call log {path} is empty; its first line must name the columns: {', '.join(COLUMNS)}.")
    delimiter = find_delimiter(lines[first], COLUMNS)
    header = next(read_rows(lines[first : first + 1], 0, delimiter, 0), TextRow(first + 1, ()))
    columns = _columns(header.fields, path, has_files=id_suffix is None)
    log = CallLog(path, encoding, delimiter, [], [], [])
    log.notes.append(f"{path.name}: read as {encoding} with {DELIMITERS[delimiter]} between values")
    if centre is None and "centre" not in columns:
        centre = NO_PROFILE
        log.notes.append(f"{path.name}: no column centre; calls are graded by the profile {NO_PROFILE} (--centre names another)")
    if "\ufffd" in text:
        log.notes.append(f"{path.name}: some bytes are invalid in {encoding} and were replaced by U+FFFD")
    for row in read_rows(lines, first + 1, delimiter, len(columns)):
        _read_row(row, columns, centre_ids, zone_of, centre, log, id_suffix)
    log.notes.extend(_look_alikes(log))
    return log


def nearest(value: str, allowed: Iterable[str]) -> str:
    """` (did you mean X?)` with the most similar allowed value, or an empty string when none is near."""
    close = _closest(value, allowed)
    return f" (did you mean {close}?)" if close else ""


def _closest(value: str, allowed: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(value.casefold(), list(allowed), n=1)), None)


def _columns(header: tuple[str, ...], path: Path, *, has_files: bool) -> list[str]:
    columns: list[str] = []
    for n, raw in enumerate(header, start=1):
        name = printable(column_name(raw)) or f"column_{n}"
        name = _ALIASES.get(name, name)
        columns.append(name if name not in columns else f"{name}_{n}")
    for name in ("call_id", *(("recording",) if has_files else ())):
        if name not in columns:
            found = quoted(", ".join(columns))
            raise MisconfiguredError(f"The call log {path} has no column {name}; its first line reads {found}. Add the column.")
    return columns


def _read_row(
    row: TextRow,
    columns: list[str],
    centre_ids: Collection[str],
    zone_of: Callable[[str], tzinfo],
    centre: str | None,
    log: CallLog,
    id_suffix: str | None,
) -> None:
    place = f"{log.path.name} line {row.line_no}"
    digest = hashlib.sha256("\x1f".join(row.fields).encode("utf-8", "backslashreplace")).hexdigest()[:8]
    values = dict(zip(columns, row.fields, strict=False))
    problems = _Problems()
    ids = {name: _id(name, values.get(name, ""), problems) for name in _IDS}
    call_id = ids["call_id"] or ""
    if not values.get("call_id"):
        problems.errors.append(Reason(Key.NO_CALL_ID))
    centre_id = _centre(values.get("centre", "") or centre or "", centre_ids, problems)
    started_at = _started_at(values.get("started_at", ""), centre_id, zone_of, problems)
    if id_suffix is not None:
        values["recording"] = call_id + id_suffix
    elif not values.get("recording"):
        problems.errors.append(Reason(Key.NO_RECORDING_NAMED))
    if len(row.fields) != len(columns):
        # Which value is missing cannot be known, and the last one may be cut: a wrong operator is worse than one call less.
        problems.errors = [Reason(Key.ROW_LENGTH, found=len(row.fields), wanted=len(columns))]
    if problems.errors or centre_id is None:
        wrong = Reason(Key.ROW_IS_WRONG, problems=tuple(problems.errors))
        reason = Reason(Key.AT_LINE, place=log.path.name, line=row.line_no, reason=wrong)
        log.broken.append(RejectedRow(row.line_no, reason, digest, call_id or None, values.get("recording") or None, centre_id))
        return
    call = Call(
        call_id=call_id,
        centre_id=centre_id,
        recording=values["recording"],
        recording_sha256="",
        size_bytes=0,
        started_at=started_at,
        direction=_one_of("direction", values, DIRECTIONS, "inbound", problems),
        wait_s=_wait_s(values.get("wait_s", ""), problems),
        disconnect_party=_one_of("disconnect_party", values, DISCONNECT_PARTIES, "unknown", problems),
        operator_channel=_operator_channel(values.get("operator_channel", ""), problems),
        language=_language(values.get("language", ""), problems),
        medium="recording" if id_suffix is None else "transcript",
        operator_id=ids["operator_id"],
        client_ref=ids["client_ref"],
        extra_json=json.dumps(
            {k: printable(v, keep="\n\t") for k, v in values.items() if k not in COLUMNS and v}, ensure_ascii=False, sort_keys=True
        ),
        **{name: printable(values.get(name, "")) or None for name in _FREE_TEXT},
    )
    log.rows.append(LogRow(row.line_no, call, digest))
    log.notes.extend(f"{place}: {note}" for note in problems.notes)


def _id(name: str, value: str, problems: _Problems) -> str | None:
    value = normalise_id(value)
    if problem := id_problem(value):
        is_private = name == "client_ref"
        problems.errors.append(
            Reason(Key.BAD_PRIVATE_ID, column=name, problem=problem)
            if is_private
            else Reason(Key.BAD_ID, column=name, name=quoted(value), problem=problem)
        )
        return None
    return value or None


def _look_alikes(log: CallLog) -> Iterator[str]:
    """A note for each two ids of a log that people could confuse; clients are identified by their lines."""
    for name in _IDS:
        first_line: dict[str, dict[str, int]] = defaultdict(dict)  # skeleton → id → its first line
        for row in log.rows:
            if value := getattr(row.call, name):
                first_line[skeleton(value)].setdefault(value, row.line_no)
        for same in first_line.values():
            (one, line), *others = same.items()
            for other, other_line in others:
                what = "" if name == "client_ref" else f"{quoted(one)} and {quoted(other)} "
                yield (
                    f"{log.path.name} lines {line} and {other_line}: {name} {what}look alike but differ "
                    "(letter case, letters of another alphabet, O and 0): check that they are not one"
                )


def _centre(value: str, centre_ids: Collection[str], problems: _Problems) -> str | None:
    known = {c.casefold(): c for c in centre_ids}
    found = known.get(value.casefold())
    if found is None:
        problems.errors.append(_unknown_centre(value, known, ", ".join(sorted(centre_ids))))
    return found


def _unknown_centre(value: str, known: Iterable[str], allowed: str) -> Reason:
    if not value:
        return Reason(Key.NO_CENTRE, allowed=allowed)
    if near := _closest(value, known):
        return Reason(Key.NEAR_CENTRE, name=quoted(value), near=near, allowed=allowed)
    return Reason(Key.UNKNOWN_CENTRE, name=quoted(value), allowed=allowed)


def _started_at(value: str, centre_id: str | None, zone_of: Callable[[str], tzinfo], problems: _Problems) -> datetime | None:
    if not value:
        problems.notes.append("started_at is empty: the call counts in no period, and night rules cannot be judged")
        return None
    moment = _parse_moment(value)
    if moment is None or not 1990 <= moment.year <= 2100:
        problems.errors.append(Reason(Key.BAD_MOMENT, name=quoted(value), like=_DATES_ALLOWED))
        return None
    if moment.tzinfo is None and centre_id is not None:
        moment = moment.replace(tzinfo=zone_of(centre_id))
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _parse_moment(value: str) -> datetime | None:
    if ":" not in value:  # a date without a time would silently become a night call
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        pass
    for pattern in _LOCAL_FORMATS:
        try:
            return datetime.strptime(value, pattern)
        except ValueError:
            continue
    return None


def _one_of(name: str, values: Mapping[str, str], allowed: tuple[str, ...], default: str, problems: _Problems) -> str:
    value = values.get(name, "").casefold()
    if not value or value in allowed:
        return value or default
    problems.notes.append(f"{name} {quoted(value)} is not one of {', '.join(allowed)}{nearest(value, allowed)}: taken as {default}")
    return default


def _wait_s(value: str, problems: _Problems) -> float | None:
    if not value:
        return None
    if re.fullmatch(r"\+?[0-9]{1,9}([.,][0-9]{1,9})?", value):
        wait_s = float(value.replace(",", "."))
        if wait_s <= _MAX_WAIT_S:
            return wait_s
    problems.notes.append(f"wait_s {quoted(value)} is not a number of seconds from 0 to {_MAX_WAIT_S:.0f}: left out")
    return None


def _operator_channel(value: str, problems: _Problems) -> int | None:
    channel = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}.get(value)
    if channel is None and value:
        problems.notes.append(f"operator_channel {quoted(value)} is neither 0 nor 1: who is the operator is found from the words")
    return channel


def _language(value: str, problems: _Problems) -> str | None:
    code = re.split(r"[-_]", value.casefold())[0]
    if not value or code in LANGUAGES:
        return code or None
    problems.notes.append(f"language {quoted(value)} is not one of {', '.join(LANGUAGES)}: found from the sound")
    return None
