"""Unit vectors of sentences from the multilingual encoder, fine-tuned or as it was pretrained.

The pretrained one tells apart what it was never taught: new reasons for calling lie closer together in it than in the encoder that was
fine-tuned to known topics.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.cores import cores, on_every_core
from models.text.e5 import build_encoder
from models.text.loading import MODELS_DIR, source_of
from models.text.turn_model import Pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

LONGEST_PIECES = 64  # of a sentence
_TOGETHER = 32  # sentences read in one pass
_CACHED = 20_000


class SentenceEncoder:
    """A sentence encoder on the CPU; `folder` is the output of `models.text.e5.build_encoder`, loaded on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: tuple[Pieces, Any] | None = None
        self._known: dict[str, Vectors] = {}

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
def get_sentence_encoder(profile: str = "offline", models_dir: Path = MODELS_DIR) -> SentenceEncoder:
    """The pretrained encoder of a profile, loaded once per process; errors are those of `loading.get_turn_model`."""
    source, folder = source_of(profile, models_dir)
    return SentenceEncoder(build_encoder(source, folder / "pretrained"))


def piece_ids(pieces: Pieces, sentence: str) -> list[int]:
    """The ids of a sentence as the encoder reads it."""
    words = [piece for word in ("query:", *sentence.split()) for piece in pieces.of(word)]
    return [pieces.bos, *words[:LONGEST_PIECES], pieces.eos]


def unit(vector: Vectors) -> Vectors:
    """A vector scaled to unit length."""
    found: Vectors = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return found
