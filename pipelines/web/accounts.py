"""Who may come in: accounts with a role, the centres they see, and a password that is kept only as an argon2 hash."""

from __future__ import annotations

import re
import secrets
import sqlite3
import threading
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pipelines.errors import MisconfiguredError
from pipelines.web.store import Row, Store, present

ROLES = ("operator", "trainer", "analyst", "manager", "administrator")
EVERY_CENTRE = "*"
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200
_EVERYTHING = ("see_calls", "hear", "see_numbers", "review", "export", "coach", "care", "decide_disputes", "see_audit")
# What each role may do. Which calls it may do it with is said by the account's centres, and for an operator by his own id.
RIGHTS: dict[str, frozenset[str]] = {
    "operator": frozenset({"see_calls", "hear", "dispute", "learn"}),
    "trainer": frozenset({"see_calls", "hear", "see_numbers", "coach"}),
    "analyst": frozenset({"see_calls", "see_numbers", "export"}),
    "manager": frozenset(_EVERYTHING),
    "administrator": frozenset({*_EVERYTHING, "manage_accounts"}),
}
NAME = re.compile(r"(?:[^\W\u115f\u1160\u3164\uffa0]|[.@+-]){2,64}")  # these four are letters that cannot be seen
_HASHER = PasswordHasher()
_HASHING = threading.BoundedSemaphore(2)  # each hash takes 64 MiB on purpose; many at once must not exhaust the machine


class AccountError(MisconfiguredError):
    """What was asked for an account does not fit; `key` is that of the same sentence in the strings, for who reads another language."""

    def __init__(self, key: str, said: str) -> None:
        super().__init__(said)
        self.key = key


@dataclass(frozen=True, slots=True)
class Account:
    """One person's way in."""

    account_id: int
    name: str
    role: str
    centres: frozenset[str]
    operator_id: str | None = None
    hears_personal_data: bool = False
    is_active: bool = True
    language: str | None = None

    def may(self, right: str) -> bool:
        """Whether the role gives a right."""
        return right in RIGHTS[self.role]

    def sees_centre(self, centre_id: str | None) -> bool:
        """Whether a centre is one of the account's; calls of no known centre are for those who see every centre."""
        return EVERY_CENTRE in self.centres or (centre_id is not None and centre_id in self.centres)

    def sees_call(self, call: Row) -> bool:
        """Whether a row of the view calls may be shown: of the account's centres, and for an operator one that he took himself."""
        if not self.sees_centre(call["centre_id"]):
            return False
        return self.role != "operator" or (self.operator_id is not None and call["operator_id"] == self.operator_id)


def fold(name: str) -> str:
    """A name as it is kept and compared."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def add(
    store: Store,
    name: str,
    role: str,
    password: str,
    centres: Collection[str],
    operator_id: str | None = None,
    hears_personal_data: bool = False,
) -> Account:
    """A new account.

    Raises AccountError, in a sentence for the person who typed it, when the name is taken or something does not fit.
    """  # fmt: skip
    name = fold(name)
    if not NAME.fullmatch(name):
        raise AccountError("account_name_bad", f"{name!r} cannot be a name: 2 to 64 letters, digits or . @ + - _ are needed.")
    if role not in ROLES:
        raise MisconfiguredError(f"{role!r} is no role; it must be one of {', '.join(ROLES)}.")
    if role == "operator" and not operator_id:
        raise AccountError(
            "account_needs_operator", "An operator's account needs the operator's id as the call log writes it (--operator-id)."
        )
    if not centres:
        raise AccountError("account_needs_centre", "An account needs at least one centre (--centre ID), or --centre all.")
    if role == "operator" and EVERY_CENTRE in centres:
        raise AccountError("account_one_centre", "An operator's id is somebody else at each centre; name the centre (--centre ID).")
    hashed = _hash(checked_password(name, password))
    with store.writing() as db:
        try:
            cursor = db.execute(
                "insert into accounts (name, role, password_hash, operator_id, hears_personal_data, created_at) values (?, ?, ?, ?, ?, ?)",
                [name, role, hashed, operator_id if role == "operator" else None, hears_personal_data, present()],
            )
        except sqlite3.IntegrityError:
            raise AccountError("account_taken", f"There is an account named {name} already.") from None
        account_id = int(cursor.lastrowid or 0)
        set_centres(db, account_id, centres)
    found = find(store, account_id)
    assert found is not None
    return found


def everybody(store: Store) -> list[Account]:
    """All accounts by name."""
    return _read(store, "order by a.name")


def find(store: Store, account_id: int) -> Account | None:
    """The account of an id."""
    return next(iter(_read(store, "where a.account_id = ?", account_id)), None)


def named(store: Store, name: str) -> Account:
    """The account of a name. Raises MisconfiguredError when there is none."""
    found = _read(store, "where a.name = ?", fold(name))
    if not found:
        raise MisconfiguredError(f"There is no account named {fold(name)}. `callgrade accounts list` shows all.")
    return found[0]


def change(store: Store, account_id: int, *, centres: Collection[str], hears_personal_data: bool, is_active: bool) -> None:
    """Change what an account sees; whoever is closed out is signed out everywhere.

    Raises AccountError when no administrator would be left, or no centre.
    """
    if not centres:
        raise AccountError("account_needs_centre", "An account needs at least one centre.")
    with store.writing() as db:
        is_operator = db.execute("select 1 from accounts where account_id = ? and role = 'operator'", [account_id]).fetchone()
        if is_operator and EVERY_CENTRE in centres:
            raise AccountError("account_one_centre", "An operator's id is somebody else at each centre; name the centre.")
        db.execute(
            "update accounts set hears_personal_data = ?, is_active = ? where account_id = ?", [hears_personal_data, is_active, account_id]
        )
        if not db.execute("select 1 from accounts where role = 'administrator' and is_active").fetchone():
            raise AccountError("account_last", "This is the last administrator; somebody must be able to let people in.")
        set_centres(db, account_id, centres)
        if not is_active:
            db.execute("delete from sessions where account_id = ?", [account_id])


def set_password(store: Store, account: Account, password: str) -> None:
    """A new password; the account is signed out everywhere.

    Raises AccountError for somebody who comes in through an OpenID provider: who is let in there and who is not must hold here.
    """
    hashed = _hash(checked_password(account.name, password))
    with store.writing() as db:
        if db.execute("select 1 from identities where account_id = ?", [account.account_id]).fetchone():
            raise AccountError("account_openid", f"{account.name} comes in through the OpenID provider and has no password here.")
        db.execute("update accounts set password_hash = ? where account_id = ?", [hashed, account.account_id])
        db.execute("delete from sessions where account_id = ?", [account.account_id])


def set_language(store: Store, account: Account, language: str | None) -> None:
    """The language that the pages speak to this person."""
    with store.writing() as db:
        db.execute("update accounts set language = ? where account_id = ?", [language, account.account_id])


def verified(store: Store, name: str, password: str) -> Account | None:
    """The active account of a name and password, or None; it takes as long for a name that does not exist."""
    rows = store.rows(
        "select account_id, password_hash from accounts where name = ? and is_active and account_id not in (select account_id from identities)",
        fold(name),
    )
    kept = rows[0]["password_hash"] if rows else _nobodys_hash()
    with _HASHING:
        try:
            _HASHER.verify(kept, password[:LONGEST_PASSWORD])
        except (VerificationError, InvalidHashError):
            return None
    if not rows:
        return None
    account = find(store, rows[0]["account_id"])
    if account and _HASHER.check_needs_rehash(kept):
        with store.writing() as db:
            db.execute("update accounts set password_hash = ? where account_id = ?", [_hash(password), account.account_id])
    return account


def checked_password(name: str, password: str) -> str:
    """The password, when it is one that may be used. Raises MisconfiguredError otherwise."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise MisconfiguredError(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; a few unrelated words do well.")
    if fold(name) in fold(password) or len(set(password)) < 5:
        raise MisconfiguredError("A password must not hold the account's name, and needs at least five different characters.")
    return password


def fresh_password(name: str) -> str:
    """A password for somebody that nobody can guess, in pieces that can be read out."""
    while True:
        password = "-".join(secrets.token_hex(2) for _ in range(5))
        if len(fold(name)) < 2 or fold(name) not in password:  # a name such as "ab" may come up by chance; a shorter one is none
            return password


def _hash(password: str) -> str:
    with _HASHING:
        return _HASHER.hash(password)


_NOBODY: list[str] = []


def _nobodys_hash() -> str:
    if not _NOBODY:
        _NOBODY.append(_hash("nobody has this password"))
    return _NOBODY[0]


def set_centres(db: sqlite3.Connection, account_id: int, centres: Collection[str]) -> None:
    """The centres of an account, inside a transaction of the store."""
    db.execute("delete from account_centres where account_id = ?", [account_id])
    kept: Sequence[str] = [EVERY_CENTRE] if EVERY_CENTRE in centres else sorted(set(centres))
    db.executemany("insert into account_centres values (?, ?)", [(account_id, centre_id) for centre_id in kept])


def _read(store: Store, where: str, *values: object) -> list[Account]:
    rows = store.rows(
        f"""select a.*, (select group_concat(c.centre_id, char(10)) from account_centres c where c.account_id = a.account_id) as centres
            from accounts a {where}""",
        *values,
    )
    return [
        Account(
            r["account_id"], r["name"], r["role"], frozenset((r["centres"] or "").split("\n")) - {""}, r["operator_id"], bool(r["hears_personal_data"]),
            bool(r["is_active"]), r["language"],
        )
        for r in rows
    ]  # fmt: skip
