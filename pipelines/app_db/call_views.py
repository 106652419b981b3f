"""Saved filters of the list of calls: an account's own, and those shared with one of its centres."""

from __future__ import annotations

from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, Row, present

LONGEST_NAME = 60
MOST = 50  # of an account


class CallViewError(ValueError):
    """A view cannot be saved; `key` is that of the reason in the strings of pages/calls.yaml."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def readable(store: AppDatabase, account: Account) -> list[Row]:
    """The views of an account and those shared with its centres, by name, with the name of their owner (`owner`)."""
    rows = store.rows(
        """select v.*, a.name as owner from call_views as v join accounts as a using (account_id)
        where v.account_id = ? or v.centre_id is not null order by v.name, v.view_id""",
        account.account_id,
    )  # fmt: skip
    return [row | {"is_own": row["account_id"] == account.account_id} for row in rows if _may_read(account, row)]


def save(store: AppDatabase, account: Account, name: str, query: str, centre_id: str | None) -> None:
    """Save a view; one of the same name is replaced. Raises CallViewError without a name, or when there are too many."""
    if not name:
        raise CallViewError("cl_err_name")
    with store.writing() as db:
        others = db.execute("select count(*) from call_views where account_id = ? and name <> ?", [account.account_id, name]).fetchone()[0]
        if others >= MOST:
            raise CallViewError("cl_err_views")
        db.execute(
            """insert into call_views (account_id, name, query, centre_id, saved_at) values (?, ?, ?, ?, ?)
            on conflict (account_id, name) do update set query = excluded.query, centre_id = excluded.centre_id, saved_at = excluded.saved_at""",
            [account.account_id, name, query, centre_id, present()],
        )  # fmt: skip


def remove(store: AppDatabase, account: Account, view_id: int) -> bool:
    """Remove an own view; false where there is none."""
    with store.writing() as db:
        return db.execute("delete from call_views where view_id = ? and account_id = ?", [view_id, account.account_id]).rowcount > 0


def _may_read(account: Account, row: Row) -> bool:
    return bool(row["account_id"] == account.account_id or (row["centre_id"] is not None and account.sees_centre(row["centre_id"])))
