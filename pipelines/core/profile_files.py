"""The files of centre profiles: the packaged ones, and those of a folder outside the package (`CALLGRADE_CENTRES`).

A profile outside replaces a packaged one of the same id. Which of its versions judges a call depends on the call's day, see
`profile_history`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Protocol, TypeAlias

from pipelines.core import profile_history
from pipelines.core.settings import ROOT, centres_folder

PACKAGED = "pipelines/centres/packaged"  # below the repository
OUTSIDE = "centres"  # how the names of profiles begin in stored digests, wherever the file is
SUFFIX = ".yaml"
CentreDay: TypeAlias = tuple[str, date | None]  # a centre, and a local day of it; None where a call has no start time


class HasStart(Protocol):
    """A call: its centre, and when it began."""

    @property
    def centre_id(self) -> str: ...

    @property
    def started_at(self) -> datetime | None: ...


def centre_ids() -> list[str]:
    """The ids of all centres with a profile, sorted."""
    return sorted({path.stem for folder in _folders(ROOT) for path in folder.glob(f"*{SUFFIX}")})


def profile_file(centre_id: str, root: Path = ROOT, day: date | None = None) -> Path | None:
    """The file of a centre's profile: the version in force on a local day, or the newest one; None for a centre without a profile.

    Raises MisconfiguredError as `profile_history.in_force` does.
    """
    if Path(centre_id).name != centre_id:  # an id from a call log is not a path
        return None
    newest = next((path for folder in _folders(root) if (path := folder / f"{centre_id}{SUFFIX}").is_file()), None)
    return None if newest is None else profile_history.in_force(newest, day)


def centre_day(call: HasStart) -> CentreDay:
    """The centre of a call, and its day in the centre's time zone."""
    path = profile_file(call.centre_id) if call.started_at is not None else None
    if path is None or call.started_at is None:
        return call.centre_id, None
    return call.centre_id, call.started_at.astimezone(profile_history.facts(path).timezone).date()


def centre_days(calls: Iterable[HasStart]) -> set[CentreDay]:
    """The centres of some calls with their days: what decides which profiles judge them."""
    return {centre_day(call) for call in calls}


def named_files(centres: Collection[str | CentreDay] | None, root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """The profiles of these centres and days (None: the newest of all), each with its name in stored digests.

    All versions of a centre have the same name, and a profile keeps its name when it moves out of the package.
    """
    wanted = centre_ids() if centres is None else centres
    for centre_id, day in sorted({(one, None) if isinstance(one, str) else one for one in wanted}, key=str):
        path = profile_file(centre_id, root, day)
        if path is not None:
            yield f"{OUTSIDE}/{centre_id}{SUFFIX}", path


def _folders(root: Path) -> list[Path]:
    outside = centres_folder()
    return [*([outside] if outside is not None else []), root / PACKAGED]
