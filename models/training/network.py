"""The torch network behind `models.text.turn_model`, and its training on labelled dialogues.

Each example is a call. The network is trained jointly on speech acts, abuse and its target, sentiment and personal data per word, and
on the topic and client type of the call. Words are masked, lower-cased, stripped of punctuation, misrecognised and dropped at random
(`noise`), so that the model handles recognised speech although the dialogues are clean text.
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

from models.text.e5 import SOURCE_NAME, build_encoder, pretrained
from models.text.turn_model import (
    ACTS,
    CLIENT_TYPES,
    KINDS,
    LABELS,
    SENTIMENTS,
    SEVERITIES,
    TARGETS,
    WINDOW_PIECES,
    Pieces,
    TurnText,
    Window,
)
from models.training.dialogues import Dialogue, LabelledTurn
from models.training.noise import Noise, add_errors

FROZEN_LAYERS = 4  # of 12: the lower ones encode the languages
IGNORED = -100  # a label that is excluded from the loss
RATE, HEADS_RATE = 3e-4, 2e-3  # learning rates of the encoder's layers and of the heads
WARM_UP = 0.06  # share of the steps in which the rates rise
WEIGHTS = {
    "acts": 1.0,
    "severity": 2.0,
    "target": 0.5,
    "sentiment": 1.0,
    "personal": 3.0,
    "client_type": 0.3,
    "topic": 0.3,
}  # weights of the losses
NO_PERSONAL_DATA_WEIGHT = 0.6  # weight of a word without personal data: a missed number costs more than one masked word too many
BATCH_PIECES, READ_PIECES = 900, 6000  # with padding, in training and in inference
PART_OF_CALL = 0.3  # share of the examples that are cut out of a call, like the windows of a long one
LEAST_TURNS = 4  # in such a cut
Batch = dict[str, torch.Tensor]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A call, or a part of it, as words; `turns` has the labels of each turn that has words."""

    call: int
    turns: tuple[LabelledTurn, ...]
    words: tuple[tuple[str, ...], ...]
    personal: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class TrainingWindow:
    """A window of an example with the indices of its topic and client type."""

    example: TrainingExample
    window: Window
    topic: int
    client_type: int


class Network(nn.Module):
    """The encoder with a linear head per task, which scores every piece."""

    def __init__(self, encoder: Any, hidden: int, topics: Sequence[str]) -> None:
        super().__init__()
        self.encoder = encoder
        self.topics = tuple(topics)
        every = LABELS | {"client_type": CLIENT_TYPES, "topic": self.topics}
        self.heads = nn.ModuleDict({name: nn.Linear(hidden, len(labels)) for name, labels in every.items()})
        with torch.no_grad():
            nn.init.constant_(self._layer("acts").bias, -3.0)  # acts are rare
            self._layer("severity").bias[0] += 3.0
            self._layer("personal").bias[0] += 2.0
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("center", torch.zeros(hidden))
        self.register_buffer("spread", torch.ones(hidden))

    @torch.no_grad()
    def standardise(self, batch: Batch) -> None:
        """Estimate mean and deviation of the encoder output on a batch: all sentences are close together, so heads would learn slowly."""
        states = self.encoder(input_ids=batch["ids"], attention_mask=batch["mask"]).last_hidden_state[batch["turn"] >= 0]
        self.center, self.spread = states.mean(0), states.std(0)

    def _layer(self, name: str) -> nn.Linear:
        layer = self.heads[name]
        assert isinstance(layer, nn.Linear)
        return layer

    def head(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of a head on the raw encoder output, without the standardisation."""
        layer = self._layer(name)
        weight = layer.weight / self.spread
        return weight, layer.bias - weight @ self.center

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, turn: torch.Tensor, call: torch.Tensor) -> Batch:
        """Logits: acts, abuse, sentiment [turns, labels]; topic, client type [calls, labels]; `personal` [own pieces, kinds].

        `turn` and `call` [windows, pieces] are the indices of the turns and calls of the batch; -1 where a piece belongs to none.
        """
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        own = turn >= 0
        kept, turn, call = self.dropout((states[own].float() - self.center) / self.spread), turn[own], call[own]
        of_turn = {name: _log_mean_exp(self.heads[name](kept).float(), turn) for name in ("acts", "severity", "target")}
        of_call = {name: _log_mean_exp(self.heads[name](kept).float(), call) for name in ("client_type", "topic")}
        return (
            of_turn
            | of_call
            | {"sentiment": _mean(self.heads["sentiment"](kept).float(), turn), "personal": self.heads["personal"](kept).float()}
        )


def _sum(values: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    return torch.zeros(int(group.max()) + 1, values.shape[1]).index_add_(0, group, values)


def _mean(values: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    return _sum(values, group) / torch.bincount(group).unsqueeze(1)


def _log_mean_exp(values: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    return torch.log(_mean(torch.exp(values.clamp(-30, 30)), group))


def load_network(models_dir: Path, topics: Sequence[str]) -> tuple[Network, Pieces]:
    """The pretrained encoder with new heads, its lower layers frozen, and its tokenizer."""
    encoder, pieces = load_encoder(models_dir, FROZEN_LAYERS)
    return Network(encoder, encoder.config.hidden_size, topics), pieces


def load_encoder(models_dir: Path, frozen_layers: int) -> tuple[Any, Pieces]:
    """The pretrained encoder, its embeddings and lowest layers frozen, and its tokenizer."""
    from models.diarization.torchaudio_stand_in import spare_torchaudio

    spare_torchaudio()
    from transformers import BertConfig, BertModel

    folder = models_dir / "multilingual-e5-small"
    if not (folder / "tokenizer.json").is_file():
        build_encoder(folder / SOURCE_NAME, folder)
    state, config = pretrained(folder / SOURCE_NAME)
    # attention dropout would disable torch's fast path and take three times as long
    encoder = BertModel(BertConfig(**config, attention_probs_dropout_prob=0.0), add_pooling_layer=False)
    encoder.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    for module in (encoder.embeddings, *encoder.encoder.layer[:frozen_layers]):
        module.requires_grad_(False)
    return encoder, Pieces(folder)


def schedule_of(optimizer: torch.optim.Optimizer, steps: int, warm_up: float) -> torch.optim.lr_scheduler.LambdaLR:
    """A learning rate that rises over a share of the steps (`warm_up`) and then falls almost to zero."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / max(1.0, warm_up * steps)) * max(0.02, 1 - step / steps)
    )


def topics_of(dialogues: Sequence[Dialogue]) -> list[str]:
    """All topics of some dialogues."""
    return sorted({d.topic for d in dialogues})


def rows_of(
    dialogues: Sequence[Dialogue], pieces: Pieces, topics: Sequence[str], draw: random.Random | None = None
) -> list[TrainingWindow]:
    """The calls as tensors of ids, with random noise and cuts where a generator is given; turns with no words left are dropped."""
    rows: list[TrainingWindow] = []
    for n, dialogue in enumerate(dialogues):
        turns = list(dialogue.turns)
        if draw is not None and len(turns) > LEAST_TURNS and draw.random() < PART_OF_CALL:
            first = draw.randrange(len(turns) - LEAST_TURNS)
            turns = turns[first : draw.randrange(first + LEAST_TURNS, len(turns)) + 1]
        noise = Noise.drawn(draw) if draw is not None else None
        noisy = [add_errors(t.words, t.personal, t.language, noise, draw) if noise and draw else (t.words, t.personal) for t in turns]
        kept = [(turn, words, labels) for turn, (words, labels) in zip(turns, noisy, strict=True) if words]
        example = TrainingExample(n, tuple(t for t, _, _ in kept), tuple(tuple(w) for _, w, _ in kept), tuple(tuple(p) for _, _, p in kept))
        hides_roles = draw is not None and draw.random() < 0.05  # roles are not always known
        call = [TurnText(words, "unknown" if hides_roles else turn.role) for turn, words in zip(example.turns, example.words, strict=True)]
        topic = topics.index(dialogue.topic) if dialogue.topic in topics else IGNORED
        client_type = CLIENT_TYPES.index(dialogue.client_type)
        rows += [TrainingWindow(example, window, topic, client_type) for window in pieces.windows(call, WINDOW_PIECES)]
    return rows


def batches(
    rows: Sequence[TrainingWindow], pieces: Pieces, most_pieces: int, draw: random.Random | None = None
) -> Iterator[tuple[Batch, list[TrainingWindow]]]:
    """Rows of similar length together; in random order where a generator is given."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].window.ids) + (60 * draw.random() if draw else 0))
    groups: list[list[int]] = [[]]
    for i in order:
        if groups[-1] and (len(groups[-1]) + 1) * len(rows[i].window.ids) > most_pieces:
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
    topics = topics_of(dialogues)
    network, pieces = load_network(models_dir, topics)
    network.standardise(next(batches(rows_of(dialogues, pieces, topics), pieces, READ_PIECES))[0])
    trained = [p for p in network.encoder.parameters() if p.requires_grad]
    heads = [p for name, p in network.named_parameters() if not name.startswith("encoder.")]
    optimizer = torch.optim.AdamW([{"params": trained, "lr": RATE}, {"params": heads, "lr": HEADS_RATE}], weight_decay=0.01, fused=True)
    # computed before the first step: parts of calls are short, and the rate must have come down by the last step
    planned = [[batch for batch, _ in batches(rows_of(dialogues, pieces, topics, draw), pieces, BATCH_PIECES, draw)] for _ in range(epochs)]
    steps = sum(map(len, planned))
    schedule = schedule_of(optimizer, steps, WARM_UP)
    step = 0
    network.train()
    for epoch, some in enumerate(planned, 1):
        for batch in some:
            loss = _loss(_logits(network, batch), batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([*trained, *heads], 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step % 20 == 0:
                say(f"epoch {epoch} of {epochs}, step {step} of {steps}, loss {float(loss.detach()):.2f}")
    return network, pieces


def save(network: Network, path: Path) -> None:
    """Write the trained weights in the format of `models.text.turn_model`: the upper layers in half precision, the heads in full."""
    from safetensors.torch import save_file

    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    state = network.state_dict().items()
    tensors = {
        name: value.half() for name, value in state if name.startswith("encoder.") and name not in frozen and "embeddings" not in name
    }
    for name in LABELS:  # topic and client type only support the training: `call_heads` fits better heads on whole calls
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = (value.detach().contiguous() for value in network.head(name))
    save_file(tensors, path, metadata={"topics": " ".join(network.topics)})


def _logits(network: Network, batch: Batch) -> Batch:
    with torch.autocast("cpu", torch.bfloat16):
        logits: Batch = network(batch["ids"], batch["mask"], batch["turn"], batch["call"])
    return logits


def _loss(logits: Batch, batch: Batch) -> torch.Tensor:
    acts = nn.functional.binary_cross_entropy_with_logits(logits["acts"], batch["acts"], reduction="none").sum(1)
    total = WEIGHTS["acts"] * (acts * batch["is_operator"]).sum() / batch["is_operator"].sum().clamp(min=1)
    by_kind = torch.tensor([NO_PERSONAL_DATA_WEIGHT] + [1.0] * (len(KINDS) - 1))
    for name in ("severity", "target", "sentiment", "personal", "client_type", "topic"):
        if (batch[name] != IGNORED).any():
            weight = by_kind if name == "personal" else None
            total = total + WEIGHTS[name] * nn.functional.cross_entropy(logits[name], batch[name], weight=weight, ignore_index=IGNORED)
    return total


def _tensors(rows: Sequence[TrainingWindow], pieces: Pieces) -> Batch:
    width = max(len(row.window.ids) for row in rows)

    def padded(lists: Sequence[list[int]], filler: int) -> torch.Tensor:
        return torch.tensor([values + [filler] * (width - len(values)) for values in lists])

    turns: list[LabelledTurn] = []
    numbers: list[list[int]] = []  # of the turns in the batch, piece by piece
    personal: list[int] = []
    for row in rows:
        own = {turn: len(turns) + n for n, turn in enumerate(sorted(set(row.window.turn_of) - {-1}))}
        turns += [row.example.turns[turn] for turn in own]
        numbers.append([own.get(turn, -1) for turn in row.window.turn_of])
        before = (-1, -1)
        for turn, word in zip(row.window.turn_of, row.window.word_of, strict=True):
            if turn >= 0:  # the first piece of a word represents it
                personal.append(KINDS.index(row.example.personal[turn][word]) if (turn, word) != before else IGNORED)
            before = (turn, word)
    is_client = [turn.role == "client" for turn in turns]
    both = list(zip(turns, is_client, strict=True))
    return {
        "ids": padded([row.window.ids for row in rows], pieces.pad),
        "mask": padded([[1] * len(row.window.ids) for row in rows], 0),
        "turn": padded(numbers, -1),
        "call": padded([[n] * len(row.window.ids) for n, row in enumerate(rows)], -1),
        "acts": torch.tensor([[float(act in turn.acts) for act in ACTS] for turn in turns]),
        "is_operator": torch.tensor([float(not client) for client in is_client]),
        "severity": torch.tensor([SEVERITIES.index(turn.severity) if client else IGNORED for turn, client in both]),
        "target": torch.tensor([TARGETS.index(turn.target) if client and turn.target else IGNORED for turn, client in both]),
        "sentiment": torch.tensor([SENTIMENTS.index(turn.sentiment) if client else IGNORED for turn, client in both]),
        "personal": torch.tensor(personal),
        "client_type": torch.tensor([row.client_type for row in rows]),
        "topic": torch.tensor([row.topic for row in rows]),
    }
