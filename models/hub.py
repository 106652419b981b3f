"""Models from the Hugging Face Hub: the pinned commit of a repository, every file verified by sha256.

The registry pins the commit of each repository, and the sha256 of the files whose sha256 was published. The sha256 of any other file is
recorded at the first fetch, in `<commit>.sha256` beside the snapshot (the format of sha256sum): trust on first use. From then on a
change is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from models import atomic_files
from models.registry import ChangedWeightsError, MissingWeightsError, ModelEntry, check_file, load_registry, models_of, quiet, sha256_of


def folder(models_dir: Path, model: ModelEntry) -> Path | None:
    """The snapshot of the pinned commit, or None when it does not exist or lacks a file of `hub_files` or of `sha256`."""
    place = _repository(models_dir, model) / "snapshots" / (model.revision or "")
    return place if place.is_dir() and all((place / name).is_file() for name in {*model.hub_files, *model.sha256}) else None


def record(models_dir: Path, model: ModelEntry) -> Path:
    """The file with the sha256 of the fetched files that are not in the registry."""
    return _repository(models_dir, model) / f"{model.revision}.sha256"


def recorded(models_dir: Path, model: ModelEntry) -> dict[str, str]:
    """The recorded sha256 by file name; empty before the first fetch."""
    path = record(models_dir, model)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}


def verified(models_dir: Path, model: ModelEntry) -> Path:
    """The snapshot, with every file in it verified; downloads nothing.

    Raises:
        MissingWeightsError: not installed, or never recorded; the message has the command to run, and the profile that needs no hub.
        ChangedWeightsError: a file is not the pinned or recorded one.
    """
    place = folder(models_dir, model)
    known = recorded(models_dir, model) | dict(model.sha256)
    missing = [] if place is None else sorted(known.keys() - _files(place))
    if place is None or missing:
        expected = _repository(models_dir, model) / "snapshots" / (model.revision or "") / (missing[0] if missing else "")
        raise MissingWeightsError(f"{model.name} is not installed: {expected} is missing. {fetch_advice(model)}")
    if not record(models_dir, model).is_file():
        raise MissingWeightsError(f"{model.name}: the files in {place} were never recorded. {fetch_advice(model)}")
    for name in sorted(_files(place)):
        _check(models_dir, model, place / name, known.get(name))
    return place


def fetch(models_dir: Path, model: ModelEntry, say: Callable[[str], None]) -> bool:
    """Download the pinned commit unless it is installed, check its files, and record those that are not in the registry.

    Returns whether anything was missing before. Files that were copied here are recorded even when the hub cannot be reached.

    Raises:
        MissingWeightsError: the hub did not provide it.
        ChangedWeightsError: a file is not the pinned or recorded one.
    """
    place = folder(models_dir, model)
    known = recorded(models_dir, model) | dict(model.sha256)
    is_new = place is None or bool(known.keys() - _files(place))
    is_first = not record(models_dir, model).is_file()
    if place is None or is_new or is_first:  # also at the first fetch with files present: a download may have been interrupted
        say(f"Models: downloading {model.hub_id} at {model.revision}")
        try:
            place = _download(models_dir, model)
        except MissingWeightsError:
            if place is None or is_new:
                raise
            say(f"Models: the hub cannot be reached; {model.name} is used as it was copied to {place}")
    for name in sorted(_files(place) & known.keys() if is_first else _files(place)):
        _check(models_dir, model, place / name, known.get(name))
    if is_first:
        new = {name: sha256_of(place / name) for name in _files(place) - known.keys()}
        _write(record(models_dir, model), new)
        if new:
            say(
                f"Models: {model.name}: the registry has no sha256 of {', '.join(sorted(new))}. Recorded in {record(models_dir, model)}; "
                "a later change is refused."
            )
    return is_new


def _check(models_dir: Path, model: ModelEntry, file: Path, sha256: str | None) -> None:
    if sha256 is None:
        raise ChangedWeightsError(
            f"{file} was not among the files of {model.name} at the first fetch. Remove it; or, if it belongs there, "
            f"remove {record(models_dir, model)} and fetch again."
        )
    check_file(file, sha256, model.name)


def fetch_advice(model: ModelEntry) -> str:
    """The advice for a missing hub model."""
    profile = next((p for p in load_registry().profiles if model.name in {m.name for m in models_of(p)}), "PROFILE")
    return f"Fetch it with `callgrade models --profile {profile} --fetch` (HF_TOKEN set), or use `--profile offline`, which needs no hub."


def _download(models_dir: Path, model: ModelEntry) -> Path:
    quiet()
    try:
        from huggingface_hub import snapshot_download

        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # our own message covers its retries
        wanted = list(model.hub_files) or None  # a repository may have one model in many sizes
        return Path(snapshot_download(str(model.hub_id), revision=model.revision, cache_dir=models_dir / "hub", allow_patterns=wanted))
    except Exception as error:
        raise MissingWeightsError(
            f"{model.name} ({model.hub_id}) is not installed and could not be downloaded from the model hub ({type(error).__name__}). "
            "Work without the hub with `--profile offline`, or set HF_TOKEN on a machine that can reach the hub and try again."
        ) from error


def _repository(models_dir: Path, model: ModelEntry) -> Path:
    return models_dir / "hub" / f"models--{(model.hub_id or '').replace('/', '--')}"


def _files(place: Path) -> set[str]:
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


def _write(path: Path, known: Mapping[str, str]) -> None:
    atomic_files.write(path, "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(known.items())).encode())
