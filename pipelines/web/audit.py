"""The book of who heard what, took what out, and was refused what: written by every room, never rewritten, shown to managers and administrators."""

from __future__ import annotations

from typing import Literal

from pipelines.web.accounts import EVERY_CENTRE, Account
from pipelines.web.store import Row, Store, present

LONGEST_SUBJECT = 200
LONGEST_CHANGE = 2000  # of what an account was and became: both values are there in full
HEARING_S = 600.0  # a player asks for a recording piece by piece: within that time it is one hearing
ACTIONS = (
    "signed_in", "sign_in", "signed_out", "opened", "heard", "heard_clip", "exported", "reviewed", "sent_form", "account_added", "account_changed",
    "account_role_changed", "account_centres_changed", "account_operator_changed", "account_unmasked_given", "account_unmasked_withdrawn",
    "account_closed", "account_opened", "heard_unmasked", "exported_unmasked", "evidence_opened_unmasked",
    "password_changed", "pack_made", "pack_changed", "pack_removed", "evidence_opened",
    "evaluated", "blind_waived", "disputed", "dispute_decided",
)  # fmt: skip


def write(
    store: Store,
    account: Account | None,
    address: str,
    action: str,
    subject: str | None = None,
    centre_id: str | None = None,
    outcome: Literal["done", "refused"] = "done",
) -> None:
    """Note that somebody did something, or was not let do it."""  # fmt: skip
    longest = LONGEST_CHANGE if action.startswith("account_") else LONGEST_SUBJECT
    values = [present(), account.account_id if account else None, account.name if account else "", address, action, outcome, centre_id]
    with store.writing() as db:
        db.execute(
            "insert into audit (at, account_id, account_name, address, action, outcome, centre_id, subject) values (?, ?, ?, ?, ?, ?, ?, ?)",
            [*values, subject[:longest] if subject is not None else None],
        )


def variant(action: str, *, unmasked: bool) -> str:
    """The action for hearing, opening or exporting something: one of its own where personal data was not masked."""
    return f"{action}_unmasked" if unmasked else action


def write_hearing(store: Store, account: Account, address: str, action: str, subject: str, centre_id: str | None) -> None:
    """Note that somebody hears a recording, once for all the pieces that a player asks for."""
    sql = "select 1 from audit where account_id = ? and action = ? and subject = ? and outcome = 'done' and at > ? limit 1"
    if not store.rows(sql, account.account_id, action, subject[:LONGEST_SUBJECT], present() - HEARING_S):
        write(store, account, address, action, subject, centre_id)


def latest(store: Store, reader: Account, limit: int = 200, action: str | None = None, name: str | None = None) -> list[Row]:
    """The newest notes that a reader may see: of his centres, and those of no centre for who sees them all."""
    where, values = ["1"], []
    if EVERY_CENTRE not in reader.centres:
        where.append(f"centre_id in ({', '.join('?' * len(reader.centres))})")
        values += sorted(reader.centres)
    for column, value in (("action", action), ("account_name", name)):
        if value:
            where.append(f"{column} = ?")
            values.append(value)
    return store.rows(f"select * from audit where {' and '.join(where)} order by audit_id desc limit ?", *values, limit)
