"""Server-side sessions, limits on sign-in attempts, and CSRF tokens of forms.

The browser holds 256 random bits; the database stores only their sha256. A session ends after a period without use, at the latest after a
working day.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass

from pipelines.app_db import accounts
from pipelines.app_db.accounts import Account
from pipelines.app_db.addresses import network_of
from pipelines.app_db.database import AppDatabase, present

IDLE_S = 2 * 3600.0
LONGEST_S = 12 * 3600.0
_SEEN_EVERY_S = 60.0  # a page view within this time writes nothing
WINDOW_S = 15 * 60.0
TRIES_PER_NAME = 10  # in the window, from one network or one known device
TRIES_PER_ADDRESS = 40  # for all names together; an office shares one address
TRIES_BEFORE_ONE_EACH = 100  # for one name from all networks together; beyond it a network has one attempt instead of ten
_DEVICE = "device "  # no address begins with this


class TooManySignInsError(Exception):
    """Too many failed attempts for a name or an address; the password was not checked."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many tries, wait {wait_s:.0f} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: its account, and its hash in the database."""

    account: Account
    session_hash: str


def sign_in(store: AppDatabase, name: str, password: str, address: str, device: str | None = None) -> Account | None:
    """The account when name and password match, else None. Raises TooManySignInsError without checking the password.

    `device` identifies a browser in which this account has signed in before, or a session of it: its attempts are counted separately, so
    that guesses from elsewhere do not lock the account's owner out. Unknown names are counted and answered like known ones.
    """
    counted, now = accounts.canonical(name) or "", present()
    origin = network_of(address) if device is None else _DEVICE + hashlib.sha256(device.encode()).hexdigest()[:32]
    with store.writing() as db:  # record the attempt before the check, so that a hundred concurrent ones count as a hundred
        db.execute("delete from sign_in_attempts where at < ?", [now - WINDOW_S])
        _refuse_too_many(db, counted, origin, now)
        noted = db.execute("insert into sign_in_attempts values (?, ?, ?)", [now, counted, origin]).lastrowid
    account = accounts.verified(store, name, password)
    if account is not None:
        with store.writing() as db:  # this attempt only: knowing one password must not give more guesses at another
            db.execute("delete from sign_in_attempts where rowid = ? and at = ? and name = ?", [noted, now, counted])
    return account


def _refuse_too_many(db: sqlite3.Connection, name: str, origin: str, now: float) -> None:
    """Raise TooManySignInsError when another attempt for a name from a device or network must wait."""

    def tries(where: str, *values: str) -> tuple[int, float]:
        count, first = db.execute(f"select count(*), min(at) from sign_in_attempts where {where}", values).fetchone()
        return int(count), max((first or now) + WINDOW_S - now, 1.0)

    is_device = origin.startswith(_DEVICE)
    most = TRIES_PER_NAME
    if not is_device and tries(f"name = ? and address not like '{_DEVICE}%'", name)[0] >= TRIES_BEFORE_ONE_EACH:
        most = 1  # many networks guess this name: each gets one attempt, so that the others do not lock its owner out
    count, wait_s = tries("name = ? and address = ?", name, origin)
    if count >= most:
        raise TooManySignInsError(wait_s)
    count, wait_s = tries("address = ?", origin)
    if not is_device and count >= TRIES_PER_ADDRESS:
        raise TooManySignInsError(wait_s)


def open_session(store: AppDatabase, account: Account, replaced: str | None = None) -> str:
    """Open a session for an account and return the token for the browser; the session that it replaces ends."""
    token, now = secrets.token_urlsafe(32), present()
    with store.writing() as db:
        db.execute(
            "delete from sessions where seen_at < ? or opened_at < ? or session_hash = ?",
            [now - IDLE_S, now - LONGEST_S, _hash(replaced or "")],
        )
        db.execute("insert into sessions values (?, ?, ?, ?)", [_hash(token), account.account_id, now, now])
    return token


def find_session(store: AppDatabase, token: str | None) -> Session | None:
    """The session of a browser's token, unless it has ended or its account was closed."""
    if not token or len(token) > 100:
        return None
    now, hashed = present(), _hash(token)
    rows = store.rows(
        "select account_id, seen_at from sessions where session_hash = ? and seen_at >= ? and opened_at >= ?",
        hashed,
        now - IDLE_S,
        now - LONGEST_S,
    )
    account = accounts.find(store, rows[0]["account_id"]) if rows else None
    if account is None or not account.is_active:
        return None
    if now - rows[0]["seen_at"] > _SEEN_EVERY_S:
        with store.writing() as db:
            db.execute("update sessions set seen_at = ? where session_hash = ?", [now, hashed])
    return Session(account, hashed)


def close_session(store: AppDatabase, session: Session) -> None:
    """End a session."""
    with store.writing() as db:
        db.execute("delete from sessions where session_hash = ?", [session.session_hash])


def form_token(store: AppDatabase, subject: str) -> str:
    """The CSRF token of a form: bound to a session (its hash) or, before signing in, to a random cookie."""
    return hmac.new(store.signing_key, b"form " + subject.encode(), hashlib.sha256).hexdigest()


def is_form_token(store: AppDatabase, subject: str, given: object) -> bool:
    """Whether a form carried the right token."""
    return isinstance(given, str) and hmac.compare_digest(form_token(store, subject).encode(), given.encode())


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
