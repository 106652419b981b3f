"""Maps OpenID users to accounts: created at the first sign-in, and updated from the user's groups at each one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.app_db import accounts
from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, present
from pipelines.app_db.openid_settings import OpenIdSettings, claim


class NotLetInError(Exception):
    """An authenticated user may not sign in; the text is the reason for the audit log."""

    def __init__(self, why: str, name: str) -> None:
        super().__init__(why)
        self.name = name


def account_of(store: AppDatabase, rules: OpenIdSettings, claims: Mapping[str, Any]) -> tuple[Account | None, Account]:
    """The account of an OpenID user, before (None for a new one) and after applying the role and centres of their current groups.

    Raises NotLetInError for a user without a role, with a closed account, or with the name of another account.
    """
    granted = rules.granted(claims)
    given = claim(claims, rules.name_claim)
    name = accounts.fold(given) if isinstance(given, str) else ""
    if granted is None:
        raise NotLetInError("no role", name)
    before = None
    held = [granted.role, granted.operator_id, granted.hears_personal_data]
    with store.writing() as db:
        known = db.execute("select account_id, is_active from identities join accounts using (account_id) where issuer = ? and subject = ?",
                           [rules.issuer, claims["sub"]]).fetchone()  # fmt: skip
        if known is not None:
            account_id = int(known["account_id"])
            before = accounts.find_in(db, account_id)
            if not known["is_active"]:
                raise NotLetInError("closed", name)
            db.execute("update accounts set role = ?, operator_id = ?, hears_personal_data = ? where account_id = ?", [*held, account_id])
        else:
            if not accounts.NAME.fullmatch(name):
                raise NotLetInError("no name", name)
            if db.execute("select 1 from accounts where name = ?", [name]).fetchone():
                raise NotLetInError("name taken", name)  # otherwise the provider's user would take over this site's account
            made = db.execute(
                "insert into accounts (role, operator_id, hears_personal_data, name, password_hash, created_at) values (?, ?, ?, ?, 'none', ?)",
                [*held, name, present()],
            )
            account_id = int(made.lastrowid or 0)
            db.execute("insert into identities values (?, ?, ?)", [rules.issuer, claims["sub"], account_id])
        accounts.set_centres(db, account_id, granted.centres)
        found = accounts.find_in(db, account_id)
    assert found is not None
    return before, found
