"""Known devices: a signed cookie marks browsers used to sign in before, so that guesses elsewhere do not lock users out.

The cookie contains a random id and one signature for each account name that signed in with it, so several people can share a computer. It
grants nothing by itself: a password is still needed, and each device has its own limit of attempts. See OWASP, "Slow Down Online Guessing
Attacks with Device Cookies".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from pipelines.app_db.database import AppDatabase
from pipelines.web.auth.cookies import Cookie

COOKIE = Cookie("callgrade_device", path="/sign-in", samesite="strict", max_age_s=400 * 86400.0)  # the maximum of browsers
MOST_NAMES = 8  # recognised accounts per device; the least recently signed in is dropped
_VALUE = re.compile(rf"[\w-]{{22}}(\.[\w-]{{22}}){{1,{MOST_NAMES}}}", re.ASCII)


def known(store: AppDatabase, value: str, name: str) -> str | None:
    """The id of the cookie's device, if the account of this name (as `accounts.canonical` returns it) signed in there; else None."""
    device, signatures = _parts(value)
    wanted = _signature(store, device, name)
    is_known = any([hmac.compare_digest(wanted, one) for one in signatures])
    return device if is_known else None


def remember(store: AppDatabase, value: str, name: str) -> str:
    """The cookie of a device where the account of this name has just signed in: `value` is the previous one."""
    device, signatures = _parts(value)
    device = device or _text(secrets.token_bytes(16))
    latest = _signature(store, device, name)
    return ".".join([device, latest, *[one for one in signatures if one != latest][: MOST_NAMES - 1]])


def _parts(value: str) -> tuple[str, list[str]]:
    if not _VALUE.fullmatch(value):
        return "", []
    device, *signatures = value.split(".")
    return device, signatures


def _signature(store: AppDatabase, device: str, name: str) -> str:
    return _text(hmac.new(store.signing_key, f"device {device} {name}".encode(), hashlib.sha256).digest()[:16])


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
