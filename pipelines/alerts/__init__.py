"""Alerts: what somebody must know soon, told once by e-mail or webhook, with ids, counts and a link and nothing personal."""

from __future__ import annotations

from pipelines.alerts.delivery import DeliveryReport, run, try_channels

__all__ = ["DeliveryReport", "run", "try_channels"]
