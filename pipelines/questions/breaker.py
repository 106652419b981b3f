"""A circuit breaker: after several failures in a row a server is left alone for a while, so that it delays nothing else."""

from __future__ import annotations

import time
from functools import cache

MOST_IN_A_ROW = 3
REST_S = 300.0  # afterwards one more failure opens it again


class Breaker:
    """Counts the failures in a row of one server."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._opened_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests must not be sent now."""
        return self._opened_at is not None and time.monotonic() - self._opened_at < REST_S

    def succeeded(self) -> None:
        """Note a response."""
        self._in_a_row, self._opened_at = 0, None

    def failed(self) -> None:
        """Note a failure."""
        self._in_a_row += 1
        if self._in_a_row >= MOST_IN_A_ROW:
            self._opened_at = time.monotonic()


@cache
def breaker_of(url: str) -> Breaker:
    """The circuit breaker of a server, shared by all batches of this process."""
    return Breaker()
