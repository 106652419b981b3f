"""Accounts: roles, centres, and passwords stored only as argon2 hashes."""

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

from pipelines.app_db.database import AppDatabase, Row, present
from pipelines.core.errors import MisconfiguredError

ROLES = ("operator", "trainer", "analyst", "manager", "administrator")
EVERY_CENTRE = "*"
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200
_EVERYTHING = ("see_calls", "hear", "see_numbers", "review", "export", "coach", "care", "decide_disputes", "see_audit", "edit_scorecards")
# The rights of each role. The account's centres, and for an operator the operator id, determine the calls they apply to.
RIGHTS: dict[str, frozenset[str]] = {
    "operator": frozenset({"see_calls", "hear", "dispute", "learn"}),
    "trainer": frozenset({"see_calls", "hear", "see_numbers", "coach"}),
    "analyst": frozenset({"see_calls", "see_numbers", "export"}),
    "manager": frozenset(_EVERYTHING),
    "administrator": frozenset({*_EVERYTHING, "manage_accounts"}),
}
NAME = re.compile(r"(?:[^\W\u115f\u1160\u3164\uffa0]|[.@+-]){2,64}")  # these four letters are invisible
LONGEST_TYPED = 256  # characters of a name as typed; a longer one is refused, not truncated
_HASHER = PasswordHasher()
_HASHING = threading.BoundedSemaphore(2)  # each hash uses 64 MiB on purpose; many concurrent ones must not exhaust the memory


class AccountError(MisconfiguredError):
    """Invalid input for an account; `key` and `values` select the same message in the strings, for readers of other languages."""

    def __init__(self, key: str, said: str, **values: object) -> None:
        super().__init__(said)
        self.key, self.values = key, values


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the web application."""

    account_id: int
    name: str
    role: str
    centres: frozenset[str]
    operator_id: str | None = None
    hears_personal_data: bool = False
    is_active: bool = True
    language: str | None = None
    is_openid: bool = False  # signs in through the OpenID provider, which determines role and centres; has no password here

    def may(self, right: str) -> bool:
        """Whether the role has a right."""
        return right in RIGHTS[self.role]

    def sees_centre(self, centre_id: str | None) -> bool:
        """Whether the account has access to a centre; calls of no known centre are limited to accounts of every centre."""
        return EVERY_CENTRE in self.centres or (centre_id is not None and centre_id in self.centres)

    def covers(self, centres: Collection[str]) -> bool:
        """Whether the account has access to all of these centres.

        Only an account of every centre covers "every centre" or an empty collection.
        """
        return EVERY_CENTRE in self.centres or (bool(centres) and self.centres.issuperset(centres))

    def sees_call(self, call: Row) -> bool:
        """Whether the account may see a row of the view calls: one of its centres, and for an operator an own call."""
        if not self.sees_centre(call["centre_id"]):
            return False
        return self.role != "operator" or (self.operator_id is not None and call["operator_id"] == self.operator_id)


def fold(name: str) -> str:
    """A name in the normal form in which it is stored and compared; folding it again changes nothing."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())


def canonical(name: str) -> str | None:
    """The folded name for looking up an account and counting its attempts; None for what cannot be the name of an account."""
    folded = fold(name) if len(name) <= LONGEST_TYPED else ""
    return folded if NAME.fullmatch(folded) else None


def add(
    store: AppDatabase,
    name: str,
    role: str,
    password: str,
    centres: Collection[str],
    operator_id: str | None = None,
    hears_personal_data: bool = False,
) -> Account:
    """Add an account.

    Raises AccountError, with a message for the person who typed it, when the name is taken or a field is invalid.
    """  # fmt: skip
    typed, name = name, canonical(name) or ""
    if not name:
        raise AccountError("account_name_bad", f"The account name {typed[:64]!r} is not allowed. Use 2 to 64 letters, digits or . @ + - _.")
    check_fields(role, centres, operator_id)
    hashed = hashed_password(name, password)
    with store.writing() as db:
        try:
            cursor = db.execute(
                "insert into accounts (name, role, password_hash, operator_id, hears_personal_data, created_at) values (?, ?, ?, ?, ?, ?)",
                [name, role, hashed, operator_id if role == "operator" else None, hears_personal_data, present()],
            )
        except sqlite3.IntegrityError:
            raise AccountError(
                "account_taken", f"The account {name} exists already. Choose another name, or change it: callgrade accounts edit {name}"
            ) from None
        account_id = int(cursor.lastrowid or 0)
        set_centres(db, account_id, centres)
    found = find(store, account_id)
    assert found is not None
    return found


def check_fields(role: str, centres: Collection[str], operator_id: str | None) -> None:
    """Check that role, centres and operator id of an account are consistent. Raises AccountError otherwise."""
    if role not in ROLES:
        raise AccountError("account_role_bad", f"The role {role[:64]!r} is not known. Choose one of {', '.join(ROLES)}.")
    if role == "operator" and not operator_id:
        raise AccountError(
            "account_needs_operator", "The account of an operator needs the operator id of the call log. Give it with --operator-id ID."
        )
    if not centres:
        raise AccountError(
            "account_needs_centre", "The account has access to no centre. Give at least one with --centre ID, or --centre all."
        )
    if role == "operator" and EVERY_CENTRE in centres:
        raise AccountError(
            "account_one_centre",
            "An operator id identifies a person within one centre only. Give that centre with --centre ID instead of all.",
        )


def everybody(store: AppDatabase) -> list[Account]:
    """All accounts by name."""
    return _read(store, "order by a.name")


def find(store: AppDatabase, account_id: int) -> Account | None:
    """The account with an id."""
    return next(iter(_read(store, "where a.account_id = ?", account_id)), None)


def named(store: AppDatabase, name: str) -> Account:
    """The account with a name. Raises MisconfiguredError when there is none."""
    found = _read(store, "where a.name = ?", canonical(name))
    if not found:
        raise MisconfiguredError(f"There is no account {fold(name[:LONGEST_TYPED])}. List the accounts: callgrade accounts list")
    return found[0]


def find_in(db: sqlite3.Connection, account_id: int) -> Account | None:
    """The account with an id, as it is inside a transaction of the database."""
    row = db.execute(f"{_SELECT} where a.account_id = ?", [account_id]).fetchone()
    return _account(dict(row)) if row else None


def set_password(store: AppDatabase, account: Account, password: str) -> None:
    """Set a new password and end all sessions of the account.

    Raises AccountError for an account that signs in through an OpenID provider, where access is controlled.
    """
    hashed = hashed_password(account.name, password)
    with store.writing() as db:
        set_password_hash(db, account, hashed)


def hashed_password(name: str, password: str) -> str:
    """The hash of a password that is valid for a name. Raises MisconfiguredError otherwise."""
    return _hash(checked_password(name, password))


def set_password_hash(db: sqlite3.Connection, account: Account, hashed: str) -> None:
    """Set a password hash inside a transaction. Hash beforehand: hashing is slow, and the transaction blocks other writers."""
    if db.execute("select 1 from identities where account_id = ?", [account.account_id]).fetchone():
        raise AccountError(
            "account_openid",
            f"The account {account.name} signs in through the OpenID provider and has no password here. Change the password at the provider.",
        )
    db.execute("update accounts set password_hash = ? where account_id = ?", [hashed, account.account_id])
    db.execute("delete from sessions where account_id = ?", [account.account_id])


def set_language(store: AppDatabase, account: Account, language: str | None) -> None:
    """Set the language of the pages for this account."""
    with store.writing() as db:
        db.execute("update accounts set language = ? where account_id = ?", [language, account.account_id])


def verified(store: AppDatabase, name: str, password: str) -> Account | None:
    """The active account of a name and password, or None; an unknown name takes equally long."""
    rows = store.rows(
        "select account_id, password_hash from accounts where name = ? and is_active and account_id not in (select account_id from identities)",
        canonical(name),
    )
    dummy, is_possible = _dummy_hash(), bool(rows) and len(password) <= LONGEST_PASSWORD
    kept = rows[0]["password_hash"] if is_possible else dummy
    with _HASHING:
        try:
            _HASHER.verify(kept, password[:LONGEST_PASSWORD])
        except (VerificationError, InvalidHashError):
            return None
    if not is_possible:
        return None
    account = find(store, rows[0]["account_id"])
    if account and _HASHER.check_needs_rehash(kept):
        with store.writing() as db:
            db.execute("update accounts set password_hash = ? where account_id = ?", [_hash(password), account.account_id])
    return account


def checked_password(name: str, password: str) -> str:
    """The password, if it is valid for the name. Raises MisconfiguredError otherwise."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise MisconfiguredError(
            f"The password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters. Choose a few unrelated words, for example."
        )
    if fold(name) in fold(password) or len(set(password)) < 5:
        raise MisconfiguredError(
            "The password contains the name of the account, or has fewer than five different characters. Choose another one."
        )
    return password


def fresh_password(name: str) -> str:
    """A random password that cannot be guessed, in groups that can be read out."""
    while True:
        password = "-".join(secrets.token_hex(2) for _ in range(5))
        if len(fold(name)) < 2 or fold(name) not in password:  # a name such as "ab" may occur by chance; a shorter one is no name
            return password


def _hash(password: str) -> str:
    with _HASHING:
        return _HASHER.hash(password)


_DUMMY_HASHES: list[str] = []


def _dummy_hash() -> str:
    if not _DUMMY_HASHES:
        _DUMMY_HASHES.append(_hash("a password that no account has"))
    return _DUMMY_HASHES[0]


def set_centres(db: sqlite3.Connection, account_id: int, centres: Collection[str]) -> None:
    """Replace the centres of an account, inside a transaction of the database."""
    db.execute("delete from account_centres where account_id = ?", [account_id])
    kept: Sequence[str] = [EVERY_CENTRE] if EVERY_CENTRE in centres else sorted(set(centres))
    db.executemany("insert into account_centres values (?, ?)", [(account_id, centre_id) for centre_id in kept])


_SELECT = """select a.*, (select group_concat(c.centre_id, char(10)) from account_centres c where c.account_id = a.account_id) as centres,
    exists (select 1 from identities i where i.account_id = a.account_id) as is_openid
    from accounts a"""


def _read(store: AppDatabase, where: str, *values: object) -> list[Account]:
    return [_account(row) for row in store.rows(f"{_SELECT} {where}", *values)]


def _account(row: Row) -> Account:
    return Account(
        row["account_id"], row["name"], row["role"], frozenset((row["centres"] or "").split("\n")) - {""}, row["operator_id"],
        bool(row["hears_personal_data"]), bool(row["is_active"]), row["language"], bool(row["is_openid"]),
    )  # fmt: skip
