"""Files that a reader finds old or new, never in part, whatever happens while they are written."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models import private_files


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file by way of a temporary one beside it. Raises OSError when the disk fails; the old file is as it was.

    The temporary file is held by a lock, so that one whose writer was killed can be told: see `remove_if_left`. Without `durable` a file may be lost
    when the power fails: for many files that can be made again.
    """
    while not _moved_into_place(path, content, durable):
        pass  # another writer of the same file took the new temporary one for a dead one's, in the moment before it was locked


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside a file, with its suffix; what is written there takes the file's place unless an error is raised. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(private_files.file_mode())
        put_in_place(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def put_in_place(part: Path, path: Path) -> None:
    """Let a finished temporary file take the place of a file of the same folder, safe from a power failure. Raises OSError."""
    _flush(part)
    os.replace(part, path)
    _flush(path.parent)


def remove_if_left(part: Path) -> None:
    """Remove a temporary file whose writer is dead: a living one holds its lock."""
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink(missing_ok=True)
    except (BlockingIOError, FileNotFoundError):
        pass


def _moved_into_place(path: Path, content: bytes, durable: bool) -> bool:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not part.exists():
                return False
            os.fchmod(file.fileno(), private_files.file_mode())
            file.write(content)
            file.flush()
            (put_in_place if durable else os.replace)(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return True


def _flush(path: Path) -> None:
    """Have the disk keep the content of a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
