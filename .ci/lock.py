"""Writes the lock files in requirements/: every package at one version, with the sha256 of each of its files. Run by `make lock`.

    make lock                                  pin what pyproject.toml requires; locked versions stay
    make lock ARGS="--upgrade-package duckdb"  upgrade one package
    make lock ARGS=--upgrade                   the newest versions of all

uv resolves for Linux and macOS at once. torch has separate files, because one version has two builds: `torch-cpu.txt` is the CPU
build, which only some package indexes have; `torch.txt` is the build of every index, with the CUDA libraries that it loads on Linux.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "requirements"
PACKAGES, TORCH, TORCH_CPU = LOCKS / "packages.txt", LOCKS / "torch.txt", LOCKS / "torch-cpu.txt"
HEADER = "# Written by `make lock` (.ci/lock.py); do not edit.\n"
_CUDA = re.compile(r"(nvidia|cuda)-|triton$")  # needed only by the CUDA build of torch
_PYTHON = {
    "python_version": "3.11",
    "python_full_version": "3.11.9",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
_LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
_MACOS = {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"}
TARGETS = (
    _PYTHON | _LINUX | {"platform_machine": "x86_64"},
    _PYTHON | _LINUX | {"platform_machine": "aarch64"},
    _PYTHON | _MACOS | {"platform_machine": "arm64"},
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock file."""

    name: str
    version: str
    marker: str  # empty: on every target
    hashes: tuple[str, ...]  # sha256 of every file of this version, sorted

    def __str__(self) -> str:
        head = f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")
        return " \\\n".join([head, *(f"    --hash=sha256:{h}" for h in self.hashes)]) + "\n"


def read(text: str) -> list[Pin]:
    """The pins of a lock file that at least one target installs; a marker that holds on every target is left out."""
    pins = []
    for entry in re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=sha256:", entry.strip())
        name, version, marker = re.fullmatch(r"([\w.-]+)==([\w.!+]+)(?: ?; ?(.*))?", requirement).groups("")  # type: ignore[union-attr]
        holds = [not marker or Marker(marker).evaluate(target) for target in TARGETS]
        if any(holds):
            pins.append(Pin(name, version, "" if all(holds) else marker, tuple(sorted(hashes))))
    return pins


def resolve(arguments: list[str]) -> list[Pin]:
    """The pins that uv resolves from pyproject.toml, with all extras; locked versions stay unless the arguments say otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lock.txt"
        out.write_text("".join(file.read_text(encoding="utf-8") for file in (PACKAGES, TORCH) if file.exists()), encoding="utf-8")
        command = ["uv", "pip", "compile", "pyproject.toml", "--all-extras", "--universal", "--python-version", "3.11", "--generate-hashes"]
        command += ["--no-annotate", "--no-header", "--quiet", "--output-file", str(out), *arguments]
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return read(out.read_text(encoding="utf-8"))


def cpu_build(version: str) -> Pin | None:
    """The CPU build of torch for Linux on x86_64, with its hash from pip's package index; None where the index has none."""
    wanted = f"torch=={version}+cpu"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet", "--report", "-", wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    sha256 = json.loads(done.stdout)["install"][0]["download_info"]["archive_info"]["hashes"]["sha256"]
    return Pin("torch", f"{version}+cpu", "sys_platform == 'linux' and platform_machine == 'x86_64'", (sha256,))


def main(arguments: list[str]) -> int:
    """Write the three files; exit status 1, without writing, when torch changed and no CPU build of it can be found."""
    pins = resolve(arguments)
    is_torch = {pin.name: pin.name == "torch" or bool(_CUDA.match(pin.name)) for pin in pins}
    version = next(pin.version for pin in pins if pin.name == "torch")
    locked = read(TORCH_CPU.read_text(encoding="utf-8")) if TORCH_CPU.exists() else []
    cpu = next((pin for pin in locked if pin.version == f"{version}+cpu"), None) or cpu_build(version)
    if cpu is None:
        print(
            f"lock: pip's package index has no torch {version}+cpu. Configure pip with an index that has it, and run make lock again.",
            file=sys.stderr,
        )
        return 1
    _write(PACKAGES, [pin for pin in pins if not is_torch[pin.name]])
    _write(TORCH, [pin for pin in pins if is_torch[pin.name]])
    _write(TORCH_CPU, [cpu])
    return 0


def _write(file: Path, pins: list[Pin]) -> None:
    text = HEADER + "".join(map(str, pins))
    if not file.exists() or file.read_text(encoding="utf-8") != text:  # make installs again after a lock file was written
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
