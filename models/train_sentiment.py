"""Train the sentiment head: `python -m models.train_sentiment --data FOLDER`. Run by hand when the data or the encoder changes.

FOLDER holds the licensed sets that docs/model-card.md names, each in its own sub-folder as its authors publish it; sets that are not there are
left out. The turns of `models/training/client_turns.yaml` are always used, and weigh most: the sets are written text, far from the telephone.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import save_file

from models.classifier import HEAD, LABELS
from models.encoder import SOURCE_NAME, Encoder, build_encoder

OWN = Path(__file__).parent / "training" / "client_turns.yaml"
SEED = 7
PER_CLASS = 150  # of one set; more of the written text makes the head worse on speech
NOISY_COPIES = 3
SET_WEIGHT = 0.1  # against 1 for our own turns

Example = tuple[str, str]  # text, label
_XED = {"1": "negative", "3": "negative", "4": "negative", "6": "negative", "5": "positive", "8": "positive"}
_CEDR = {"0": "positive", "1": "negative", "3": "negative", "4": "negative"}


def own_turns() -> list[Example]:
    """The turns written for this project."""
    data = yaml.safe_load(OWN.read_text(encoding="utf-8"))
    return [(text, label) for labels in data.values() for label, texts in labels.items() for text in texts]


def _xed(path: Path) -> Iterable[Example]:
    for line in path.read_text(encoding="utf-8").splitlines():
        text, _, numbers = line.rpartition("\t")
        labels = {_XED.get(n.strip()) for n in numbers.split(",")}
        if len(labels) == 1 and (label := labels.pop()):
            yield text.replace("[PERSON]", "").strip(" -"), label


def _xed_neutral(path: Path) -> Iterable[Example]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield line.partition("\t")[2], "neutral"


def _cedr(path: Path) -> Iterable[Example]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            numbers = re.findall(r"\d", row["labels"])
            labels = {_CEDR.get(n) for n in numbers} if numbers else {"neutral"}
            if len(labels) == 1 and (label := labels.pop()):
                yield row["text"], label


def _husst(path: Path) -> Iterable[Example]:
    for row in json.loads(path.read_text(encoding="utf-8")):
        yield row["Sent"], row["label"]


def _gurbich(path: Path) -> Iterable[Example]:
    names = {"1": "positive", "0": "neutral", "-1": "negative", "2": "negative"}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["labels"] in names:
                yield row["text"], names[row["labels"]]


def _neutral_column(column: str) -> Callable[[Path], Iterable[Example]]:
    def read(path: Path) -> Iterable[Example]:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row[column], "neutral"

    return read


SETS: tuple[tuple[str, Callable[[Path], Iterable[Example]]], ...] = (
    ("sentiment/xed/en-annotated.tsv", _xed),
    ("sentiment/xed/neu_en.txt", _xed_neutral),
    ("sentiment/xed/ru-projections.tsv", _xed),
    ("sentiment/xed/hu-projections.tsv", _xed),
    ("sentiment/ru_cedr/cedr-main-train.csv", _cedr),
    ("sentiment/hu_husst/sst_train.json", _husst),
    ("sentiment/uk_gurbich/dataset_sent_anal_ukr_Tini.csv", _gurbich),
    ("asr_text/uk_cv10_testset_labels/labels_absolute.csv", _neutral_column("text")),
    ("dialogue/en_banking77/banking_data/train.csv", _neutral_column("text")),
)


def licensed_examples(folder: Path) -> list[Example]:
    """A balanced sample of every set that lies in the folder, the same one each time."""
    found: list[Example] = []
    for place, read in SETS:
        if not (folder / place).is_file():
            print(f"left out, not there: {folder / place}")
            continue
        by_label: dict[str, list[str]] = {label: [] for label in LABELS}
        for text, label in read(folder / place):
            if 2 <= len(text.split()) <= 40:
                by_label[label].append(text)
        for label, texts in by_label.items():
            random.Random(SEED).shuffle(texts)
            found += [(text, label) for text in texts[:PER_CLASS]]
    return found


def as_recognised(text: str, rng: random.Random) -> str:
    """The text as speech recognition may give it: no case, no punctuation, a word or a letter lost."""
    words = re.sub(r"[^\w\s']", "", text.lower()).split() if rng.random() < 0.5 else text.split()
    if len(words) > 4 and rng.random() < 0.5:
        del words[rng.randrange(len(words))]
    long = [i for i, word in enumerate(words) if len(word) > 5]
    if long and rng.random() < 0.5:
        i = rng.choice(long)
        cut = rng.randrange(1, len(words[i]) - 1)
        words[i] = words[i][:cut] + words[i][cut + 1 :]
    return " ".join(words)


def train(encoder: Encoder, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The head: weights [3, 384] and bias [3], in the order of LABELS."""
    from sklearn.linear_model import LogisticRegression

    rng = random.Random(SEED)
    own = own_turns()
    noisy = [(as_recognised(text, rng), label) for text, label in own for _ in range(NOISY_COPIES)]
    wide = licensed_examples(folder)
    examples = [*own, *noisy, *wide]
    print(f"{len(own)} own turns, {len(noisy)} noisy copies, {len(wide)} from sets")
    features = encoder.embed([text for text, _ in examples])
    weights = np.array([1.0] * (len(own) + len(noisy)) + [SET_WEIGHT] * len(wide))
    model = LogisticRegression(C=30.0, max_iter=3000, class_weight="balanced")
    model.fit(features, [LABELS.index(label) for _, label in examples], sample_weight=weights)
    # a transposed array would be written in the wrong order
    return np.ascontiguousarray(model.coef_, dtype=np.float32), np.ascontiguousarray(model.intercept_, dtype=np.float32)


def main() -> None:
    """Write the head to `models/heads/sentiment.safetensors`."""
    parser = argparse.ArgumentParser(description="Train the sentiment head.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the licensed sets")
    parser.add_argument("--models-dir", type=Path, default=Path(".models"))
    given = parser.parse_args()
    folder = given.models_dir / "multilingual-e5-small"
    coefficients, bias = train(Encoder(build_encoder(folder / SOURCE_NAME, folder)), given.data)
    HEAD.parent.mkdir(exist_ok=True)
    save_file({"weight": coefficients, "bias": bias}, HEAD, metadata={"labels": ",".join(LABELS)})
    print(f"wrote {HEAD}")


if __name__ == "__main__":
    main()
