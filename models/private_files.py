"""File permissions: only Callgrade's own user can read what it writes, or its group as well where CALLGRADE_UMASK allows it.

Every entry point calls `apply_umask` before it writes anything. Files created with an explicit mode, such as a folder or a temporary
file that is moved into place, take it from here. `tighten` corrects files that were written earlier, or copied here, with wider modes.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from models.registry import ModelError

SETTING = "CALLGRADE_UMASK"
UMASKS = (
    0o077,  # the default: only the user that runs Callgrade
    0o027,  # the group may read
    0o007,  # the group may read and write
)
log = logging.getLogger("callgrade")


class UmaskError(ModelError):
    """CALLGRADE_UMASK is not one of the umasks that exclude other users."""


def umask() -> int:
    """The umask of every process of Callgrade. Raises UmaskError when CALLGRADE_UMASK is not in `UMASKS`."""
    given = os.environ.get(SETTING) or "077"
    try:
        return UMASKS[UMASKS.index(int(given, 8))]
    except ValueError:
        raise UmaskError(
            f"{SETTING} is {given!r}; it must be 077 (only the user that runs Callgrade reads its files), 027 (its group reads them as well) "
            "or 007 (its group reads and writes them)."
        ) from None


def apply_umask() -> None:
    """Make all files that this process and its children create private; called by every entry point. Raises UmaskError as `umask` does."""
    os.umask(umask())


def file_mode() -> int:
    """The mode of a new file."""
    return 0o666 & ~umask()


def folder_mode() -> int:
    """The mode of a new folder."""
    return 0o777 & ~umask()


def make_folder(path: Path, *, for_group: bool = True) -> Path:
    """Make a folder where it is missing, with its missing parents, none accessible to other users.

    Without `for_group` it is closed to the group as well, whatever the setting. Raises OSError as `Path.mkdir` does.
    """
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(folder_mode() if for_group else 0o700, exist_ok=True)
    return path


def tighten(*places: Path) -> None:
    """Remove the permissions that `umask` withholds from these files and folders and everything in the folders; links are not followed.

    A folder is searched only where the folder itself or a direct entry of it is too open. The numbers of changed files, and of files of
    another user that could not be changed, are logged.
    """
    withheld = umask()
    for place in places:
        if not any(_is_open(path, withheld) for path in _with_children(place)):
            continue
        changed = refused = 0
        for path in _all_in(place):
            if _is_open(path, withheld):
                try:
                    os.chmod(path, stat.S_IMODE(path.lstat().st_mode) & ~withheld)
                    changed += 1
                except FileNotFoundError:
                    continue  # removed meanwhile
                except PermissionError:
                    refused += 1
        if changed:
            log.info("%s: %d files and folders were accessible to other users of this machine; corrected", place, changed)
        if refused:
            log.warning(
                "%s: %d files and folders belong to another user and are accessible to others; change their modes as that user",
                place,
                refused,
            )


def _is_open(path: Path, withheld: int) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & withheld)


def _with_children(place: Path) -> Iterator[Path]:
    yield place
    if place.is_dir() and not place.is_symlink():
        yield from place.iterdir()


def _all_in(place: Path) -> Iterator[Path]:
    yield place
    if not place.is_symlink():
        for folder, folders, files in os.walk(place):
            yield from (Path(folder, name) for name in (*folders, *files))
