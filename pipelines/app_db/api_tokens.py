"""Tokens of the read API: limited to centres and rights, shown once, stored as sha256, with an expiry."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from pipelines.app_db.accounts import EVERY_CENTRE, Account
from pipelines.app_db.database import AppDatabase, Row, present

RIGHTS = ("see_calls", "see_numbers")
DAYS = (30, 90, 365)
LONGEST_NAME = 80
_PREFIX = "callgrade_"  # secret scanners find a token that was committed by mistake
_LONGEST_TOKEN = 100
_DAY_S = 86_400.0
_USED_EVERY_S = 60.0  # a request within this time of the last one writes nothing


class ApiTokenError(Exception):
    """An invalid field of a new token; `key` selects the message in the strings."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its secret. Times are in seconds since 1970."""

    token_id: int
    name: str
    centres: frozenset[str]
    rights: frozenset[str]
    created_by: str
    created_at: float
    expires_at: float
    last_used_at: float | None
    revoked_at: float | None

    @property
    def state(self) -> str:
        """The state: active, expired or revoked."""
        return "revoked" if self.revoked_at is not None else "active" if self.expires_at > present() else "expired"

    def sees_centre(self, centre_id: str) -> bool:
        """Whether the token gives access to a centre."""
        return EVERY_CENTRE in self.centres or centre_id in self.centres


def create(
    store: AppDatabase, by: Account, name: str, centres: Collection[str], rights: Collection[str], valid_days: int
) -> tuple[ApiToken, str]:
    """A new token and its secret, which is stored nowhere. Mask personal data in the name first.

    Raises ApiTokenError for a missing name, centre or right, or for a centre that the administrator has no access to.
    """
    if not name or len(name) > LONGEST_NAME:
        raise ApiTokenError("api_token_name_bad")
    if not centres or not by.covers(centres):
        raise ApiTokenError("api_token_centres_bad")
    if not rights or not set(rights) <= set(RIGHTS):
        raise ApiTokenError("api_token_rights_bad")
    if valid_days not in DAYS:
        raise ApiTokenError("api_token_days_bad")
    kept = [EVERY_CENTRE] if EVERY_CENTRE in centres else sorted(set(centres))
    secret, now = _PREFIX + secrets.token_urlsafe(32), present()
    with store.writing() as db:
        made = db.execute(
            "insert into api_tokens (token_hash, name, centres, rights, created_by, created_at, expires_at) values (?, ?, ?, ?, ?, ?, ?)",
            [_hash(secret), name, json.dumps(kept), json.dumps(sorted(set(rights))), by.account_id, now, now + valid_days * _DAY_S],
        ).lastrowid
    return _read(store, "where t.token_id = ?", made)[0], secret


def manageable(store: AppDatabase, by: Account) -> list[ApiToken]:
    """The tokens that an administrator may see and revoke: all their centres are the administrator's own. The newest first."""
    return [token for token in _read(store, "order by t.token_id desc") if by.covers(token.centres)]


def revoke(store: AppDatabase, by: Account, token_id: int) -> ApiToken | None:
    """Revoke a token, at once; None when there is no such token that this administrator may manage and that is not revoked yet."""
    found = [token for token in manageable(store, by) if token.token_id == token_id and token.revoked_at is None]
    if not found:
        return None
    with store.writing() as db:
        db.execute("update api_tokens set revoked_at = ? where token_id = ? and revoked_at is null", [present(), token_id])
    return found[0]


def find(store: AppDatabase, secret: str) -> ApiToken | None:
    """The active token with this secret, whose use is recorded.

    None when there is none, it has expired or was revoked, or the account that created it was closed.
    """
    if not secret.startswith(_PREFIX) or len(secret) > _LONGEST_TOKEN:
        return None
    found = _read(store, "where t.token_hash = ? and a.is_active", _hash(secret))
    if not found or found[0].state != "active":
        return None
    now = present()
    if now - (found[0].last_used_at or 0.0) > _USED_EVERY_S:
        with store.writing() as db:
            db.execute("update api_tokens set last_used_at = ? where token_id = ?", [now, found[0].token_id])
    return found[0]


def _read(store: AppDatabase, where: str, *values: object) -> list[ApiToken]:
    sql = f"select t.*, a.name as creator from api_tokens t join accounts a on a.account_id = t.created_by {where}"
    return [_token(row) for row in store.rows(sql, *values)]


def _token(row: Row) -> ApiToken:
    return ApiToken(
        row["token_id"], row["name"], frozenset(json.loads(row["centres"])), frozenset(json.loads(row["rights"])), row["creator"],
        row["created_at"], row["expires_at"], row["last_used_at"], row["revoked_at"],
    )  # fmt: skip


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
