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
    """A rate limit: `burst` events at once, and `per_s` per second on average."""

    burst: float
    per_s: float


class RateLimiter:
    """A token bucket for each key; safe to share between threads.

    It stores the `most_keys` most recently used keys, which bounds its memory. A dropped key starts again with a full bucket.
    """

    def __init__(self, rate: Rate, most_keys: int = MOST_KEYS, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._most_keys = most_keys
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def take(self, key: Hashable) -> float:
        """Take one token: 0 on success, else the seconds until one is available; a refused request takes nothing."""
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

    anonymous: Rate = Rate(burst=400, per_s=10)  # requests without a session, per client; a whole office may sign in at once
    exports: Rate = Rate(burst=20, per_s=1 / 30)  # exported files (workbooks, PDFs, packs, evidence), per account
    refusals: Rate = Rate(burst=300, per_s=1 / 10)  # audit entries for refused requests, per account
    anonymous_refusals: Rate = Rate(burst=30, per_s=1 / 60)  # the same without a session, per client
    all_anonymous_refusals: Rate = Rate(burst=1000, per_s=1 / 10)  # the same for all clients together
    api: Rate = Rate(burst=120, per_s=5)  # requests of the read API, per token; below `anonymous`, which applies to them too


@lru_cache(maxsize=4096)
def client_key(address: str) -> str:
    """The rate limit key of a client: its network (see `network_of`); of any other value only the beginning, which bounds the memory."""
    return network_of(address)[:64]
