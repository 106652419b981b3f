"""The sample rate at which all sound is decoded and every model listens."""

from __future__ import annotations

RATE_HZ = 16_000
