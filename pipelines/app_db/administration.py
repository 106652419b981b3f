"""Account administration: which accounts an administrator may change, what they may grant, and the audit entries for it.

An administrator manages accounts whose centres are all their own, and grants no centre, role or permission that they do not have. The
command line (`by=None`) has no such limit: its user owns the files.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from pipelines.app_db import accounts
from pipelines.app_db.accounts import EVERY_CENTRE, ROLES, Account, AccountError
from pipelines.app_db.database import AppDatabase

Change = tuple[str, str]  # an action and a subject of the audit log


class NotAllowedError(AccountError):
    """An administrator tried to reach an account, or to grant something, beyond their own access."""


@dataclass(frozen=True, slots=True)
class AccountFields:
    """The editable fields of an account."""

    role: str
    centres: frozenset[str]
    operator_id: str | None = None
    hears_personal_data: bool = False
    is_active: bool = True

    @classmethod
    def of(cls, account: Account) -> AccountFields:
        """The current fields of an account."""
        return cls(account.role, account.centres, account.operator_id, account.hears_personal_data, account.is_active)


def may_manage(by: Account | None, account: Account) -> bool:
    """Whether an administrator may see and change an account: all its centres are the administrator's own."""
    return by is None or (by.may("manage_accounts") and by.covers(account.centres))


def add(store: AppDatabase, by: Account | None, name: str, fields: AccountFields, password: str) -> Account:
    """Add an account. Raises AccountError when a field is invalid, NotAllowedError when it exceeds what `by` may grant."""
    accounts.check_fields(fields.role, fields.centres, fields.operator_id)
    _check_given(by, None, fields)
    return accounts.add(store, name, fields.role, password, fields.centres, fields.operator_id, fields.hears_personal_data)


def edit(store: AppDatabase, by: Account | None, account_id: int, fields: AccountFields) -> tuple[Account, Account]:
    """Change an account; return it before and after. A closed account is signed out everywhere.

    Raises NotAllowedError when `by` may not change this account or grant that much, AccountError when a field is invalid or no
    administrator would remain.
    """
    with store.writing() as db:  # permissions are checked in the same transaction
        actor, before = _both(db, by, account_id)
        was = AccountFields.of(before)
        if fields.role != "operator":
            fields = replace(fields, operator_id=None)
        if EVERY_CENTRE in fields.centres:
            fields = replace(fields, centres=frozenset({EVERY_CENTRE}))
        accounts.check_fields(fields.role, fields.centres, fields.operator_id)
        _check_given(actor, was, fields)
        if before.is_openid and replace(fields, is_active=was.is_active) != was:
            raise AccountError(
                "account_openid_fields",
                f"The account {before.name} signs in through the OpenID provider, whose groups determine role and centres. Change the groups there; "
                "here the account can only be closed and opened.",
            )
        db.execute(
            "update accounts set role = ?, operator_id = ?, hears_personal_data = ?, is_active = ? where account_id = ?",
            [fields.role, fields.operator_id, fields.hears_personal_data, fields.is_active, account_id],
        )
        is_left = db.execute("select 1 from accounts where role = 'administrator' and is_active").fetchone()
        if before.role == "administrator" and before.is_active and not is_left:
            raise AccountError(
                "account_last", "This is the last active administrator. Add another administrator before this account is closed or changed."
            )
        accounts.set_centres(db, account_id, fields.centres)
        if not fields.is_active:
            db.execute("delete from sessions where account_id = ?", [account_id])
        after = accounts.find_in(db, account_id)
    assert after is not None
    return before, after


def reset_password(store: AppDatabase, by: Account | None, account_id: int, password: str) -> Account:
    """Give an account a new password; it is signed out everywhere.

    Raises NotAllowedError when `by` may not, AccountError when the account signs in through an OpenID provider. A person who knows the
    password has the account's access, so an administrator without access to personal data may not reset an account that has it.
    """
    named = accounts.find(store, account_id)
    if named is None:
        raise _not_yours()
    hashed = accounts.hashed_password(named.name, password)
    with store.writing() as db:
        actor, account = _both(db, by, account_id)
        accounts.set_password_hash(db, account, hashed)  # first, because it reports an account without a password
        _check_given(actor, None, AccountFields.of(account))  # an error here rolls it back
    return account


def changes(before: Account, after: Account) -> list[Change]:
    """The changes between two states of an account, each with its old and new value, for the audit log."""
    name, found = after.name, list[Change]()
    if before.role != after.role:
        found.append(("account_role_changed", f"{name}: {before.role} → {after.role}"))
    if before.centres != after.centres:
        found.append(("account_centres_changed", f"{name}: {centres_text(before)} → {centres_text(after)}"))
    if before.operator_id != after.operator_id:
        found.append(("account_operator_changed", f"{name}: {before.operator_id or '–'} → {after.operator_id or '–'}"))
    if before.hears_personal_data != after.hears_personal_data:
        found.append(("account_unmasked_given" if after.hears_personal_data else "account_unmasked_withdrawn", name))
    if before.is_active != after.is_active:
        found.append(("account_opened" if after.is_active else "account_closed", name))
    return found


def added(account: Account) -> list[Change]:
    """The audit entry of a new account: everything it was granted."""
    parts = [account.role, centres_text(account), *([account.operator_id] if account.operator_id else [])]
    given = [("account_unmasked_given", account.name)] if account.hears_personal_data else []
    return [("account_added", f"{account.name}: {', '.join(parts)}"), *given]


def centre_of(*states: Account) -> str | None:
    """The centre of an audit entry about an account: its only centre, before and after; None where there are several."""
    centres = frozenset[str]().union(*(account.centres for account in states))
    return next(iter(centres)) if len(centres) == 1 and EVERY_CENTRE not in centres else None


def centres_text(account: Account) -> str:
    """The centres of an account on one line."""
    return ", ".join(sorted(account.centres))


def _both(db: sqlite3.Connection, by: Account | None, account_id: int) -> tuple[Account | None, Account]:
    """The acting and the changed account inside the transaction.

    Raises NotAllowedError when the first may not change the second.
    """
    actor = accounts.find_in(db, by.account_id) if by else None
    account = accounts.find_in(db, account_id)
    if account is None or (by and not (actor and actor.is_active and may_manage(actor, account))):
        raise _not_yours()
    return actor, account


def _not_yours() -> NotAllowedError:
    return NotAllowedError("account_not_yours", "There is no such account, or it has centres outside your own.")


def _check_given(by: Account | None, was: AccountFields | None, fields: AccountFields) -> None:
    """Check that an administrator grants no more than they have; what an account already has may stay."""
    if by is None:
        return
    if not by.covers(fields.centres):
        raise NotAllowedError("account_centres_beyond", "An administrator can grant only their own centres.")
    if ROLES.index(fields.role) > ROLES.index(by.role):
        raise NotAllowedError("account_role_beyond", "An administrator can grant only roles up to their own.")
    if fields.hears_personal_data and not by.hears_personal_data and not (was and was.hears_personal_data):
        raise NotAllowedError(
            "account_unmasked_beyond",
            "Only an administrator with access to personal data may grant it, or reset the password of an account that has it.",
        )
