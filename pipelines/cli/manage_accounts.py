"""Actions of `callgrade accounts`. Passwords are read from a prompt or from standard input, never from arguments."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipelines.app_db import accounts, administration, audit, operator_ids
from pipelines.app_db.accounts import EVERY_CENTRE, Account, AccountError
from pipelines.app_db.administration import AccountFields, Change
from pipelines.app_db.database import AppDatabase, open_store
from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import open_published
from pipelines.core.settings import Settings

ACTIONS = ("add", "edit", "list", "password", "close", "open")
_FROM = "command line"


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """The options of the command; None or an empty list where one was not given."""

    role: str | None = None
    centres: Sequence[str] = ()
    operator_id: str | None = None
    hears_personal_data: bool | None = None
    is_new_operator: bool = False


def run(settings: Settings, action: str, name: str | None, given: AccountOptions) -> int:
    """Run one action on the accounts of a site; return the exit status 0.

    Raises MisconfiguredError when a name, a role or a password is missing or invalid.
    """
    store = open_store(settings)
    if action == "list":
        for account in accounts.everybody(store):
            seen = "all centres" if EVERY_CENTRE in account.centres else administration.centres_text(account)
            print(f"{account.name:24} {account.role:14} {account.operator_id or '':12} {seen}{'' if account.is_active else '  (closed)'}")
        return 0
    if name is None:
        raise MisconfiguredError(f"The name of the account is missing: callgrade accounts {action} NAME")
    if action == "add":
        return _add(settings, store, name, given)
    account = accounts.named(store, name)
    if action == "password":
        administration.reset_password(store, None, account.account_id, _password(account.name))
        _note(store, [("password_changed", account.name)], account)
        print(f"Password of {account.name} changed; all sessions of the account were ended.")
        return 0
    if action == "edit":
        return _edit(settings, store, account, given)
    _change(store, account, replace(AccountFields.of(account), is_active=action == "open"))
    print(f"Account {account.name} {'opened' if action == 'open' else 'closed'}.")
    return 0


def _add(settings: Settings, store: AppDatabase, name: str, given: AccountOptions) -> int:
    if given.role is None:
        raise MisconfiguredError(f"The role of the new account {name!r} is missing. Give --role with one of {', '.join(accounts.ROLES)}.")
    centres = _centres(given) or frozenset({EVERY_CENTRE} if given.role == "administrator" else ())
    fields = AccountFields(given.role, centres, given.operator_id if given.role == "operator" else None, bool(given.hears_personal_data))
    _check(settings, fields, centres, given)
    made = administration.add(store, None, name, fields, _password(name))
    _note(store, administration.added(made), made)
    print(f"Account {made.name} added with the role {made.role}.")
    return 0


def _edit(settings: Settings, store: AppDatabase, account: Account, given: AccountOptions) -> int:
    was = AccountFields.of(account)
    hears_personal_data = was.hears_personal_data if given.hears_personal_data is None else given.hears_personal_data
    fields = replace(
        was, role=given.role or was.role, centres=_centres(given) or was.centres, operator_id=given.operator_id or was.operator_id, hears_personal_data=hears_personal_data
    )  # fmt: skip
    if fields.role != "operator":
        fields = replace(fields, operator_id=None)
    is_kept = fields.operator_id == was.operator_id
    _check(settings, fields, fields.centres - was.centres if is_kept else fields.centres, given)
    for _, subject in (changes := _change(store, account, fields)):
        print(subject)
    print(f"Account {account.name} changed." if changes else f"Nothing changed: the account {account.name} already has these values.")
    return 0


def _change(store: AppDatabase, account: Account, fields: AccountFields) -> list[Change]:
    before, after = administration.edit(store, None, account.account_id, fields)
    changes = administration.changes(before, after)
    _note(store, changes, before, after)
    return changes


def _centres(given: AccountOptions) -> frozenset[str]:
    return frozenset(EVERY_CENTRE if centre_id == "all" else centre_id for centre_id in given.centres)


def _check(settings: Settings, fields: AccountFields, centres: Iterable[str], given: AccountOptions) -> None:
    """Check that the centres exist, and that the operator is in a published call of them unless marked as new.

    Raises AccountError with the nearest matches.
    """
    known = _known(settings)
    allowed = {*centre_ids(), *known, EVERY_CENTRE}
    for centre_id in sorted(set(centres) - allowed):
        near = operator_ids.nearest(centre_id, allowed - {EVERY_CENTRE})
        hint = f"Did you mean {', '.join(near)}?" if near else f"Choose one of {', '.join(sorted(allowed - {EVERY_CENTRE}))}."
        raise AccountError("account_centre_bad", f"The centre {centre_id!r} is not known. {hint}", centre=centre_id)
    if fields.operator_id and EVERY_CENTRE not in fields.centres and not given.is_new_operator:
        operator_ids.check(known, fields.operator_id, frozenset(centres))


def _known(settings: Settings) -> dict[str, frozenset[str]]:
    """The operators of the published calls; none where nothing is published yet."""
    if not settings.snapshot.exists():
        return {}
    with open_published(settings) as published:
        return operator_ids.known(published)


def _note(store: AppDatabase, changes: Iterable[Change], *states: Account) -> None:
    for action, subject in changes:
        audit.write(store, None, _FROM, action, subject, administration.centre_of(*states))


def _password(name: str) -> str:
    """A password typed twice without echo, or the first line of standard input."""
    if not sys.stdin.isatty():
        return accounts.checked_password(name, sys.stdin.readline().rstrip("\n"))
    password = accounts.checked_password(name, getpass.getpass("Password: "))
    if getpass.getpass("Password again: ") != password:
        raise MisconfiguredError("The two passwords differ. Nothing was changed; run the command again.")
    return password
