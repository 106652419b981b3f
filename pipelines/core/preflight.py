"""Preflight checks for failures that are known before any work: missing models, an unwritable folder, a full disk.

Intake checks the call log, the centre and its profile, also before it reads recordings.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from models import installed, registry
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.remote import is_address, is_on_site
from pipelines.core.settings import Settings

LEAST_FREE_BYTES = 64 << 20  # besides a copy of the warehouse, which publishing writes beside the old one
_DUCKDB_MAGIC = slice(8, 12), b"DUCK"


def check(settings: Settings, *, job: str | None = None, verify_models: bool = True) -> None:
    """Raise what a run with these settings would fail with later; leaves no files behind.

    Args:
        settings: of the run.
        job: the only job that the run needs models for, such as `text` where transcripts are graded; all jobs when None.
        verify_models: also check the sha256 of the models; false only checks that their files exist.

    Raises:
        ModelError: a model of the profile is missing or changed; the message has the file and the command to run.
        MisconfiguredError: the warehouse cannot be written there, or is not a DuckDB file.
        TransientError: the disk has too little space.
    """
    check_models(settings, job=job, verify=verify_models)
    _check_language_model(settings)
    _check_warehouse(settings)
    copy_bytes = settings.warehouse.stat().st_size if settings.warehouse.exists() else 0
    for folder in (settings.warehouse.parent, settings.site):
        _check_folder(_nearest(folder), LEAST_FREE_BYTES + copy_bytes)


def check_models(settings: Settings, *, job: str | None = None, verify: bool = True) -> None:
    """Raise ModelError, with the file and the command to run, when a model of the profile or job is missing or (with `verify`) changed."""
    for model in registry.models_of(settings.profile) if job is None else [registry.entry(settings.profile, job)]:
        installed.weights(settings.models_dir, model, verify=verify)


def _check_language_model(settings: Settings) -> None:
    """Whether a server in another network is meant, and a folder of weights is there; names of servers are resolved when they are asked."""
    folder = settings.questions_weights
    if folder is not None and not (folder / "config.json").is_file():
        raise MisconfiguredError(
            f"{folder} has no config.json: CALLGRADE_QUESTIONS_WEIGHTS must be a folder with a language model (docs/questions.md)."
        )
    host = urlsplit(settings.questions_url or "").hostname
    if host and not settings.questions_outside and is_address(host) and not is_on_site(host):
        raise MisconfiguredError(
            f"CALLGRADE_QUESTIONS_URL names {host}, outside the private address space: masked texts of calls would leave the site. "
            "Use a server on the site's own network, or set CALLGRADE_QUESTIONS_OUTSIDE=true if that is meant."
        )


def _check_warehouse(settings: Settings) -> None:
    file = settings.warehouse
    if settings.lake is not None or not file.exists():
        return
    place, magic = _DUCKDB_MAGIC
    try:
        with file.open("rb") as stream:
            is_duckdb = stream.read(place.stop)[place] == magic
        with file.open("r+b"):
            pass
    except OSError as error:
        raise MisconfiguredError(
            f"The warehouse {file} cannot be opened for writing ({error.strerror}). Give a DuckDB file with --warehouse."
        ) from None
    if not is_duckdb:
        raise MisconfiguredError(f"The warehouse {file} is not a DuckDB file. Give another with --warehouse; it is created when missing.")


def _check_folder(folder: Path, least_free_bytes: int) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        raise MisconfiguredError(
            f"The folder {folder} cannot be written ({error.strerror}). Make it writable, or give another place with --warehouse."
        ) from None
    if free_bytes < least_free_bytes:
        raise TransientError(
            f"Only {free_bytes >> 20} MB are free in {folder}; a run needs {least_free_bytes >> 20} MB at least. Free some space and run it again."
        )


def _nearest(folder: Path) -> Path:
    """The folder itself, or its nearest existing parent."""
    return next(path for path in (folder, *folder.parents) if path.exists())
