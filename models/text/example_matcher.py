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
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from models.cores import cores, on_every_core
from models.text.e5 import build_encoder
from models.text.loading import MODELS_DIR, checked, source_of
from models.text.turn_model import Pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("example_matcher.safetensors")
FACTS = Path(__file__).with_name("example_matcher.yaml")  # what the weights were fitted to, their checksum, and the regression
FEATURES = ("nearest", "near", "unlike")
LONGEST_PIECES = 64  # of a sentence
SAME = 0.9  # similarity from which a sentence is the counter-example itself in almost the same words
NEAR = 3  # examples whose mean similarity counts
_TOGETHER = 32  # sentences read in one pass
_CACHED = 20_000
_COMMA = re.compile(r"[,;:—–]+ ")
_LEAST_WORDS = 2  # of a clause


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of one criterion as unit vectors, [examples, width]; `unlike` may be empty."""

    like: Vectors
    unlike: Vectors


class ExampleMatcher:
    """The sentence encoder and its calibration, on the CPU; the weights are loaded on first use.

    `folder` is the output of `models.text.e5.build_encoder`; `weights` gives the logistic regression: an offset, and a weight for each of
    `FEATURES`.
    """

    def __init__(self, folder: Path, weights: Mapping[str, float]) -> None:
        self._folder, self._weights = folder, weights
        self._loaded: tuple[Pieces, Any] | None = None
        self._known: dict[str, Vectors] = {}

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

    def vectors(self, sentences: Sequence[str]) -> Vectors:
        """A unit vector for each sentence, [sentences, width]; those of recent sentences are kept."""
        new = [text for text in dict.fromkeys(sentences) if text not in self._known]
        if len(self._known) + len(new) > _CACHED:
            self._known.clear()
            new = list(dict.fromkeys(sentences))
        if new:
            self._known.update(zip(new, self._read(new), strict=True))
        width = next(iter(self._known.values())).shape[0] if self._known else 0
        return np.array([self._known[text] for text in sentences], np.float32).reshape(len(sentences), width)

    def _read(self, sentences: Sequence[str]) -> list[Vectors]:
        pieces, encoder = self._loaded = self._loaded or self._load()
        ids = [piece_ids(pieces, text) for text in sentences]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))  # neighbours of similar length need less padding

        def states(batch: Sequence[int]) -> list[Vectors]:
            found = np.asarray(encoder.forward_batch([ids[i] for i in batch]).last_hidden_state)
            return [unit(found[k, : len(ids[i])].mean(0)) for k, i in enumerate(batch)]

        batches = [order[n : n + _TOGETHER] for n in range(0, len(order), _TOGETHER)]
        by_sentence = {
            i: one for batch, some in zip(batches, on_every_core(states, batches), strict=True) for i, one in zip(batch, some, strict=True)
        }
        return [by_sentence[i] for i in range(len(sentences))]

    def _load(self) -> tuple[Pieces, Any]:
        from ctranslate2 import Encoder

        return Pieces(self._folder), Encoder(str(self._folder), compute_type="float32", inter_threads=cores(), intra_threads=1)


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


def piece_ids(pieces: Pieces, sentence: str) -> list[int]:
    """The ids of a sentence as the encoder reads it."""
    words = [piece for word in ("query:", *sentence.split()) for piece in pieces.of(word)]
    return [pieces.bos, *words[:LONGEST_PIECES], pieces.eos]


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


def unit(vector: Vectors) -> Vectors:
    """A vector scaled to unit length."""
    found: Vectors = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return found
