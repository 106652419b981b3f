"""Alerts: urgent conditions reported once by e-mail or webhook, with ids, counts and a link, and no personal data."""

from __future__ import annotations

from pipelines.alerts.delivery import DeliveryReport, run, try_channels

__all__ = ["DeliveryReport", "run", "try_channels"]
