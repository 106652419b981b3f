"""Fine-tunes the turn model on labelled dialogues and evaluates it on held-out writers: `python -m models.training.train_turn_model`.

Without `--leave-out` it is fitted to every dialogue of the folder, and nothing is evaluated. An epoch over 1,000 dialogues takes four
to ten minutes on two otherwise idle cores.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import yaml

from models.registry import sha256_of
from models.text.e5 import SOURCE_NAME, build_encoder
from models.text.turn_model import ACTS, SENTIMENTS, SEVERITIES, TurnModel, TurnText
from models.training.call_heads import add_call_heads
from models.training.dialogues import FOLDER, Dialogue, read_dialogues, without_writers
from models.training.network import fit, save
from models.training.noise import Noise, add_errors

_NOTE = "# Written by `python -m models.training.train_turn_model` beside the weights that it fitted.\n"
NUMBERS = frozenset({"account", "card", "phone", "passport"})
NAMES = frozenset({"name", "address"})


def main() -> None:
    """Train, write the weights, and print the figures of the held-out writers."""
    parser = argparse.ArgumentParser(prog="python -m models.training.train_turn_model", description="Fine-tune the turn model.")
    parser.add_argument("--dialogues", type=Path, default=FOLDER, help="labelled dialogues (default: those of the repository)")
    parser.add_argument("--models-dir", type=Path, default=Path(".models"), help="folder of the pretrained encoder (default: %(default)s)")
    parser.add_argument(
        "--leave-out", type=int, nargs="*", default=[], metavar="WRITER", help="numbers of the writers to hold out for evaluation"
    )
    parser.add_argument("--epochs", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    given = parser.parse_args()
    fitted, left_out = without_writers(read_dialogues(given.dialogues), given.leave_out)
    print(f"{len(fitted)} training dialogues, {len(left_out)} held out", flush=True)
    network, _ = fit(fitted, given.models_dir, given.epochs, given.seed, lambda line: print(line, flush=True))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    save(network, given.out)
    with tempfile.TemporaryDirectory() as folder:
        built = build_encoder(given.models_dir / "multilingual-e5-small" / SOURCE_NAME, Path(folder), given.out)
        add_call_heads(TurnModel(built, given.out), given.out, fitted)
        if left_out:
            print(report(TurnModel(built, given.out), left_out))
    facts = {
        "sha256": sha256_of(given.out),
        "fitted_to": f"{len(fitted)} dialogues",
        "writers": sorted({dialogue.writer for dialogue in fitted}),
        "epochs": given.epochs,
        "seed": given.seed,
    }
    given.out.with_suffix(".yaml").write_text(_NOTE + yaml.safe_dump(facts, sort_keys=False, default_flow_style=None), encoding="utf-8")


def report(model: TurnModel, dialogues: Sequence[Dialogue]) -> str:
    """Report lines for these dialogues, as written and with simulated recognition errors."""
    lines = []
    for name, noise in (("as written", None), ("as recognised, 12 % of the words wrong", Noise(False, True, 0.12, "bare", 0.0))):
        lines.append(name)
        lines += [f"  {figure}: {value}" for figure, value in figures(model, dialogues, noise)]
    return "\n".join(lines)


def figures(model: TurnModel, dialogues: Sequence[Dialogue], noise: Noise | None) -> Iterator[tuple[str, str]]:
    """F1 of abuse, acts and sentiment per turn; personal data left readable, harmless words masked; client types and topics per call."""
    draw = random.Random(1)
    if noise is not None:
        dialogues = [_with_noise(dialogue, noise, draw) for dialogue in dialogues]
    readings = model.read([[TurnText(turn.words, turn.role) for turn in dialogue.turns] for dialogue in dialogues])
    abuse: dict[str, Counter[str]] = defaultdict(Counter)
    acts: dict[str, Counter[str]] = defaultdict(Counter)
    sentiments: Counter[tuple[int, int]] = Counter()
    readable: dict[str, Counter[bool]] = defaultdict(Counter)
    masked: Counter[bool] = Counter()
    for turn, found in [pair for d, r in zip(dialogues, readings, strict=True) for pair in zip(d.turns, r.turns, strict=True)]:
        if turn.role == "client":
            outcome = _outcome(found.severity["none"] < 0.5, turn.severity != SEVERITIES[0])
            abuse["all"][outcome] += 1
            abuse[turn.language][outcome] += 1
            sentiments[SENTIMENTS.index(turn.sentiment), SENTIMENTS.index(max(found.sentiment, key=lambda s: found.sentiment[s]))] += 1
        else:
            for act in ACTS:
                acts[act][_outcome(found.acts[act] > 0.5, act in turn.acts)] += 1
        is_masked = [bool(p < 0.5) for p in found.personal[:, 0]]
        for kind, run in groupby(zip(turn.personal, is_masked, strict=True), key=lambda pair: pair[0]):
            hidden = [one for _, one in run]
            if kind:
                group = "numbers" if kind in NUMBERS else "names and addresses" if kind in NAMES else "other kinds"
                readable[group][sum(hidden) < len(hidden) / 2] += 1
            else:
                masked.update(hidden)
    yield "abuse F1", ", ".join(f"{name} {_f1(c):.3f}" for name, c in sorted(abuse.items()))
    yield "sentiment macro F1", f"{_macro_f1(sentiments):.3f}"
    yield "acts micro F1", f"{_f1(sum(acts.values(), Counter())):.3f}"
    yield "acts F1", ", ".join(f"{name} {_f1(c):.2f}" for name, c in sorted(acts.items()))
    for group, counts in sorted(readable.items()):
        yield f"{group} readable", f"{counts[True]} of {counts.total()}"
    yield "harmless words masked", f"{masked[True]} of {masked.total()}"
    both = list(zip(dialogues, readings, strict=True))
    types = sum(max(r.client_type, key=lambda t: r.client_type[t]) == d.client_type for d, r in both)
    yield "client type right", f"{types} of {len(both)}"
    own: dict[str, set[str]] = defaultdict(set)
    for d in dialogues:
        own[d.centre_id].add(d.topic)
    topics = sum(max(own[d.centre_id] & r.topics.keys(), key=lambda t: r.topics[t]) == d.topic for d, r in both)
    yield "topic right of those of the centre", f"{topics} of {len(both)}"


def _with_noise(dialogue: Dialogue, noise: Noise, draw: random.Random) -> Dialogue:
    turns = [(turn, add_errors(turn.words, turn.personal, turn.language, noise, draw)) for turn in dialogue.turns]
    return replace(dialogue, turns=tuple(replace(t, words=tuple(w), personal=tuple(p)) for t, (w, p) in turns if w))


def _outcome(is_found: bool, is_true: bool) -> str:
    return "right" if is_found and is_true else "missed" if is_true else "false positive" if is_found else "absent"


def _f1(counts: Counter[str]) -> float:
    return 2 * counts["right"] / max(2 * counts["right"] + counts["missed"] + counts["false positive"], 1)


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
