"""Rate limits: token buckets for a bounded number of keys, and the limits of the web application."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache

from pipelines.app_db.addresses import network_of

MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may happen: `burst` times at once, and `per_s` times a second on average."""

    burst: float
    per_s: float


class RateLimiter:
    """A token bucket for each key; safe to share between threads.

    It remembers the `most_keys` keys that were used last, so its memory is bounded whoever asks. A key that was dropped starts anew with a full bucket.
    """

    def __init__(self, rate: Rate, most_keys: int = MOST_KEYS, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._most_keys = most_keys
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def take(self, key: Hashable) -> float:
        """Take one token: 0 when there was one, else the seconds until there is one; a refused request takes nothing."""
        with self._lock:
            now = self._clock()
            tokens, at = self._buckets.pop(key, (self.rate.burst, now))
            tokens = min(self.rate.burst, tokens + (now - at) * self.rate.per_s)
            wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self.rate.per_s
            self._buckets[key] = (tokens if wait_s else tokens - 1, now)
            if len(self._buckets) > self._most_keys:
                self._buckets.popitem(last=False)
            return wait_s

    def __len__(self) -> int:
        return len(self._buckets)


@dataclass(frozen=True, slots=True)
class Limits:
    """The rate limits of the web application."""

    anonymous: Rate = Rate(burst=400, per_s=10)  # requests without a session, for each client; a whole office may sign in at once
    exports: Rate = Rate(burst=20, per_s=1 / 30)  # files taken away (workbooks, PDFs, packs, evidence), for each account
    refusals: Rate = Rate(burst=300, per_s=1 / 10)  # audit entries on refused requests, for each account
    anonymous_refusals: Rate = Rate(burst=30, per_s=1 / 60)  # the same without a session, for each client
    all_anonymous_refusals: Rate = Rate(burst=1000, per_s=1 / 10)  # the same for all clients together


@lru_cache(maxsize=4096)
def client_key(address: str) -> str:
    """What the limits of a client count by: its network (see `network_of`); of what is no address only the beginning, so that it cannot fill the memory."""
    return network_of(address)[:64]
