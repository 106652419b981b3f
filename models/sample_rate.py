"""The sample rate at which all audio is decoded and all models run."""

from __future__ import annotations

RATE_HZ = 16_000
