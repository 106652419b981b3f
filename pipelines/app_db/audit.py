"""Append-only audit log: who listened to, exported or was refused what; displayed to managers and administrators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.app_db.accounts import EVERY_CENTRE, Account
from pipelines.app_db.database import AppDatabase, Row, present

LONGEST_SUBJECT = 200
LONGEST_CHANGE = 2000  # of account changes, whose old and new values are stored in full
LISTENING_S = 600.0  # a player requests a recording in ranges: requests within this time count as one
ACTIONS = (
    "signed_in", "sign_in", "signed_out", "opened", "heard", "heard_clip", "exported", "reviewed", "sent_form", "account_added", "account_changed",
    "account_role_changed", "account_centres_changed", "account_operator_changed", "account_unmasked_given", "account_unmasked_withdrawn",
    "account_closed", "account_opened", "heard_unmasked", "exported_unmasked", "evidence_opened_unmasked",
    "password_changed", "pack_made", "pack_changed", "pack_removed", "evidence_opened",
    "evaluated", "corrected", "correction_undone", "blind_waived", "disputed", "dispute_decided", "scorecard_edited", "scorecard_draft_discarded", "scorecard_activated",
    "call_view_saved", "call_view_removed", "new_reason_decided", "new_reason_accepted", "new_reason_dismissed", "scorecard_undone",
    "regrade_requested", "regrade_approved", "regrade_declined", "api_token_created", "api_token_revoked", "refused_more",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page of entries, newest first, with the total number of entries and how many of them are newer."""

    rows: list[Row]
    total: int
    newer: int

    @property
    def has_older(self) -> bool:
        return self.newer + len(self.rows) < self.total


def write(
    store: AppDatabase,
    account: Account | None,
    address: str,
    action: str,
    subject: str | None = None,
    centre_id: str | None = None,
    outcome: Literal["done", "refused"] = "done",
) -> None:
    """Record an action or a refused attempt.

    A server limits entries for refused requests; the others are only counted (`write_counts`).
    """
    account_id, name = (account.account_id, account.name) if account else (None, "")
    if outcome == "refused" and store.refusals is not None and not store.refusals.admits(account_id, name, address):
        return
    longest = LONGEST_CHANGE if action.startswith("account_") else LONGEST_SUBJECT
    cut = subject[:longest] if subject is not None else None
    _insert(store, [(present(), account_id, name, address[:64], action, outcome, centre_id, cut)])


def write_counts(store: AppDatabase) -> None:
    """Record how many refused requests got no entry since the last call: one entry per account or client."""
    counts = store.refusals.take_counts() if store.refusals is not None else []
    now = present()
    _insert(
        store, [(now, who.account_id, who.account_name, who.address, "refused_more", "refused", None, str(count)) for who, count in counts]
    )


def variant(action: str, *, unmasked: bool) -> str:
    """The action for listening, opening or exporting; a separate one where personal data was not masked."""
    return f"{action}_unmasked" if unmasked else action


def write_listening(store: AppDatabase, account: Account, address: str, action: str, subject: str, centre_id: str | None) -> None:
    """Record that an account listens to a recording, once for all ranges that a player requests."""
    sql = "select 1 from audit where account_id = ? and action = ? and subject = ? and outcome = 'done' and at > ? limit 1"
    if not store.rows(sql, account.account_id, action, subject[:LONGEST_SUBJECT], present() - LISTENING_S):
        write(store, account, address, action, subject, centre_id)


def page(
    store: AppDatabase,
    reader: Account,
    limit: int = 200,
    action: str | None = None,
    name: str | None = None,
    older_than: int | None = None,
    newer_than: int | None = None,
) -> AuditPage:
    """Entries visible to a reader (those of their centres, and those of no centre for readers of all), one page at a time.

    The newest ones, or those next to an entry: older or newer than its `audit_id`.
    """
    where, values = ["true"], []
    if EVERY_CENTRE not in reader.centres:
        where.append(f"centre_id in ({', '.join('?' * len(reader.centres))})")
        values += sorted(reader.centres)
    for column, value in (("action", action), ("account_name", name)):
        if value:
            where.append(f"{column} = ?")
            values.append(value)
    seen = f"from audit where {' and '.join(where)}"
    in_order = seen.replace(
        "centre_id in", "+centre_id in"
    )  # without the centre index, which would require sorting all entries of the centres
    if newer_than is not None:
        rows = store.rows(f"select * {in_order} and audit_id > ? order by audit_id limit ?", *values, newer_than, limit)[::-1]
    else:
        bound = older_than if older_than is not None else 2**63 - 1
        rows = store.rows(f"select * {in_order} and audit_id < ? order by audit_id desc limit ?", *values, bound, limit)
    first = rows[0]["audit_id"] if rows else older_than or 0
    counts = store.rows(f"select count(*) as total, coalesce(sum(audit_id > ?), 0) as newer {seen}", first, *values)[0]
    return AuditPage(rows, int(counts["total"]), int(counts["newer"]))


def _insert(store: AppDatabase, entries: Sequence[tuple[object, ...]]) -> None:
    if not entries:
        return
    with store.writing() as db:
        db.executemany(
            "insert into audit (at, account_id, account_name, address, action, outcome, centre_id, subject) values (?, ?, ?, ?, ?, ?, ?, ?)",
            entries,
        )
