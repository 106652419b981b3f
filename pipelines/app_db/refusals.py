"""Limits audit entries for refused requests: a client that is refused a thousand times a minute must not fill the audit log."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from pipelines.app_db.rate_limit import Limits, RateLimiter, client_key

MOST_COUNTED = 1000  # accounts and clients that are counted separately
MOST_ENTRIES = 20  # summary entries per interval


@dataclass(frozen=True, slots=True)
class RefusedClient:
    """The refused account, or the client without a session; both empty for the total of those not counted separately."""

    account_id: int | None = None
    account_name: str = ""
    address: str = ""


class Refusals:
    """Admits refused requests to the audit log at a bounded rate and counts the others; safe to share between threads."""

    def __init__(self, limits: Limits) -> None:
        self._accounts = RateLimiter(limits.refusals)
        self._clients = RateLimiter(limits.anonymous_refusals)
        self._all_clients = RateLimiter(limits.all_anonymous_refusals)
        self._lock = threading.Lock()
        self._counts: dict[RefusedClient, int] = {}

    def admits(self, account_id: int | None, account_name: str, address: str) -> bool:
        """Whether a refused request gets its own audit entry; otherwise it is counted."""
        if account_id is not None:
            who, is_over = RefusedClient(account_id, account_name), self._accounts.take(account_id) > 0
        else:
            client = client_key(address)
            who, is_over = RefusedClient(address=client), self._clients.take(client) > 0 or self._all_clients.take("") > 0
        if is_over:
            with self._lock:
                key = who if who in self._counts or len(self._counts) < MOST_COUNTED else RefusedClient()
                self._counts[key] = self._counts.get(key, 0) + 1
        return not is_over

    def take_counts(self) -> list[tuple[RefusedClient, int]]:
        """The counts since the last call: the largest ones, and the sum of the others."""
        with self._lock:
            counts, self._counts = self._counts, {}
        rest = counts.pop(RefusedClient(), 0)
        largest = sorted(counts.items(), key=lambda item: item[1], reverse=True)
        rest += sum(count for _, count in largest[MOST_ENTRIES:])
        return largest[:MOST_ENTRIES] + ([(RefusedClient(), rest)] if rest else [])
