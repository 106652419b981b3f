"""The DuckDB warehouse: migrate, load, check, publish and forget. One process writes; readers use the published copy."""

from __future__ import annotations

from pipelines.warehouse.file import open_for_reading
from pipelines.warehouse.forgetting import erase_client, forget_before, reject_forgotten
from pipelines.warehouse.loading import already_graded, load
from pipelines.warehouse.publishing import CheckResult, ChecksFailedError, check, contents, publish

__all__ = [
    "CheckResult",
    "ChecksFailedError",
    "already_graded",
    "check",
    "contents",
    "erase_client",
    "forget_before",
    "load",
    "open_for_reading",
    "publish",
    "reject_forgotten",
]
