"""Turn-level text classification: speech acts, abuse, sentiment, topic and client type of a call, and personal data per word.

One encoder, fine-tuned on labelled dialogues (`models/training/train_turn_model.py`), serves all of these tasks. It reads a call as a
whole, or in windows where it is long, so that each turn is read in context. It runs on CTranslate2. Each head scores every word piece,
and a turn is scored by its pieces, so that a quote can be the very words that caused the score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from models.cores import cores, on_every_core
from models.text.prototypes import Prototypes

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
CLIENT_TYPES = ("addressed", "venting", "uninformed", "complainer", "opinionated", "rude")
KINDS = ("", "account", "card", "phone", "name", "address", "passport", "email", "code_word", "birth_date")
LABELS: dict[str, tuple[str, ...]] = {
    "acts": ACTS, "severity": SEVERITIES, "target": TARGETS, "sentiment": SENTIMENTS, "personal": KINDS,
}  # fmt: skip
WINDOW_PIECES = 440  # a call of two minutes fits; the encoder reads 512 at once
PIECES_BEFORE, PIECES_AFTER = 48, 16  # of the turns around a window, as context only
_MOST_LOGIT = 30.0  # prevents overflow in exp
_PADDED_TOGETHER = 8  # windows read in one pass


@dataclass(frozen=True, slots=True)
class TurnText:
    """A turn as input to the model."""

    words: tuple[str, ...]
    role: str  # operator | client | unknown


@dataclass(frozen=True, slots=True)
class TurnReading:
    """The model's output for one turn. Probabilities, 0 to 1."""

    acts: Mapping[str, float]
    severity: Mapping[str, float]  # none, profanity, insult, threat: they add up to 1
    target: Mapping[str, float]
    sentiment: Mapping[str, float]
    personal: NDArray[np.float32]  # [words, kinds], the first kind is none
    act_logits: NDArray[np.float32]  # [words, acts]: the contribution of each word to each act
    severity_logits: NDArray[np.float32]  # [words, severities]
    vector: NDArray[np.float32]  # the mean over the turn's pieces


@dataclass(frozen=True, slots=True)
class CallReading:
    """The model's output for one call: its turns in order, and the call as a whole."""

    turns: tuple[TurnReading, ...]
    client_type: Mapping[str, float]
    topics: Mapping[str, float]  # see `Prototypes.scores`, for every topic of the training dialogues
    vector: NDArray[np.float32]  # see `call_vector`


@dataclass(frozen=True, slots=True)
class Window:
    """Piece ids, and for each the turn of the call and the word of the turn that it belongs to; -1 for context."""

    ids: list[int]
    turn_of: list[int]
    word_of: list[int]


class Pieces:
    """Converts words to piece ids of the tokenizer, and calls to windows."""

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

    def windows(self, call: Sequence[TurnText], most_pieces: int = WINDOW_PIECES) -> list[Window]:
        """The call in windows of at most so many pieces of its own; each word is in exactly one of them, with its context around it."""
        line: list[tuple[int, int, int]] = []  # piece, turn, word
        starts = [0]  # of windows
        last_turn = 0  # start of the turn that is being laid out
        for n, turn in enumerate(call):
            last_turn = len(line)
            role = self.of(f"{turn.role}:")
            if last_turn + len(role) + 1 - starts[-1] > most_pieces:
                starts.append(last_turn)
            line += [(p, n, -1) for p in role]
            for k, word in enumerate(turn.words):
                pieces = self.of(word)[:most_pieces]
                if len(line) + len(pieces) + 1 - starts[-1] > most_pieces:
                    starts.append(last_turn if last_turn > starts[-1] else len(line))
                line += [(p, n, k) for p in pieces]
            line.append((self.eos, n, -1))
        windows = []
        for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
            first, last = max(0, start - PIECES_BEFORE), min(len(line), end + PIECES_AFTER)
            own = [start <= at < end for at in range(first, last)]
            part = line[first:last]
            windows.append(
                Window(
                    [self.bos, *(piece for piece, _, _ in part), self.eos],
                    [-1, *(turn if is_own and word >= 0 else -1 for (_, turn, word), is_own in zip(part, own, strict=True)), -1],
                    [-1, *(word if is_own else -1 for (_, _, word), is_own in zip(part, own, strict=True)), -1],
                )
            )
        return windows


class TurnModel:
    """The encoder and its heads, on the CPU; the weights are loaded on first use.

    `folder` is the output of `models.text.e5.build_encoder` for `weights`, a safetensors file written by
    `models.training.train_turn_model`.
    """

    def __init__(self, folder: Path, weights: Path) -> None:
        self._folder, self._weights = folder, weights
        self._loaded: tuple[Pieces, Any, _Heads] | None = None

    def read(self, calls: Sequence[Sequence[TurnText]]) -> list[CallReading]:
        """The reading of each call, in order; faster for many calls together."""
        pieces, encoder, heads = self._loaded = self._loaded or self._load()
        windows = [(n, window) for n, call in enumerate(calls) for window in pieces.windows(call)]
        order = sorted(range(len(windows)), key=lambda i: len(windows[i][1].ids))  # neighbours of similar length need less padding

        def scores(batch: Sequence[int]) -> list[_Scores]:
            found = np.asarray(encoder.forward_batch([windows[i][1].ids for i in batch]).last_hidden_state)
            return [heads.scores(found[k], windows[i][1]) for k, i in enumerate(batch)]

        batches = [order[n : n + _PADDED_TOGETHER] for n in range(0, len(order), _PADDED_TOGETHER)]
        by_window = {
            i: one
            for batch, found in zip(batches, on_every_core(scores, batches), strict=True)
            for i, one in zip(batch, found, strict=True)
        }
        own: list[list[_Scores]] = [[] for _ in calls]
        for i, (n, _) in enumerate(windows):
            own[n].append(by_window[i])
        return [heads.reading(call, some) for call, some in zip(calls, own, strict=True)]

    def prototypes(self, examples: Mapping[str, Sequence[str]]) -> Prototypes:
        """The topics of the training dialogues, extended by `examples`: topic → typical client sentences, or a description."""
        sentences = [
            (topic, TurnText(tuple(text.split()), "client")) for topic, texts in examples.items() for text in texts if text.split()
        ]
        vectors: dict[str, list[NDArray[np.float32]]] = {}
        for (topic, _), found in zip(sentences, self.read([[turn] for _, turn in sentences]), strict=True):
            vectors.setdefault(topic, []).append(found.vector)
        assert self._loaded is not None
        return self._loaded[2].topics.with_examples(vectors)

    def _load(self) -> tuple[Pieces, Any, _Heads]:
        from ctranslate2 import Encoder

        encoder = Encoder(str(self._folder), compute_type="float32", inter_threads=cores(), intra_threads=1)
        return Pieces(self._folder), encoder, _Heads(self._weights)


@dataclass(frozen=True, slots=True)
class _Scores:
    """The own pieces of a window: their positions, their logits in the order of the heads, and their hidden states."""

    turn_of: NDArray[np.int64]
    word_of: NDArray[np.int64]
    logits: NDArray[np.float32]
    states: NDArray[np.float32]


class _Heads:
    """The linear heads: those over pieces in one matrix, those over whole calls separately."""

    def __init__(self, weights: Path) -> None:
        from safetensors import safe_open

        with safe_open(weights, "numpy") as file:
            held = {name: np.asarray(file.get_tensor(name), np.float32) for name in file.keys() if not name.startswith("encoder.")}  # noqa: SIM118
            topics = tuple((file.metadata() or {}).get("topics", "").split())
        self._kernel = np.concatenate([held[f"{name}.weight"] for name in LABELS]).T.copy()
        self._bias = np.concatenate([held[f"{name}.bias"] for name in LABELS])
        ends = np.cumsum([len(labels) for labels in LABELS.values()])
        self._columns = {name: slice(int(end) - len(labels), int(end)) for (name, labels), end in zip(LABELS.items(), ends, strict=True)}
        width = 3 * self._kernel.shape[0]

        def of_call(name: str, *shape: int) -> NDArray[np.float32]:
            return held.get(f"call.{name}", np.zeros(shape, np.float32))  # a model whose call heads are not fitted yet has none

        spread = held.get("call.spread", np.ones(width, np.float32))
        self.topics = Prototypes(of_call("center", width), spread, topics, of_call("topics", len(topics), width))
        self._client_type = of_call("client_type.weight", len(CLIENT_TYPES), width), of_call("client_type.bias", len(CLIENT_TYPES))

    def scores(self, states: NDArray[np.float32], window: Window) -> _Scores:
        turn_of = np.array(window.turn_of)
        own = np.flatnonzero(turn_of >= 0)
        kept = states[own]
        return _Scores(turn_of[own], np.array(window.word_of)[own], kept @ self._kernel + self._bias, kept)

    def reading(self, call: Sequence[TurnText], parts: Sequence[_Scores]) -> CallReading:
        turn_of = np.concatenate([p.turn_of for p in parts])
        word_of = np.concatenate([p.word_of for p in parts])
        logits = np.concatenate([p.logits for p in parts])
        states = np.concatenate([p.states for p in parts])
        bounds = np.searchsorted(turn_of, np.arange(len(call) + 1))
        turns = tuple(
            self._turn(len(turn.words), word_of[a:b], logits[a:b], states[a:b])
            for turn, a, b in zip(call, bounds[:-1], bounds[1:], strict=True)
        )
        vector = call_vector(call, [turn.vector for turn in turns], self._kernel.shape[0])
        weight, bias = self._client_type
        return CallReading(turns, _named(CLIENT_TYPES, _softmax(weight @ vector + bias)), self.topics.scores(vector), vector)

    def _turn(self, words: int, word_of: NDArray[np.int64], logits: NDArray[np.float32], states: NDArray[np.float32]) -> TurnReading:
        at = {name: logits[:, columns] for name, columns in self._columns.items()}
        personal = np.zeros((words, len(KINDS)), np.float32)
        personal[:, 0] = 1.0
        by_word = {name: np.full((words, len(LABELS[name])), -_MOST_LOGIT, np.float32) for name in ("acts", "severity")}
        seen, first = np.unique(word_of, return_index=True)
        personal[seen] = _softmax(at["personal"][first])
        for name, found in by_word.items():
            np.maximum.at(found, word_of, at[name])
        return TurnReading(
            acts=_named(ACTS, np.asarray(1 / (1 + np.exp(-log_mean_exp(at["acts"]))), np.float32)),
            severity=_named(SEVERITIES, _softmax(log_mean_exp(at["severity"]))),
            target=_named(TARGETS, _softmax(log_mean_exp(at["target"]))),
            sentiment=_named(SENTIMENTS, _softmax(at["sentiment"].mean(0) if words else np.array([0.0, 4.0, 0.0], np.float32))),
            personal=personal,
            act_logits=by_word["acts"],
            severity_logits=by_word["severity"],
            vector=states.mean(0) if len(states) else np.zeros(self._kernel.shape[0], np.float32),
        )


def call_vector(call: Sequence[TurnText], vectors: Sequence[NDArray[np.float32]], width: int) -> NDArray[np.float32]:
    """A call as one vector: the client's turns weighted by length, the client's first two turns, and all turns equally, concatenated.

    Turns without words are ignored; where the client says nothing, all turns are used in place of the client's.
    """
    spoken = [(turn, vector) for turn, vector in zip(call, vectors, strict=True) if turn.words]
    if not spoken:
        return np.zeros(3 * width, np.float32)
    client = [(len(turn.words) + 1, vector) for turn, vector in spoken if turn.role == "client"]
    client = client or [(len(turn.words) + 1, vector) for turn, vector in spoken]
    parts = (
        np.average([v for _, v in client], axis=0, weights=[n for n, _ in client]),
        np.mean([v for _, v in client[:2]], axis=0),
        np.mean([v for _, v in spoken], axis=0),
    )
    return np.concatenate(parts).astype(np.float32)


def log_mean_exp(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """A pooling between mean and maximum over the rows: a few strong words are enough. For no rows, the lowest value."""
    if not len(logits):
        return np.full(logits.shape[1], -_MOST_LOGIT, np.float32)
    out: NDArray[np.float32] = np.log(np.exp(np.clip(logits, -_MOST_LOGIT, _MOST_LOGIT)).mean(0))
    return out


def _named(names: Sequence[str], values: NDArray[np.float32]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    out: NDArray[np.float32] = raised / raised.sum(-1, keepdims=True)
    return out
