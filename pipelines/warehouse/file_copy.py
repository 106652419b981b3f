"""The read-only copy of a warehouse that is a file."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from models import atomic_files, private_files
from pipelines.core.errors import TransientError


def write(source: Path, target: Path) -> None:
    """Copy a file that nobody writes so that a reader finds the old copy or the new one, whole, whatever happens meanwhile.

    A copy bears the moment of what it copies: only where moment or size differ are the files read, and one that holds the same is left alone. Raises
    TransientError when the disk fails; the copy of before is still there.
    """
    if target.exists() and filecmp.cmp(source, target):
        return
    private_files.make_folder(target.parent)
    part = target.with_name(f".{target.name}.part")
    try:
        with source.open("rb") as old, part.open("wb") as new:
            _copy_bytes(old, new)
            moment = os.fstat(old.fileno())
            os.utime(new.fileno(), ns=(moment.st_atime_ns, moment.st_mtime_ns))
        atomic_files.put_in_place(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TransientError(
            f"The copy for readers, {target}, could not be written: {error.strerror}. The copy of before is still there."
        ) from error


def _copy_bytes(old: BinaryIO, new: BinaryIO) -> None:
    """By the file system, which shares the blocks of both files where it can (XFS, Btrfs), or else byte by byte."""
    try:
        while os.copy_file_range(old.fileno(), new.fileno(), 1 << 20):
            pass
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
