"""Fine-tunes the turn model on labelled dialogues and measures it on writers left out: `python -m models.training.train_turn_model`.

Without `--leave-out` it is fitted to every dialogue of the folder, which nothing then measures. An epoch over 1,000 dialogues takes about six
minutes on two cores that nobody else uses.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from models.text.turn_model import ACTS, KINDS, SENTIMENTS, SEVERITIES, Pieces
from models.training.dialogues import FOLDER, Dialogue, read_dialogues, without_writers
from models.training.network import IGNORED, Network, examples_of, fit, predict, save

NUMBERS = frozenset({"account", "card", "phone", "passport"})
NAMES = frozenset({"name", "address"})


def main() -> None:
    """Train, write the weights, and print the figures of the writers that were left out."""
    parser = argparse.ArgumentParser(prog="python -m models.training.train_turn_model", description="Fine-tune the turn model.")
    parser.add_argument("--dialogues", type=Path, default=FOLDER, help="labelled dialogues (default: those of the repository)")
    parser.add_argument("--models-dir", type=Path, default=Path(".models"), help="where the pretrained encoder lies (default: %(default)s)")
    parser.add_argument("--leave-out", type=int, nargs="*", default=[], metavar="WRITER", help="numbers of writers that are only measured")
    parser.add_argument("--epochs", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    given = parser.parse_args()
    fitted, left_out = without_writers(read_dialogues(given.dialogues), given.leave_out)
    print(f"{len(fitted)} dialogues to learn from, {len(left_out)} left out", flush=True)
    network, pieces = fit(fitted, given.models_dir, given.epochs, given.seed, lambda line: print(line, flush=True))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    save(network, given.out)
    if left_out:
        print(report(network, pieces, left_out))


def report(network: Network, pieces: Pieces, dialogues: Sequence[Dialogue]) -> str:
    """Lines with the figures of these dialogues, as they were written and as recognition may give them."""
    lines = []
    for name, draw in (("as written", None), ("as recognised", random.Random(1))):
        lines.append(name)
        lines += [f"  {figure}: {value}" for figure, value in figures(network, pieces, dialogues, draw)]
    return "\n".join(lines)


def figures(network: Network, pieces: Pieces, dialogues: Sequence[Dialogue], draw: random.Random | None) -> Iterator[tuple[str, str]]:
    """F1 of abuse, acts and sentiment by turn; readable personal data by piece; harmless words masked."""
    examples = examples_of(dialogues)
    abuse: dict[str, Counter[str]] = defaultdict(Counter)
    acts: dict[str, Counter[str]] = defaultdict(Counter)
    moods: Counter[tuple[int, int]] = Counter()
    readable: dict[str, Counter[bool]] = defaultdict(Counter)
    masked: Counter[bool] = Counter()
    for row, found in predict(network, pieces, examples, draw):
        turn = examples[row.example].turn
        if turn.role == "client":
            outcome = _outcome(1 - found["severity"][0] > 0.5, turn.severity != SEVERITIES[0])
            abuse["all"][outcome] += 1
            abuse[turn.language][outcome] += 1
            moods[row.sentiment, int(found["sentiment"].argmax())] += 1
        else:
            for act, p in zip(ACTS, found["acts"], strict=True):
                acts[act][_outcome(p > 0.5, act in turn.acts)] += 1
        kinds = [KINDS[kind] for kind in row.personal if kind != IGNORED]
        is_masked = [bool(p[0] < 0.5) for p in found["personal"]]
        for kind, run in groupby(zip(kinds, is_masked, strict=True), key=lambda pair: pair[0]):
            hidden = [one for _, one in run]
            if kind:
                group = "numbers" if kind in NUMBERS else "names and addresses" if kind in NAMES else "other kinds"
                readable[group][sum(hidden) < len(hidden) / 2] += 1
            else:
                masked.update(hidden)
    yield "abuse F1", ", ".join(f"{name} {_f1(c):.3f}" for name, c in sorted(abuse.items()))
    yield "sentiment macro F1", f"{_macro_f1(moods):.3f}"
    yield "acts micro F1", f"{_f1(sum(acts.values(), Counter())):.3f}"
    yield "acts F1", ", ".join(f"{name} {_f1(c):.2f}" for name, c in sorted(acts.items()))
    for group, counts in sorted(readable.items()):
        yield f"{group} readable", f"{counts[True]} of {counts.total()}"
    yield "harmless words masked", f"{masked[True]} of {masked.total()}"


def _outcome(is_found: bool, is_true: bool) -> str:
    return "right" if is_found and is_true else "missed" if is_true else "invented" if is_found else "absent"


def _f1(counts: Counter[str]) -> float:
    return 2 * counts["right"] / max(2 * counts["right"] + counts["missed"] + counts["invented"], 1)


def _macro_f1(pairs: Counter[tuple[int, int]]) -> float:
    total: Callable[[Callable[[int, int], bool]], int] = lambda is_meant: sum(n for (a, b), n in pairs.items() if is_meant(a, b))  # noqa: E731
    each = []
    for label in range(len(SENTIMENTS)):
        right = pairs[label, label]
        named = total(lambda a, b, label=label: label in (a, b))  # type: ignore[misc]
        each.append(2 * right / max(named + right, 1))
    return sum(each) / len(each)


if __name__ == "__main__":
    main()
