"""Finds sentences that do the same thing as a few example sentences: a criterion, or a type of client, taught by "said like this".

A sentence encoder, fine-tuned on invented criteria with sentences that do or do not meet them
(`models.training.train_example_matcher`), puts sentences that do the same thing close together, in any of the four languages. The
similarities to the examples are turned into a probability by a logistic regression that was fitted to criteria held out of the
training, among sentences of whole calls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from models.text.e5 import build_encoder
from models.text.loading import MODELS_DIR, checked, source_of
from models.text.sentence_encoder import SentenceEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("example_matcher.safetensors")
FACTS = Path(__file__).with_name("example_matcher.yaml")  # what the weights were fitted to, their checksum, and the regression
FEATURES = ("nearest", "near", "unlike")
SAME = 0.9  # similarity from which a sentence is the counter-example itself in almost the same words
NEAR = 3  # examples whose mean similarity counts
_COMMA = re.compile(r"[,;:—–]+ ")
_LEAST_WORDS = 2  # of a clause


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of one criterion as unit vectors, [examples, width]; `unlike` may be empty."""

    like: Vectors
    unlike: Vectors


class ExampleMatcher(SentenceEncoder):
    """The sentence encoder and its calibration, on the CPU; the weights are loaded on first use.

    `folder` is the output of `models.text.e5.build_encoder`; `weights` gives the logistic regression: an offset, and a weight for each of
    `FEATURES`.
    """

    def __init__(self, folder: Path, weights: Mapping[str, float]) -> None:
        super().__init__(folder)
        self._weights = weights

    def examples(self, like: Sequence[str], unlike: Sequence[str] = ()) -> Examples:
        """Example sentences, prepared for `chances`."""
        vectors = self.vectors([*like, *unlike])
        return Examples(vectors[: len(like)], vectors[len(like) :])

    def chances(self, sentences: Sequence[str], examples: Examples) -> NDArray[np.float64]:
        """The probability (0 to 1) of each sentence that it, or a clause of it, does what the examples do."""
        found = self.features(sentences, examples)
        odds = self._weights["offset"] + found @ np.array([self._weights[name] for name in FEATURES])
        chances: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        if len(examples.unlike) and len(sentences):
            whole = self.vectors(sentences)
            to_unlike = (whole @ examples.unlike.T).max(1)
            chances[(to_unlike >= SAME) & (to_unlike > (whole @ examples.like.T).max(1))] = 0.0
        return chances

    def features(self, sentences: Sequence[str], examples: Examples) -> NDArray[np.float64]:
        """The `FEATURES` of each sentence, or of that clause of it that is most like the examples: [sentences, features]."""
        parts = [(n, part) for n, sentence in enumerate(sentences) for part in clauses(sentence)]
        of_parts = features(self.vectors([part for _, part in parts]), examples)
        found = np.full((len(sentences), len(FEATURES)), -1.0)
        for (n, _), row in zip(parts, of_parts, strict=True):
            if row[:2].sum() > found[n, :2].sum():
                found[n] = row
        return found


@cache
def get_example_matcher(profile: str = "offline", models_dir: Path = MODELS_DIR) -> ExampleMatcher:
    """The example matcher of a profile, loaded once per process; errors are those of `loading.get_turn_model`."""
    source, folder = source_of(profile, models_dir)
    tuned = checked(WEIGHTS, FACTS, "models.training.train_example_matcher")
    weights = yaml.safe_load(FACTS.read_text(encoding="utf-8"))["weights"]
    return ExampleMatcher(build_encoder(source, folder / "example_matcher", tuned), weights)


def clauses(sentence: str) -> list[str]:
    """A sentence and its clauses, as its commas divide it: what is asked for may be said in passing."""
    parts = [part.strip() for part in _COMMA.split(sentence)]
    own = [part for part in parts if len(part.split()) >= _LEAST_WORDS]
    return [sentence, *own] if len(parts) > 1 else [sentence]


def features(vectors: Vectors, examples: Examples) -> NDArray[np.float64]:
    """The `FEATURES` of each sentence vector, [sentences, features].

    The similarity to the nearest example, the mean similarity to the `NEAR` nearest, and by how much the nearest counter-example is nearer
    than the nearest example, at least 0.
    """
    if not len(vectors):
        return np.zeros((0, len(FEATURES)))
    to_like = np.sort(vectors @ examples.like.T, axis=1)[:, ::-1]
    nearest = to_like[:, 0]
    unlike = (vectors @ examples.unlike.T).max(1) - nearest if len(examples.unlike) else np.zeros(len(vectors))
    return np.stack([nearest, to_like[:, :NEAR].mean(1), np.maximum(unlike, 0.0)], axis=1).astype(np.float64)
