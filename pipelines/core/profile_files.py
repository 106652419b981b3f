"""The files of centre profiles: the packaged ones, and those of a folder outside the package (`CALLGRADE_CENTRES`).

A profile outside replaces a packaged one of the same id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from pipelines.core.settings import ROOT, centres_folder

PACKAGED = "pipelines/centres/packaged"  # below the repository
SUFFIX = ".yaml"


def centre_ids() -> list[str]:
    """The ids of all centres with a profile, sorted."""
    return sorted({path.stem for folder in _folders(ROOT) for path in folder.glob(f"*{SUFFIX}")})


def profile_file(centre_id: str, root: Path = ROOT) -> Path | None:
    """The file of a centre's profile; None for a centre without one."""
    if Path(centre_id).name != centre_id:  # an id from a call log is not a path
        return None
    return next((path for folder in _folders(root) if (path := folder / f"{centre_id}{SUFFIX}").is_file()), None)


def named_files(centres: Collection[str] | None, root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """The profiles of these centres (None: of all), each with its name in stored digests, which has no path of this machine."""
    packaged = root / PACKAGED
    for centre_id in centre_ids() if centres is None else sorted(centres):
        path = profile_file(centre_id, root)
        if path is not None:
            yield (f"{PACKAGED}/{path.name}" if path.parent == packaged else f"centres/{path.name}"), path


def _folders(root: Path) -> list[Path]:
    outside = centres_folder()
    return [*([outside] if outside is not None else []), root / PACKAGED]
