"""Pages of rows for the read API: limited to centres, filtered, and in the order of a unique key, so that new data moves no row.

A cursor is the key of the last row, signed with a secret of the site together with the query it belongs to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.core.published import Published, Row

LARGEST_PAGE = 500
EVERY_CENTRE = "*"


class CursorError(ValueError):
    """A cursor that was not issued for this query."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A view of the contract as the API serves it: its key, and the columns that its filters compare."""

    view: str
    key: tuple[str, ...]
    day: str  # an expression for the local day
    is_of_calls: bool = False  # rows belong to calls, and their centre and day are the call's

    @property
    def source(self) -> str:
        """The tables of the query; the view is `r`, and `c` has the centre."""
        return f"{self.view} as r join calls as c using (call_id)" if self.is_of_calls else f"{self.view} as r"


_CALL_DAY = "cast(c.started_local as date)"
RESOURCES = {
    "calls": Resource("calls", ("r.call_id",), "cast(r.started_local as date)"),
    "verdicts": Resource(
        "criterion_results", ("r.call_id", "r.scorecard_id", "r.criterion_id", "r.judge", "r.scorecard_version"), _CALL_DAY, True
    ),
    "findings": Resource("findings", ("r.call_id", "r.finding_no", "r.start_s"), _CALL_DAY, True),
    "operators": Resource("operator_scorecards", ("r.centre_id", "r.period", "r.period_start", "r.operator_id"), "r.period_start"),
    "centre_scorecards": Resource("centre_scorecards", ("r.centre_id", "r.period", "r.period_start", "r.line"), "r.period_start"),
    "criterion_days": Resource("criterion_days", ("r.centre_id", "r.day", "r.operator_id", "r.criterion_id"), "r.day"),
}
# Texts are withheld where a call was stored unmasked on request: the API serves no personal data.
_TEXTS = ("quote", "explanation")


@dataclass(frozen=True, slots=True)
class Query:
    """What a request asks for; `equal` are conditions on columns of the view."""

    resource: str
    centres: frozenset[str]  # those of the token, or EVERY_CENTRE
    centre: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    equal: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows, and the cursor of the next one; None after the last row."""

    rows: list[Row]
    next_cursor: str | None


def read_page(published: Published, secret: bytes, query: Query, columns: Collection[str], limit: int, cursor: str | None) -> Page:
    """A page of at most `limit` rows with these columns of the view. Raises CursorError for a cursor of another query."""
    resource = RESOURCES[query.resource]
    owner = "c" if resource.is_of_calls else "r"
    where, values = ["true"], list[object]()
    if EVERY_CENTRE not in query.centres:
        where.append(f"{owner}.centre_id in ({', '.join('?' * len(query.centres)) or 'null'})")
        values += sorted(query.centres)
    if query.centre is not None:
        where.append(f"{owner}.centre_id = ?")
        values.append(query.centre)
    for comparison, day in ((">=", query.first_day), ("<=", query.last_day)):
        if day is not None:
            where.append(f"{resource.day} {comparison} ?")
            values.append(day)
    for column, value in query.equal:
        where.append(f"r.{column} = ?")
        values.append(value)
    key = [f"coalesce(cast({part} as varchar), '')" for part in resource.key]
    if cursor is not None:
        last = _opened(secret, query, cursor, len(key))
        where.append(f"({', '.join(key)}) > ({', '.join('?' * len(key))})" if len(key) > 1 else f"{key[0]} > ?")
        values += last
    taken = ", ".join(_column(name, resource) for name in columns)
    marks = ", ".join(f"{part} as _key{n}" for n, part in enumerate(key))
    order = ", ".join(f"_key{n}" for n in range(len(key)))
    rows = published.rows(
        f"select {taken}, {marks} from {resource.source} where {' and '.join(where)} order by {order} limit {int(limit) + 1}", *values
    )
    keys = [[row.pop(f"_key{n}") for n in range(len(key))] for row in rows]
    return Page(rows[:limit], _sealed(secret, query, keys[limit - 1]) if len(rows) > limit else None)


def centre_rows(published: Published, centres: frozenset[str]) -> list[Row]:
    """The centres with calls that a token has access to, with their number of calls and the first and last local day."""
    rows = published.rows(
        "select centre_id, count(*) as calls, cast(min(started_local) as date) as first_day, cast(max(started_local) as date) as last_day "
        "from calls where centre_id is not null group by centre_id order by centre_id"
    )
    return [row for row in rows if EVERY_CENTRE in centres or row["centre_id"] in centres]


def _column(name: str, resource: Resource) -> str:
    if name == "centre_id" and resource.is_of_calls:
        return "c.centre_id"
    if name in _TEXTS and resource.is_of_calls:
        return f"case when c.text_kept = 'redacted' then r.{name} end as {name}"
    return f"r.{name}"


def _sealed(secret: bytes, query: Query, key: Sequence[str]) -> str:
    packed = json.dumps(key).encode()
    return base64.urlsafe_b64encode(_signature(secret, query, packed) + packed).decode().rstrip("=")


def _opened(secret: bytes, query: Query, cursor: str, parts: int) -> list[str]:
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CursorError from None
    if not hmac.compare_digest(_signature(secret, query, raw[16:]), raw[:16]):
        raise CursorError
    found: list[str] = json.loads(raw[16:])
    assert len(found) == parts
    return found


def _signature(secret: bytes, query: Query, packed: bytes) -> bytes:
    asked = [query.resource, sorted(query.centres), query.centre, str(query.first_day), str(query.last_day), query.equal]
    return hmac.new(secret, b"api cursor " + json.dumps(asked).encode() + packed, hashlib.sha256).digest()[:16]
