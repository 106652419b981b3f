"""Fine-tunes the sentence encoder of the example matcher: `python -m models.training.train_example_matcher --out FILE`.

Supervised contrastive learning: a sentence is drawn to the sentences of its own criterion, in every language, and away from those of
all others and from the near misses of its own; what a client says is drawn to the description of its topic and to other clients with
the same topic, and away from the other topics of its centre. Before that, another encoder is fitted without the criteria of some
writers; it gives the similarities of their sentences to a few examples of theirs, and a logistic regression turns these into
probabilities, among the sentences of operators in whole dialogues.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from models.registry import sha256_of
from models.text.e5 import SOURCE_NAME, build_encoder
from models.text.example_matcher import FEATURES, ExampleMatcher
from models.text.sentence_encoder import piece_ids
from models.text.turn_model import Pieces
from models.training.criteria import ExampleCriterion, read_criteria
from models.training.dialogues import Dialogue, read_dialogues, without_writers
from models.training.network import load_encoder, schedule_of
from models.training.topics import ExampleTopic, read_topics

FROZEN_LAYERS = 6  # of 12
RATE = 1e-4
WARM_UP = 0.1  # share of the steps in which the rate rises
TEMPERATURE = 0.05
CRITERIA_TOGETHER, LIKE_TOGETHER, UNLIKE_TOGETHER = 12, 5, 3  # criteria in a batch, and sentences of each
MEASURED_SENTENCES = 900  # of dialogues in each language, among which criteria are measured
BACKGROUND_TOGETHER = 12  # sentences of dialogues in a batch
MOST_EXAMPLES, MOST_COUNTER_EXAMPLES = 10, 3  # that a criterion gets when it is measured, as a centre would give
LEAST_EXAMPLES = 4
EPISODES = 3  # draws of examples for each criterion when it is measured
CALL_SENTENCES = 16  # sentences of an operator in a call, one of which meets the criterion
EMBEDDED = 0.35  # share of the sentences that are said as a part of another one
NEAR_MISS_WEIGHT = 0.3
HELD_OUT_WRITERS = 3  # whose criteria the regression is fitted to
OPENING_WORDS = 32  # of the client in a call
TOPICS_TOGETHER, SAID_TOGETHER = 8, 3  # topics of a centre in a batch, and utterances of each
Batch = tuple[list[str], list[int]]  # sentences, and the number of what each does; -1 for nothing
_NOTE = "# Written by `python -m models.training.train_example_matcher` beside the weights that it fitted.\n"


def main() -> None:
    """Train, calibrate on held-out writers, and write the weights with their facts."""
    parser = argparse.ArgumentParser(prog="python -m models.training.train_example_matcher", description="Fine-tune the example matcher.")
    parser.add_argument("--models-dir", type=Path, default=Path(".models"), help="folder of the pretrained encoder (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="draws of every criterion (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--leave-out", type=int, nargs="*", default=[], metavar="WRITER", help="writers of dialogues whose sentences are not used"
    )
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    given = parser.parse_args()
    dialogues = without_writers(read_dialogues(), given.leave_out)[0]
    criteria, sentences = read_criteria(), operator_sentences(dialogues)
    topics = [*read_topics(), *topics_of_calls(dialogues)]
    number = sum(map(len, sentences.values()))
    writers = sorted({criterion.writer for criterion in criteria})
    say(f"{len(criteria)} criteria of {len(writers)} writers, {len(topics)} topics, {number} sentences of dialogues")
    held_out = set(writers[:: max(2, len(writers) // HELD_OUT_WRITERS)])
    encoder, _ = fit([c for c in criteria if c.writer not in held_out], topics, sentences, given.models_dir, given.epochs, given.seed)
    with tempfile.TemporaryDirectory() as folder:
        save(encoder, Path(folder) / "held_out.safetensors")
        matcher = _matcher(given.models_dir, Path(folder) / "built", Path(folder) / "held_out.safetensors")
        weights = calibrated(*measured([c for c in criteria if c.writer in held_out], sentences, matcher, given.seed))
    say(f"weights {weights}")
    encoder, _ = fit(criteria, topics, sentences, given.models_dir, given.epochs, given.seed)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    save(encoder, given.out)
    facts = {
        "sha256": sha256_of(given.out),
        "fitted_to": f"{len(criteria)} criteria, {len(topics)} topics",
        "writers": writers,
        "dialogues_left_out": given.leave_out,
        "epochs": given.epochs,
        "seed": given.seed,
        "weights": weights,
    }
    given.out.with_suffix(".yaml").write_text(_NOTE + yaml.safe_dump(facts, sort_keys=False, default_flow_style=None), encoding="utf-8")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def operator_sentences(dialogues: Sequence[Dialogue]) -> dict[str, list[str]]:
    """What operators say in some dialogues, by language, sentence by sentence, without repeats."""
    found: dict[str, dict[str, None]] = {}
    for dialogue in dialogues:
        for turn in dialogue.turns:
            if turn.role == "operator":
                found.setdefault(turn.language, {}).update(dict.fromkeys(_sentences(turn.words)))
    return {language: list(sentences) for language, sentences in sorted(found.items())}


def topics_of_calls(dialogues: Sequence[Dialogue]) -> list[ExampleTopic]:
    """The topics of some dialogues, with what clients say first."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for dialogue in dialogues:
        words = [word for turn in dialogue.turns if turn.role == "client" for word in turn.words]
        said = found.setdefault((dialogue.centre_id, dialogue.topic), {})
        said.setdefault(dialogue.language, []).append(" ".join(words[:OPENING_WORDS]))
    return [
        ExampleTopic(centre_id, topic, 0, "", {language: tuple(some) for language, some in said.items()})
        for (centre_id, topic), said in sorted(found.items())
    ]


def _sentences(words: Sequence[str]) -> Iterator[str]:
    own: list[str] = []
    for word in words:
        own.append(word)
        if word.endswith((".", "?", "!", "…")) and len(own) > 1:
            yield " ".join(own)
            own = []
    if own:
        yield " ".join(own)


def fit(
    criteria: Sequence[ExampleCriterion],
    topics: Sequence[ExampleTopic],
    background: Mapping[str, Sequence[str]],
    models_dir: Path,
    epochs: int,
    seed: int,
) -> tuple[Any, Pieces]:
    """The encoder, its upper layers fitted to these criteria and topics."""
    torch.manual_seed(seed)
    draw = random.Random(seed)
    encoder, pieces = load_encoder(models_dir, FROZEN_LAYERS)
    trained = [p for p in encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.01)
    planned = [
        batch
        for _ in range(epochs)
        for batch in _shuffled([*(_batch(g, background, draw) for g in _groups(criteria, draw)), *_topic_batches(topics, draw)], draw)
    ]
    schedule = schedule_of(optimizer, len(planned), WARM_UP)
    encoder.train()
    for step, batch in enumerate(planned, 1):
        loss = _loss(encoder, pieces, *batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            say(f"step {step} of {len(planned)}, loss {float(loss.detach()):.2f}")
    return encoder, pieces


def _shuffled(batches: list[Batch], draw: random.Random) -> list[Batch]:
    return draw.sample(batches, len(batches))


def _topic_batches(topics: Sequence[ExampleTopic], draw: random.Random) -> Iterator[Batch]:
    """A batch for each centre: what clients say with the number of their topic; `other` is no topic, -1."""
    for _, own in groupby(sorted(topics, key=lambda topic: topic.centre_id), key=lambda topic: topic.centre_id):
        sentences: list[str] = []
        labels: list[int] = []
        for n, topic in enumerate(draw.sample(some := list(own), min(TOPICS_TOGETHER, len(some)))):
            every = _all(topic.said)
            kept = [text for _, text in draw.sample(every, min(SAID_TOGETHER, len(every)))]
            kept = [_cut(text, draw) for text in kept] + ([topic.description] if topic.description else [])
            is_topic = topic.topic != "other" and len(kept) > 1
            sentences += [_roughly(text, draw) for text in kept]
            labels += [n if is_topic else -1] * len(kept)
        if max(labels, default=-1) >= 0:
            yield sentences, labels


def _cut(text: str, draw: random.Random) -> str:
    """Sometimes only one sentence of what a client says: examples in profiles are short."""
    parts = list(_sentences(text.split()))
    return draw.choice(parts) if draw.random() < 0.3 else text


def _groups(criteria: Sequence[ExampleCriterion], draw: random.Random) -> Iterator[Sequence[ExampleCriterion]]:
    order = draw.sample(criteria, len(criteria))
    yield from (order[n : n + CRITERIA_TOGETHER] for n in range(0, len(order), CRITERIA_TOGETHER))


def _batch(group: Sequence[ExampleCriterion], background: Mapping[str, Sequence[str]], draw: random.Random) -> Batch:
    """Sentences with the number of the criterion that they meet; near misses and sentences of dialogues have no criterion, -1."""
    sentences: list[str] = []
    labels: list[int] = []
    for n, criterion in enumerate(group):
        like, unlike = _all(criterion.like), _all(criterion.unlike)
        kept = draw.sample(like, min(LIKE_TOGETHER, len(like)))
        missed = draw.sample(unlike, min(UNLIKE_TOGETHER, len(unlike)))
        sentences += [_in_passing(sentence, background[language], draw, EMBEDDED) for language, sentence in kept]
        sentences += [sentence for _, sentence in missed]
        labels += [n] * len(kept) + [-1] * len(missed)
    common = [
        sentence for some in background.values() for sentence in draw.sample(some, min(BACKGROUND_TOGETHER // len(background), len(some)))
    ]
    return [_roughly(sentence, draw) for sentence in (*sentences, *common)], [*labels, *([-1] * len(common))]


def _in_passing(sentence: str, others: Sequence[str], draw: random.Random, share: float) -> str:
    """Sometimes as a part of a sentence that does something else as well."""
    if draw.random() >= share:
        return sentence
    other = draw.choice(others).rstrip(".!?…")
    own = sentence.rstrip(".!…")
    return f"{own}, {other[:1].lower()}{other[1:]}" if draw.random() < 0.5 else f"{other}, {own[:1].lower()}{own[1:]}"


def _roughly(sentence: str, draw: random.Random) -> str:
    """Sometimes as recognition writes it: without capitals and punctuation."""
    return "".join(c for c in sentence.lower() if c.isalnum() or c in " -'’") if draw.random() < 0.3 else sentence


def _all(by_language: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [(language, sentence) for language, some in by_language.items() for sentence in some]


def _loss(encoder: Any, pieces: Pieces, sentences: Sequence[str], labels: Sequence[int]) -> torch.Tensor:
    """The supervised contrastive loss (Khosla et al. 2020) of the sentences that have a criterion."""
    ids = [piece_ids(pieces, sentence) for sentence in sentences]
    longest = max(map(len, ids))
    padded = torch.tensor([one + [pieces.pad] * (longest - len(one)) for one in ids])
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in ids])
    with torch.autocast("cpu", torch.bfloat16):
        states = encoder(input_ids=padded, attention_mask=mask).last_hidden_state.float()
    vectors = nn.functional.normalize((states * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True), dim=1)
    label = torch.tensor(labels)
    logits = vectors @ vectors.T / TEMPERATURE
    logits = logits.masked_fill(torch.eye(len(label), dtype=torch.bool), -1e9)
    same = (label.unsqueeze(0) == label.unsqueeze(1)) & (label >= 0).unsqueeze(1)
    same = same & ~torch.eye(len(label), dtype=torch.bool)
    shares = logits - logits.logsumexp(1, keepdim=True)
    anchors = same.any(1)
    return -((shares * same).sum(1)[anchors] / same.sum(1)[anchors]).mean()


def save(encoder: Any, path: Path) -> None:
    """Write the fitted layers in half precision."""
    from safetensors.torch import save_file

    fitted = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    save_file({f"encoder.{name}": value.half().contiguous() for name, value in encoder.state_dict().items() if name in fitted}, path)


def _matcher(models_dir: Path, built: Path, weights: Path) -> ExampleMatcher:
    source = models_dir / "multilingual-e5-small" / SOURCE_NAME
    return ExampleMatcher(build_encoder(source, built, weights), dict.fromkeys((*FEATURES, "offset"), 0.0))


def measured(
    criteria: Sequence[ExampleCriterion], background: Mapping[str, Sequence[str]], matcher: ExampleMatcher, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """The features of sentences that are no examples, whether each meets the criterion, and its weight: [sentences, ...].

    For each criterion some sentences are its examples, in the languages of one centre; the others, its near misses, and sentences of
    dialogues are measured. In calls a near miss is rarer than here, so that it weighs less.
    """
    draw = random.Random(seed)
    background = {language: draw.sample(some, min(MEASURED_SENTENCES, len(some))) for language, some in background.items()}
    rows, right, weights = [], [], []
    for criterion in criteria:
        for _ in range(EPISODES):
            languages = draw.sample(sorted(criterion.like), 2)
            like, unlike = (
                draw.sample(some, len(some))
                for some in ([pair for pair in _all(by) if pair[0] in languages] for by in (criterion.like, criterion.unlike))
            )
            given = draw.randint(LEAST_EXAMPLES, min(MOST_EXAMPLES, len(like) - 2))
            counter = draw.randint(0, min(MOST_COUNTER_EXAMPLES, len(unlike) - 1))
            examples = matcher.examples([text for _, text in like[:given]], [text for _, text in unlike[:counter]])
            kept = [_in_passing(text, background[language], draw, EMBEDDED) for language, text in like[given:]]
            missed = [text for _, text in unlike[counter:]]
            common = [text for language in languages for text in draw.sample(background[language], CALL_SENTENCES * len(kept) // 2)]
            rows.append(matcher.features([*kept, *missed, *common], examples))
            right.append(np.array([True] * len(kept) + [False] * (len(missed) + len(common))))
            weights.append(np.array([1.0] * len(kept) + [NEAR_MISS_WEIGHT] * len(missed) + [1.0] * len(common)))
    return np.concatenate(rows), np.concatenate(right), np.concatenate(weights)


def calibrated(rows: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64]) -> dict[str, float]:
    """The logistic regression on the features."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=10.0, max_iter=2000).fit(rows, right, sample_weight=weights)
    values = [*found.intercept_.tolist(), *found.coef_[0].tolist()]
    return {name: round(float(value), 4) for name, value in zip(("offset", *FEATURES), values, strict=True)}


if __name__ == "__main__":
    main()
