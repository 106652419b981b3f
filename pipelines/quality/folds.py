"""Cross-validation folds of the turn model by writer: `python -m pipelines.quality.folds FOLDER` fits the missing ones.

Each takes about half an hour on two cores. Calibration and every figure on held-out writers depend on them (`fit_combination`,
`fit_thresholds`, and `python -m pipelines.quality --folds FOLDER`).
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

from models.text.e5 import SOURCE_NAME, build_encoder
from models.text.loading import MODELS_DIR
from models.text.turn_model import TurnModel
from models.training.dialogues import FOLDER
from pipelines.quality.dialogue_calls import write_calls
from pipelines.quality.measured import RECOGNISED, REFERENCE, MeasuredVerdict, measured
from pipelines.quality.noise import misheard
from pipelines.quality.replay import JudgedCall, replay
from pipelines.score.calibration import OPEN, Calibration

FOLDS: Mapping[str, frozenset[int]] = {  # the writers of models/training/dialogues that each model has not seen
    "a": frozenset({1, 4, 6, 7, 11, 16, 20, 23, *range(30, 38), 59, 60}),
}
EPOCHS = 8  # there are fewer dialogues than in the fit of all writers
NOISES = (0.0, 0.12)  # shares of the words with recognition errors in measured dialogues


def add_folds(parser: argparse.ArgumentParser, is_required: bool = True) -> None:
    """The option `--folds FOLDER`."""
    parser.add_argument(
        "--folds", type=Path, required=is_required, metavar="FOLDER", help="folder of the models of `python -m pipelines.quality.folds`"
    )


def folds_in(folder: Path) -> Iterator[tuple[TurnModel, frozenset[int]]]:
    """Each model with the writers that it has not seen. Raises FileNotFoundError, with the command, where one is missing."""
    for name, writers in FOLDS.items():
        weights = folder / f"{name}.safetensors"
        if not weights.is_file():
            raise FileNotFoundError(f"{weights} is missing: run `python -m pipelines.quality.folds {folder}` first.")
        with tempfile.TemporaryDirectory() as built:
            yield TurnModel(build_encoder(MODELS_DIR / "multilingual-e5-small" / SOURCE_NAME, Path(built), weights), weights), writers


def judged_by_folds(folder: Path, noise: float) -> list[JudgedCall]:
    """The labelled dialogues of all held-out writers, each graded by a model that has not seen its writer; `noise` is the error rate."""
    return [one for model, writers in folds_in(folder) for one in _judged(model, writers, noise)]


def from_folds(folder: Path) -> list[MeasuredVerdict]:
    """Their verdicts without thresholds, at each of `NOISES`."""
    return [
        one
        for model, writers in folds_in(folder)
        for noise in NOISES
        for one in measured(_judged(model, writers, noise, OPEN), RECOGNISED if noise else REFERENCE)
    ]


def _judged(model: TurnModel, writers: Collection[int], noise: float, calibration: Calibration | None = None) -> list[JudgedCall]:
    with tempfile.TemporaryDirectory() as folder:
        calls = write_calls(FOLDER, Path(folder), writers)
        return replay(calls, calibration=calibration, add_errors=partial(misheard, rate=noise, draw=random.Random(1)), model=model)


def main() -> int:
    """Fit the missing models; the exit status is that of the fit."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.quality.folds", description="Fit turn models with held-out writers.")
    parser.add_argument("folder", type=Path, help="folder for the weights")
    given = parser.parse_args()
    for name, writers in FOLDS.items():
        out = given.folder / f"{name}.safetensors"
        if out.is_file():
            print(f"{out} exists already")
            continue
        command = [
            sys.executable,
            "-m",
            "models.training.train_turn_model",
            "--epochs",
            str(EPOCHS),
            "--out",
            str(out),
            "--leave-out",
            *map(str, sorted(writers)),
        ]
        code = subprocess.run(command, check=False).returncode  # a separate process frees its memory
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
