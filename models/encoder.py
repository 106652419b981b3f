"""The sentence encoder of the offline profile: sentences to vectors with CTranslate2, which speech recognition has loaded anyway.

torch's own layers give the same numbers, but importing torch took longer than reading a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.cores import cores, on_every_core

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_TOKENS = 128  # a turn on the phone is shorter; what is longer is cut


class Encoder:
    """Sentences to vectors, on the CPU; the weights are read at the first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loaded: tuple[Any, Any] | None = None

    def embed(self, texts: Sequence[str], batch_size: int = 32) -> NDArray[np.float32]:
        """One row a text, of length 1; an empty text has a row of its own as well."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        tokenizer, model = self._loaded = self._loaded or _load(self.folder)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # neighbours of one length waste no padding

        def vectors(batch: Sequence[int]) -> NDArray[np.float32]:
            encoded = [one.ids for one in tokenizer.encode_batch([f"query: {texts[i]}" for i in batch])]
            states = np.asarray(model.forward_batch(encoded).last_hidden_state)
            return np.stack([state[: len(ids)].mean(0) for state, ids in zip(states, encoded, strict=True)])

        means = np.concatenate(list(on_every_core(vectors, [order[n : n + batch_size] for n in range(0, len(order), batch_size)])))
        rows = np.empty_like(means, dtype=np.float32)
        rows[order] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return rows


def _load(folder: Path) -> tuple[Any, Any]:
    from ctranslate2 import Encoder as Model
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer, Model(str(folder), compute_type="float32", inter_threads=cores(), intra_threads=1)


@cache
def load_encoder(folder: Path) -> Encoder:
    """The encoder of a folder, one a process."""
    return Encoder(folder)
