"""Rate limit for log lines that a client can cause, so that repeated messages do not fill the disk."""

from __future__ import annotations

import logging
import threading

from pipelines.app_db.rate_limit import Rate, RateLimiter

RATE = Rate(burst=20, per_s=1 / 10)  # lines of one message


class RepeatFilter(logging.Filter):
    """Drops a message that is repeated too often, whatever its values; its next written line reports how many were dropped."""

    def __init__(self, rate: Rate = RATE) -> None:
        super().__init__()
        self._limiter = RateLimiter(rate, most_keys=1000)
        self._lock = threading.Lock()
        self._dropped: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if record.levelno >= logging.CRITICAL:
            return True
        key = str(record.msg)[:200]
        is_over = self._limiter.take(key) > 0
        with self._lock:
            if is_over:
                if key in self._dropped or len(self._dropped) < 1000:
                    self._dropped[key] = self._dropped.get(key, 0) + 1
                return False
            dropped = self._dropped.pop(key, 0)
        if dropped:
            record.msg = f"{record.getMessage()} ({dropped} more like this were dropped)"
            record.args = ()
        return True
