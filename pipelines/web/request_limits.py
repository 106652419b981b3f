"""The rate limit on requests without a session, so that anonymous clients cannot slow the server down for signed-in users."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from pipelines.app_db.rate_limit import Rate, RateLimiter, client_key

MOST_SESSIONS = 10_000


class AnonymousLimit:
    """Counts the requests of each client whose session was not valid at its last use.

    Used on the event loop only. Sessions are stored by the sha256 of the cookie; the least recently used ones are dropped, and count as
    anonymous once.
    """

    def __init__(self, rate: Rate, most_sessions: int = MOST_SESSIONS) -> None:
        self._limiter = RateLimiter(rate)
        self._most_sessions = most_sessions
        self._sessions: OrderedDict[bytes, None] = OrderedDict()

    def wait_s(self, address: str, session: str | None) -> float:
        """The seconds that this client must wait; 0 when the request may be answered."""
        if session and _hash(session) in self._sessions:
            return 0.0
        return self._limiter.take(client_key(address))

    def learn(self, session: str | None, *, is_valid: bool) -> None:
        """Record whether the session of an answered request was valid."""
        if not session:
            return
        key = _hash(session)
        self._sessions.pop(key, None)
        if is_valid:
            self._sessions[key] = None
            if len(self._sessions) > self._most_sessions:
                self._sessions.popitem(last=False)


def _hash(session: str) -> bytes:
    return hashlib.sha256(session.encode()).digest()
