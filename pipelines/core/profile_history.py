"""The version of a centre's profile that is in force on a day.

`ID.yaml` is the newest version. Once a version was activated, the folder `ID.versions` beside it holds every activated version as
`VERSION.yaml`, and their log, `history.yml`: each entry puts a version in force for a span of days, and the latest entry that covers a
day counts. Where there is no such folder, `ID.yaml` applies to every call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipelines.core.errors import MisconfiguredError
from pipelines.core.validation import FileModel
from pipelines.core.yaml_lines import entries, read_model, read_yaml

FOLDER = ".versions"  # after the id of the centre
LOG = "history.yml"  # no version is named so: their files end in .yaml


class Entry(FileModel):
    """A version put in force: from a day on, or for a span that was regraded."""

    version: str
    """The version of the scorecard."""
    kind: Literal["activation", "undo", "by_hand", "regrade"] = "activation"
    """How it came into force; `by_hand` is a version written without the editor."""
    first_day: date | None = None
    """The first local day of the centre; omitted: every day."""
    last_day: date | None = None
    """The last local day; omitted: until a later entry."""
    at: datetime | None = None
    """When that was decided."""
    by: str = ""
    """The account that decided it."""
    requested_by: str = ""
    """Of a regrade: the account that requested it."""

    def covers(self, day: date) -> bool:
        """Whether the entry applies to a day."""
        return (self.first_day is None or self.first_day <= day) and (self.last_day is None or day <= self.last_day)


class History(FileModel):
    """The log of a centre's profile, oldest entry first."""

    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """What a profile's file says about itself; a wrong value is reported where the profile is loaded, not here."""

    version: str
    effective_from: date | None
    timezone: ZoneInfo


def in_force(path: Path, day: date | None) -> Path:
    """The file of the version in force on a local day of the centre, given the file of its newest version.

    Calls without a day are judged by the newest version. Raises MisconfiguredError when the file of an earlier version is missing.
    """
    log = history(path) if day is not None else ()
    if day is None or not log:
        return path
    version = next((entry.version for entry in reversed(log) if entry.covers(day)), log[0].version)
    return file_of(path, version)


def file_of(path: Path, version: str) -> Path:
    """The file of a version. Raises MisconfiguredError when it is missing."""
    if version == facts(path).version:
        return path
    found = archived(path, version)
    if not found.is_file():
        raise MisconfiguredError(
            f"{found} is missing: {path.parent / folder_of(path).name / LOG} says that version {version!r} judges some days. "
            "Restore it from a copy, or from the version control of the folder."
        )
    return found


def history(path: Path) -> tuple[Entry, ...]:
    """The log of a profile, oldest first, with an entry for a version that was written by hand since; empty where nothing was activated."""
    log = folder_of(path) / LOG
    try:
        status = log.stat()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    found = _read_log(log, status.st_mtime_ns, status.st_size)
    newest, last = facts(path), next((entry for entry in reversed(found) if entry.kind != "regrade"), None)
    if last is None or last.version != newest.version:
        found = (*found, Entry(version=newest.version, kind="by_hand", first_day=newest.effective_from))
    return found


def facts(path: Path) -> ProfileFacts:
    """Version, effective date and time zone as a profile's file gives them. Raises MisconfiguredError when it is not YAML."""
    status = path.stat()
    return _read_facts(path, status.st_mtime_ns, status.st_size)


def folder_of(path: Path) -> Path:
    """The folder of the versions of a profile."""
    return path.with_name(path.stem + FOLDER)


def archived(path: Path, version: str) -> Path:
    """The file that keeps a version of a profile."""
    return folder_of(path) / f"{quote(version, safe='')}.yaml"


def known_versions(log: Sequence[Entry]) -> list[str]:
    """The versions in a log, each once, in the order of their activation."""
    return list(dict.fromkeys(entry.version for entry in log))


@cache
def _read_log(path: Path, mtime_ns: int, size_bytes: int) -> tuple[Entry, ...]:
    return read_model(path, History).entries


@cache
def _read_facts(path: Path, mtime_ns: int, size_bytes: int) -> ProfileFacts:
    top = entries(read_yaml(path))
    card = entries(top.get("scorecard"))

    def value(named: object) -> str:
        return str(getattr(named, "value", ""))

    try:
        day = date.fromisoformat(value(card.get("effective_from")))
    except ValueError:
        day = None
    try:
        zone = ZoneInfo(value(top.get("timezone")))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    return ProfileFacts(value(card.get("version")), day, zone)
