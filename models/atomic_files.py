"""Atomic file writes: a reader sees the old or the new content, never a part of it, even after a crash."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models import private_files


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file by way of a temporary one beside it. Raises OSError when the disk fails; the old file is unchanged.

    The temporary file is locked, so that one whose writer was killed can be detected: see `remove_if_left`. Without `durable` a file
    may be lost in a power failure: for many files that can be rebuilt.
    """
    while not _moved_into_place(path, content, durable):
        pass  # another writer of the same file took the new temporary file for an abandoned one, just before it was locked


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside a file, with its suffix; it replaces the file unless the block raises an error. Raises OSError."""
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
    """Replace a file by a finished temporary file of the same folder, durably. Raises OSError."""
    _flush(part)
    os.replace(part, path)
    _flush(path.parent)


def remove_if_left(part: Path) -> None:
    """Remove a temporary file whose writer is dead: a live writer holds its lock."""
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
    """Flush the content of a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
