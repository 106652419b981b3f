"""Fits the call-level heads, topic and client type, on the vectors of a fitted turn model.

Topics are the mean directions of their calls (`models.text.prototypes`), which on held-out writers perform as well as a logistic
regression. Client types use linear discriminant analysis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.text.prototypes import direction
from models.text.turn_model import CLIENT_TYPES, TurnModel, TurnText
from models.training.dialogues import Dialogue
from models.training.noise import masked

SHRINKAGE = 0.8  # of the covariance within types: a vector has about as many dimensions as there are calls


def add_call_heads(model: TurnModel, weights: Path, dialogues: Sequence[Dialogue]) -> None:
    """Fit the heads to these dialogues, as written and as masked, and add them to the model's weights file."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    every = [*dialogues, *(_masked(dialogue) for dialogue in dialogues)]
    readings = model.read([[TurnText(turn.words, turn.role) for turn in dialogue.turns] for dialogue in every])
    vectors = np.array([reading.vector for reading in readings])
    with safe_open(weights, "numpy") as file:
        metadata = file.metadata()
    center, spread = vectors.mean(0), vectors.std(0) + 1e-6
    plain = (vectors - center) / spread
    about = np.array([dialogue.topic for dialogue in every])
    topics = np.array([direction(plain[about == topic]) for topic in metadata["topics"].split()])
    types = np.array([CLIENT_TYPES.index(dialogue.client_type) for dialogue in every])
    discriminants = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE, priors=np.full(len(CLIENT_TYPES), 1 / len(CLIENT_TYPES)))
    discriminants.fit(plain, types)
    weight = discriminants.coef_ / spread
    heads = {
        "center": center,
        "spread": spread,
        "topics": topics,
        "client_type.weight": weight,
        "client_type.bias": discriminants.intercept_ - weight @ center,
    }
    kept = {name: tensor for name, tensor in load_file(weights).items() if not name.startswith("call.")}
    save_file(kept | {f"call.{name}": np.ascontiguousarray(value, np.float32) for name, value in heads.items()}, weights, metadata)


def _masked(dialogue: Dialogue) -> Dialogue:
    turns = []
    for turn in dialogue.turns:
        words, labels = masked(turn.words, turn.personal)
        turns.append(replace(turn, words=tuple(words), personal=tuple(labels)))
    return replace(dialogue, turns=tuple(turns))
