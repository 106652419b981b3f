"""The public labelled sets that the heads are trained and measured on, read from the folder in which they lie as their authors publish them.

`docs/model-card.md` names them with their licences. What a function here calls a test part is never trained on; a set that is not there is left out.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from models.abuse_lexicon import load_lexicon, normalise
from models.classifier import LABELS

SEED = 7
SENTIMENT_PER_CLASS = 150  # of one set; more of the written text makes the head worse on speech
TOXIC_PAIRS, TEST_PAIRS = 900, 600
Example = tuple[str, str]  # text, label
_XED = {"1": "negative", "3": "negative", "4": "negative", "6": "negative", "5": "positive", "8": "positive"}
_CEDR = {"0": "positive", "1": "negative", "3": "negative", "4": "negative"}
_GURBICH = {"1": "positive", "0": "neutral", "-1": "negative", "2": "negative"}
_DETOX = Path("toxicity/textdetox_multi")
_DETOX_TRAIN = (
    "clef24/text-detoxification/data/sample_submission_dev.tsv",
    "clef24/text-detoxification/data/sample_submission_test.tsv",
    "clef25/text-detoxification/input_data/dev_inputs.tsv",
)
_DETOX_TEST = "clef25/text-detoxification/input_data/test_inputs.tsv"
_PARADETOX = Path("toxicity/en_paradetox/paradetox.tsv")
_RUSSE = Path("toxicity/ru_russe_detox")
_DETOX_LANGUAGES = ("ru", "uk", "en")


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
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["labels"] in _GURBICH:
                yield row["text"], _GURBICH[row["labels"]]


def _labelled(path: Path) -> Iterable[Example]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["label"] in LABELS:
                yield row["text"], row["label"]


def _neutral_column(column: str) -> Callable[[Path], Iterable[Example]]:
    def read(path: Path) -> Iterable[Example]:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row[column], "neutral"

    return read


_SENTIMENT: tuple[tuple[str, Callable[[Path], Iterable[Example]]], ...] = (
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
SENTIMENT_TESTS: tuple[tuple[str, Callable[[Path], Iterable[Example]]], ...] = (
    ("sentiment/ru_rusentiment/rusentiment_test.csv", _labelled),
    ("sentiment/ru_cedr/cedr-main-test.csv", _cedr),
    ("sentiment/hu_husst/sst_dev.json", _husst),
    ("sentiment/uk_gurbich/dataset_sent_anal_ukr_manual.csv", _gurbich),
)
"""Test parts, with how each is read."""


def sentiment_examples(folder: Path) -> list[Example]:
    """A balanced sample of every set for sentiment that lies in the folder, the same one each time."""
    found: list[Example] = []
    for place, read in _SENTIMENT:
        if not (folder / place).is_file():
            print(f"left out, not there: {folder / place}")
            continue
        by_label: dict[str, list[str]] = {label: [] for label in LABELS}
        for text, label in read(folder / place):
            if 2 <= len(text.split()) <= 40:
                by_label[label].append(text)
        for label, texts in by_label.items():
            random.Random(SEED).shuffle(texts)
            found += [(text, label) for text in texts[:SENTIMENT_PER_CLASS]]
    return found


def abuse_examples(folder: Path) -> list[Example]:
    """Toxic sentences with the severity that their words tell (obscene: profanity, else insult), and sentences without abuse."""
    found = [(text, "none") for text, label in sentiment_examples(folder) if label != "negative"]
    test = {text for text, _ in _detox(folder, (_DETOX_TEST,))}
    toxic = [pair for pair in _detox(folder, _DETOX_TRAIN) if pair[0] not in test]
    pairs = _paradetox(folder)
    random.Random(SEED).shuffle(pairs)
    toxic += [(one, "en") for one, _ in pairs[:TOXIC_PAIRS]]
    found += [(other, "none") for _, other in pairs[:TOXIC_PAIRS]]
    found += [(text, "profanity" if _is_obscene(text, code) else "insult") for text, code in toxic if len(text.split()) <= 40]
    return list(dict.fromkeys(found))


def toxicity_tests(folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Test parts by name: toxic sentences, and others beside them (empty where the set has none)."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for code in _DETOX_LANGUAGES:
        found[f"textdetox 2025 test, {code}"] = ([text for text, language in _detox(folder, (_DETOX_TEST,)) if language == code], [])
    rows = _rows(folder / _RUSSE / "dev.tsv")
    found["RUSSE 2022 detox dev, ru"] = ([r["toxic_comment"] for r in rows], [r["neutral_comment1"] for r in rows])
    pairs = _paradetox(folder)
    random.Random(SEED).shuffle(pairs)
    rest = pairs[TOXIC_PAIRS : TOXIC_PAIRS + TEST_PAIRS]
    found["ParaDetox, not trained on, en"] = ([a for a, _ in rest], [b for _, b in rest])
    return {name: (toxic, other) for name, (toxic, other) in found.items() if toxic}


def _detox(folder: Path, places: Iterable[str]) -> list[tuple[str, str]]:
    rows = [row for place in places for row in _rows(folder / _DETOX / place)]
    pairs = [(row["toxic_sentence"].strip(), row["lang"] or "") for row in rows if row["lang"] in _DETOX_LANGUAGES]
    return list(dict.fromkeys(pairs))


def _paradetox(folder: Path) -> list[tuple[str, str]]:
    return [(row["toxic"], row["neutral1"]) for row in _rows(folder / _PARADETOX) if row["neutral1"]]


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        print(f"left out, not there: {path}")
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def _is_obscene(text: str, code: str) -> bool:
    lexicon = load_lexicon(*(("ru", "uk") if code in ("ru", "uk") else (code,)))
    return any(lexicon.has("obscene", normalise(word)) for word in text.split())
