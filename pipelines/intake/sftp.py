"""Fetches a day's recordings and call log from an SFTP server, which most telephone exchanges can upload to."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from models import private_files
from pipelines.core.errors import MisconfiguredError
from pipelines.intake.inbox import keep, network_errors

LOGGER = logging.getLogger("callgrade")
_TIMEOUT_S = 30.0


def pull(url: str, inbox: Path, key_file: Path | None = None, known_hosts: Path | None = None) -> list[Path]:
    """The files under `url`, now in `inbox` with the same layout, sorted: the input of `read_folder`.

    Args:
        url: such as `sftp://callgrade@exchange.example:22/records/2024-10-21`; the path is absolute.
        inbox: a folder, created when missing. Files that exist with the same size are not fetched again.
        key_file: a private key; without it the user's ssh agent and keys are tried, or the password in the url.
        known_hosts: a file with the server's key, besides the user's own. A server in neither is refused: recordings must only be
            fetched from a known server.

    Raises MisconfiguredError where a person must act (address, keys, a missing package), TransientError where a retry may help.
    """
    try:
        import paramiko
    except ImportError as error:
        raise MisconfiguredError("Pulling from SFTP needs the package paramiko; install it beside callgrade.") from error
    parts = urlsplit(url)
    if parts.scheme != "sftp" or not parts.hostname:
        raise MisconfiguredError(f"{_without_password(url)} is not an SFTP address; write sftp://user@host:22/path.")
    inbox = Path(inbox)
    private_files.make_folder(inbox)
    client = paramiko.SSHClient()
    with network_errors(_without_password(url)):
        try:
            client.load_system_host_keys()
            if known_hosts:
                client.load_host_keys(str(known_hosts))
            client.set_missing_host_key_policy(_RefuseUnknown())
            client.connect(
                parts.hostname,
                parts.port or 22,
                unquote(parts.username) if parts.username else None,
                unquote(parts.password) if parts.password else None,
                key_filename=str(key_file) if key_file else None,
                timeout=_TIMEOUT_S,
                banner_timeout=_TIMEOUT_S,
                auth_timeout=_TIMEOUT_S,
            )
            server = client.open_sftp()
            root = PurePosixPath(unquote(parts.path) or "/")
            found = sorted(_files(server, root))
            paths = []
            for n, (path, size_bytes) in enumerate(found, start=1):
                relative = str(path.relative_to(root))
                LOGGER.info("pull %d/%d %s", n, len(found), relative)
                paths.append(keep(inbox, relative, size_bytes, partial(_copy, server, str(path))))
        finally:
            client.close()
    return [path for path in paths if path]


class _RefuseUnknown:
    """Refuses a server with an unknown key, with instructions."""

    def missing_host_key(self, _client: object, hostname: str, key: Any) -> None:
        raise MisconfiguredError(
            f"The SFTP server {hostname} is not known ({key.get_name()} {key.fingerprint}); "
            "verify that key with the server's administrator and add it to known_hosts."
        )


def _files(server: Any, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, int]]:
    for entry in server.listdir_attr(str(folder)):
        mode = entry.st_mode or 0
        if stat.S_ISDIR(mode):
            yield from _files(server, folder / entry.filename)
        elif stat.S_ISREG(mode):
            yield folder / entry.filename, int(entry.st_size)


def _copy(server: Any, path: str, stream: BinaryIO) -> None:
    server.getfo(path, stream)


def _without_password(url: str) -> str:
    """The address without its password."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", "@") if parts.password else url
