"""Fetches a day's recordings and call log from an object store (S3 and compatible, or any URL that fsspec opens)."""

from __future__ import annotations

import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from models import private_files
from pipelines.intake.inbox import keep, network_errors

LOGGER = logging.getLogger("callgrade")


def pull(url: str, inbox: Path, **options: Any) -> list[Path]:
    """The files under `url`, now in `inbox` with the same layout, sorted: the input of `read_folder`.

    Args:
        url: a prefix such as `s3://recordings/irkutsk/2024-10-21`; `s3` needs the package s3fs, `gs` gcsfs, `az` adlfs.
        inbox: a folder, created when missing. Files that exist with the same size are not fetched again.
        options: passed on by fsspec, such as `endpoint_url`; credentials come from the store's usual configuration.

    Raises MisconfiguredError where a person must act (address, credentials, a missing package), TransientError where a retry may help.
    """
    inbox = Path(inbox)
    private_files.make_folder(inbox)
    with network_errors(url):
        store, root = fsspec.core.url_to_fs(url, **options)
        found = {key: info for key, info in store.find(root, detail=True).items() if not key.endswith("/")}
        if not found:
            raise FileNotFoundError(url)
        paths = []
        for n, (key, info) in enumerate(sorted(found.items()), start=1):
            relative = key.removeprefix(root.rstrip("/")).lstrip("/") or key.rsplit("/", 1)[-1]
            LOGGER.info("pull %d/%d %s", n, len(found), relative)
            paths.append(keep(inbox, relative, info.get("size"), partial(_copy, store, key)))
    return [path for path in paths if path]


def _copy(store: Any, key: str, stream: BinaryIO) -> None:
    with store.open(key, "rb") as source:
        shutil.copyfileobj(source, stream, 1 << 20)
