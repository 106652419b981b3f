from __future__ import annotations

import pytest

from pipelines.questions.breaker import breaker_of


@pytest.fixture(autouse=True)
def _no_server_is_remembered() -> None:
    """A port of this machine is used again by the next test's server."""
    breaker_of.cache_clear()
