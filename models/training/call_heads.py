"""Fits what is read of a whole call, its topic and the type of its client, over the vectors of a turn model that is fitted already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.text.turn_model import CLIENT_TYPES, TurnModel, TurnText
from models.training.dialogues import Dialogue
from models.training.noise import masked

PENALTY = 0.003  # of the squared weights over standardised vectors
_STEPS = 150


def add_call_heads(model: TurnModel, weights: Path, dialogues: Sequence[Dialogue]) -> None:
    """Fit the heads to these dialogues, as written and as masked, and write them into the file of the model's weights."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    every = [*dialogues, *(_masked(dialogue) for dialogue in dialogues)]
    readings = model.read([[TurnText(turn.words, turn.role) for turn in dialogue.turns] for dialogue in every])
    vectors = np.array([reading.vector for reading in readings])
    with safe_open(weights, "numpy") as file:
        metadata = file.metadata()
    topics = metadata["topics"].split()
    tensors = load_file(weights)
    for name, labels, given in (
        ("topic", topics, [dialogue.topic for dialogue in every]),
        ("client_type", CLIENT_TYPES, [dialogue.client_type for dialogue in every]),
    ):
        tensors[f"call.{name}.weight"], tensors[f"call.{name}.bias"] = _fitted(vectors, [labels.index(one) for one in given], len(labels))
    save_file(tensors, weights, metadata)


def _masked(dialogue: Dialogue) -> Dialogue:
    turns = []
    for turn in dialogue.turns:
        words, labels = masked(turn.words, turn.personal)
        turns.append(replace(turn, words=tuple(words), personal=tuple(labels)))
    return replace(dialogue, turns=tuple(turns))


def _fitted(vectors: NDArray[np.float32], labels: Sequence[int], count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and offsets of a multinomial logistic regression over the vectors as they are."""
    center, spread = vectors.mean(0), vectors.std(0) + 1e-6
    x, y = torch.from_numpy((vectors - center) / spread), torch.tensor(labels)
    weight, bias = torch.zeros(count, x.shape[1], requires_grad=True), torch.zeros(count, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = torch.nn.functional.cross_entropy(x @ weight.T + bias, y) + PENALTY * weight.square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    plain = weight.detach().numpy() / spread
    return plain.astype(np.float32), (bias.detach().numpy() - plain @ center).astype(np.float32)
