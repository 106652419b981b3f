"""Corrections of topics, client types and findings: append-only, the latest record on each of them counts.

A record keeps what the automatic result was. A finding is recognised across scorings by its kind, its speaker and its place in the
recording: numbers of findings and of turns change when a call is scored again. Records are forgotten with their call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, present
from pipelines.core.grouping import by_call
from pipelines.core.intervals import Span, overlap_s
from pipelines.core.published import Row

TOPIC, CLIENT_TYPE, FINDING = "topic", "client_type", "finding"
KINDS = (TOPIC, CLIENT_TYPE, FINDING)
CONFIRMED, REFUTED = "confirmed", "refuted"
LEAST_OVERLAP = 0.5  # of the seconds that two findings cover together: with less, other words are meant
_AT_ONCE = 500
_SELECT = "select c.*, a.name as person from corrections as c join accounts as a using (account_id)"


class ChangedMeanwhileError(Exception):
    """Somebody else corrected the same thing after the page was opened; `person` is their name, empty for a changed automatic result."""

    def __init__(self, person: str = "") -> None:
        super().__init__("correction_changed")
        self.person = person


@dataclass(frozen=True, slots=True)
class FindingIdentity:
    """What identifies a finding of a call, and its words; times in seconds from the start of the recording."""

    kind: str
    role: str
    start_s: float
    end_s: float
    turn_no: int | None = None
    quote: str | None = None
    severity: str | None = None
    target: str | None = None

    @classmethod
    def of_finding(cls, row: Row) -> FindingIdentity:
        """Of a row of the view findings, whose quote must be masked."""
        return cls(**{name: row[name] for name in cls.__slots__})

    @classmethod
    def of_record(cls, row: Row) -> FindingIdentity:
        """Of a correction of a finding."""
        return cls(**{name: row["finding_kind" if name == "kind" else name] for name in cls.__slots__})

    @property
    def key(self) -> str:
        """The form value that names it among the findings of a call."""
        return f"{self.kind} {self.role} {self.severity} {self.start_s} {self.end_s}"

    @property
    def span(self) -> Span:
        return self.start_s, self.end_s

    def best_among(self, others: Sequence[FindingIdentity]) -> int | None:
        """The place of the same finding in a list; None where the list has none.

        With several that overlap enough, one of the same severity comes first, then the one that overlaps most.
        """
        shares = [_share(self.span, other.span) if (self.kind, self.role) == (other.kind, other.role) else 0.0 for other in others]
        fitting = [n for n, share in enumerate(shares) if share >= LEAST_OVERLAP]
        return max(fitting, key=lambda n: (others[n].severity == self.severity, shares[n]), default=None)


def add(
    store: AppDatabase,
    account: Account,
    call: Row,
    kind: str,
    value: str | None,
    machine_value: str | None = None,
    *,
    seen: int,
    finding: FindingIdentity | None = None,
) -> bool:
    """Record a correction; false when there is nothing to change, as for a form that was sent twice.

    Args:
        store: the application's database.
        account: who corrects.
        call: its row, with call_id and centre_id.
        kind: of `KINDS`.
        value: a topic, a client type, `CONFIRMED` or `REFUTED`; None withdraws what stands.
        machine_value: the automatic topic or client type.
        seen: the correction_id of the latest record on the same thing that the person saw, 0 for none.
        finding: which finding, where the kind is `FINDING`.

    Raises ChangedMeanwhileError when a later record than `seen` says something else.
    """
    identity = [getattr(finding, name) if finding else None for name in FindingIdentity.__slots__]
    with store.writing() as db:
        records = [
            dict(row) for row in db.execute(f"{_SELECT} where c.call_id = ? and c.kind = ? order by correction_id", [call["call_id"], kind])
        ]
        now = find(latest_of(records), kind, finding)
        if (now["value"] if now else None) == value:
            return False
        if (now["correction_id"] if now else 0) != seen:
            raise ChangedMeanwhileError(now["person"] if now else "")
        db.execute(
            """insert into corrections (call_id, centre_id, account_id, at, kind, value, machine_value,
                                        finding_kind, role, start_s, end_s, turn_no, quote, severity, target)
               values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            [call["call_id"], call["centre_id"], account.account_id, present(), kind, value, machine_value, *identity],
        )
    return True


def everything(store: AppDatabase, centre_id: str, since: float = 0.0) -> list[Row]:
    """All records of a centre after a point in time (seconds since 1970), oldest first, with the names of their authors.

    Withdrawals (value None) are among them; `latest_of` reduces the records to those that count.
    """
    return store.rows(f"{_SELECT} where c.centre_id = ? and c.at > ? order by c.correction_id", centre_id, since)


def latest(store: AppDatabase, call_ids: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """By call (None: all of them) the latest record on each thing that was ever corrected, withdrawals included."""
    rows: list[Row] = []
    if call_ids is None:
        rows = store.rows(f"{_SELECT} order by c.correction_id")
    for first in range(0, len(call_ids or ()), _AT_ONCE):
        some = (call_ids or ())[first : first + _AT_ONCE]
        rows += store.rows(f"{_SELECT} where c.call_id in ({', '.join('?' * len(some))}) order by c.correction_id", *some)
    return {call_id: latest_of(records) for call_id, records in by_call(rows).items()}


def standing(store: AppDatabase, call_ids: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """By call (None: all of them) the corrections that count; calls without one are left out."""
    counting = {call_id: [row for row in rows if row["value"] is not None] for call_id, rows in latest(store, call_ids).items()}
    return {call_id: rows for call_id, rows in counting.items() if rows}


def latest_of(records: Iterable[Row]) -> list[Row]:
    """Of records in their order, the last one on each thing."""
    found: list[Row] = []
    for row in records:
        earlier = _place_of(found, row["call_id"], row["kind"], FindingIdentity.of_record(row) if row["kind"] == FINDING else None)
        if earlier is None:
            found.append(row)
        else:
            found[earlier] = row
    return found


def find(records: Sequence[Row], kind: str, finding: FindingIdentity | None = None) -> Row | None:
    """The record on one thing among the latest ones of a call."""
    place = _place_of(records, records[0]["call_id"], kind, finding) if records else None
    return None if place is None else records[place]


def count_since(store: AppDatabase, centre_id: str, at: float) -> int:
    """How many things of a centre's calls were corrected, or their corrections withdrawn, after a point in time."""
    return sum(len(latest_of(records)) for records in by_call(everything(store, centre_id, at)).values())


def _place_of(records: Sequence[Row], call_id: str, kind: str, finding: FindingIdentity | None) -> int | None:
    own = [n for n, row in enumerate(records) if (row["call_id"], row["kind"]) == (call_id, kind)]
    if finding is None:
        return next(iter(own), None)
    best = finding.best_among([FindingIdentity.of_record(records[n]) for n in own])
    return None if best is None else own[best]


def _share(a: Span, b: Span) -> float:
    """The overlap of two spans as a share of what both cover; 1 for equal spans, also without a length."""
    both = overlap_s(a, b)
    whole = (a[1] - a[0]) + (b[1] - b[0]) - both
    return both / whole if whole > 0 else float(a == b)
