"""The read-only copy of a file-based warehouse."""

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
    """Copy a file that is not being written; readers see either the old copy or the new one, complete, whatever happens meanwhile.

    A copy has the modification time of its source: the files are compared only where time or size differ, and identical content is not
    copied again. Raises TransientError when the disk fails; the previous copy is then still in place.
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
            f"The copy for readers, {target}, could not be written: {error.strerror}. The previous copy is unchanged."
        ) from error


def _copy_bytes(old: BinaryIO, new: BinaryIO) -> None:
    """Let the file system copy, which shares blocks where it can (XFS, Btrfs), or copy byte by byte."""
    try:
        while os.copy_file_range(old.fileno(), new.fileno(), 1 << 20):
            pass
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
