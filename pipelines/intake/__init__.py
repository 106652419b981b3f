"""Intake: call logs and recordings, from a folder or fetched into one first. One module per source."""

from __future__ import annotations

from pathlib import Path

from pipelines.core.settings import Settings
from pipelines.intake import object_store, sftp


def fetch(settings: Settings) -> Path:
    """The folder to grade: `recordings`, or the inbox once everything at `source` has been copied into it.

    Raises MisconfiguredError where a person must act, TransientError where a retry may help; files fetched before are not fetched again.
    """
    if settings.source is None:
        return settings.recordings
    pull = sftp.pull if settings.source.startswith("sftp://") else object_store.pull
    pull(settings.source, settings.inbox)
    return settings.inbox
