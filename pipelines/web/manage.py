"""`callgrade accounts`: letting the first people in from the command line. Passwords come from a prompt or from standard input, never from arguments."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence

from pipelines.errors import MisconfiguredError
from pipelines.settings import Settings
from pipelines.web import accounts, audit
from pipelines.web.store import open_store

ACTIONS = ("add", "list", "password", "close", "open")
_FROM = "command line"


def run(
    settings: Settings,
    action: str,
    name: str | None,
    role: str | None,
    centres: Sequence[str],
    operator_id: str | None,
    hears_personal_data: bool,
) -> int:
    """Do one thing with the accounts of a site; the exit status 0.

    Raises MisconfiguredError when a name, a role or a password is missing or does not fit.
    """
    store = open_store(settings)
    if action == "list":
        for account in accounts.everybody(store):
            seen = "every centre" if accounts.EVERY_CENTRE in account.centres else ", ".join(sorted(account.centres))
            print(f"{account.name:24} {account.role:14} {account.operator_id or '':12} {seen}{'' if account.is_active else '  (closed)'}")
        return 0
    if name is None:
        raise MisconfiguredError(f"`callgrade accounts {action}` needs a NAME.")
    if action == "add":
        if role is None:
            raise MisconfiguredError(f"A new account needs --role, one of {', '.join(accounts.ROLES)}.")
        wanted = [accounts.EVERY_CENTRE if centre_id == "all" else centre_id for centre_id in centres]
        if not wanted and role == "administrator":
            wanted = [accounts.EVERY_CENTRE]
        made = accounts.add(store, name, role, _password(name), wanted, operator_id, hears_personal_data)
        audit.write(store, None, _FROM, "account_added", made.name)
        print(f"{made.name} can sign in as {made.role}.")
        return 0
    account = accounts.named(store, name)
    if action == "password":
        accounts.set_password(store, account, _password(account.name))
        audit.write(store, None, _FROM, "password_changed", account.name)
        print(f"{account.name} has a new password and is signed out everywhere.")
        return 0
    accounts.change(
        store, account.account_id, centres=account.centres, hears_personal_data=account.hears_personal_data, is_active=action == "open"
    )
    audit.write(store, None, _FROM, "account_changed", account.name)
    print(f"{account.name} can {'sign in again' if action == 'open' else 'no longer sign in'}.")
    return 0


def _password(name: str) -> str:
    """A password typed twice without being shown, or the first line of standard input."""
    if not sys.stdin.isatty():
        return accounts.checked_password(name, sys.stdin.readline().rstrip("\n"))
    password = accounts.checked_password(name, getpass.getpass("Password: "))
    if getpass.getpass("Once more: ") != password:
        raise MisconfiguredError("The two passwords differ; nothing was changed.")
    return password
