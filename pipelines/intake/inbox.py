"""Copies files from a network source into an inbox folder, each atomically and only once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from models import atomic_files, private_files
from pipelines.core.errors import CallgradeError, MisconfiguredError, TransientError
from pipelines.intake.recordings import leaves_folder

LOGGER = logging.getLogger("callgrade")


def keep(inbox: Path, relative: str, size_bytes: int | None, fill: Callable[[BinaryIO], object]) -> Path | None:
    """The file in the inbox, fetched unless one of this size exists; None for a name that points outside the inbox.

    `fill` writes the content. It goes to `<name>.part` first, so an interrupted pull leaves no partial recording and can simply be
    repeated. Raises TransientError when the size differs from the one that the source reported.
    """
    if leaves_folder(relative) or not relative.strip("/"):
        LOGGER.warning("pull: %r is skipped, its name points outside the inbox", relative)
        return None
    path = inbox / relative
    if path.is_file() and path.stat().st_size == size_bytes:
        return path
    private_files.make_folder(path.parent)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        fill(stream)
        came = stream.tell()
    if size_bytes is not None and came != size_bytes:
        raise TransientError(f"{relative}: {came} of {size_bytes} bytes received; pull again.")
    atomic_files.put_in_place(part, path)
    return path


@contextmanager
def network_errors(url: str) -> Iterator[None]:
    """Convert the errors of network libraries to errors that say whether a retry can help."""
    try:
        yield
    except CallgradeError:
        raise
    except ImportError as error:
        raise MisconfiguredError(f"{url} needs a package that is not installed ({error}); install it beside callgrade.") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MisconfiguredError(f"There is nothing at {url}; check the address and the day.") from error
    except PermissionError as error:
        raise MisconfiguredError(f"{url} denies access; check the credentials and their permissions.") from error
    except Exception as error:
        name = type(error).__name__
        if any(word in name for word in ("Credential", "Auth", "HostKey", "NoSuchBucket")) or isinstance(error, ValueError):
            raise MisconfiguredError(f"{url} cannot be opened ({name}: {error}); check the address and the credentials.") from error
        raise TransientError(f"{url} failed temporarily ({name}: {error}); no partial files remain, pull again.") from error
