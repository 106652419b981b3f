"""What the text model makes of each sentence of a call: which speech acts an operator's does, what abuse a client's may be.

The model reads what no list of phrases foresees, and errs where a phrase would not. So what it reads is a probability set against the limits
that its head was given in cross-validation (`models/heads/heads.yaml`), never a verdict: `acts` and `abuse` say how far it counts beside phrases and
lexicon. Nobody's feelings are read from a voice, and no operator is ever accused by what is read here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.classifier import ANY, MODELS_DIR, NONE, Head, get_classifier
from pipelines.records import Turn

LONGEST_WORDS = 16  # longer sentences are read in parts: recognition leaves full stops out
_STOPS = (".", "?", "!", "…")
_CLOSERS = "\"'»)”"


class Reader(Protocol):
    """What reads the sentences: `models.classifier.TextClassifier`, or a stand-in of a test."""

    def read(self, head: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How likely each label of a head is for each text."""
        ...

    def head(self, name: str) -> Head:
        """One of the heads, for its labels and limits."""
        ...


@dataclass(frozen=True, slots=True)
class Likely:
    """What a sentence may be: tokens first..last-1 of its turn, how likely (0 to 1), and whether that is beyond the limit of sure."""

    name: str
    first: int
    last: int
    probability: float
    is_sure: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in a call, by turn number; turns in which nothing was found are not there."""

    acts: Mapping[int, tuple[Likely, ...]] = field(default_factory=dict)  # of operators, and of speakers whose role is unknown
    abuse: Mapping[int, tuple[Likely, ...]] = field(default_factory=dict)  # of clients, and of speakers whose role is unknown


NOTHING_READ = Reading()


def read_turns(turns: Sequence[Turn], profile: str = "offline", models_dir: Path | None = None, reader: Reader | None = None) -> Reading:
    """What the text model of a profile makes of the turns of one call; `reader` reads in its place."""
    said = [(turn, first, last, text) for turn in turns for first, last, text in sentences_of(turn)]
    if not said:
        return NOTHING_READ
    model = reader or get_classifier(profile, models_dir or MODELS_DIR)
    acts = _found(model, "acts", [s for s in said if s[0].role != "client"])
    abuse = _found(model, "abuse", [s for s in said if s[0].role != "operator"])
    return Reading(acts, abuse)


def _found(model: Reader, name: str, said: Sequence[tuple[Turn, int, int, str]]) -> dict[int, tuple[Likely, ...]]:
    head = model.head(name)
    found: defaultdict[int, list[Likely]] = defaultdict(list)
    for (turn, first, last, _), row in zip(said, model.read(name, [text for *_, text in said]), strict=True):
        for label, p in _probabilities(head, row):
            limit = ANY if head.is_exclusive else label
            if p >= head.maybe[limit]:
                found[turn.turn_no].append(Likely(label, first, last, round(p, 3), p >= head.sure[limit]))
    return {turn_no: tuple(rows) for turn_no, rows in found.items()}


def _probabilities(head: Head, row: NDArray[np.float32]) -> list[tuple[str, float]]:
    """The labels of a sentence with their probabilities; of an exclusive head the likeliest that is not `none`, with that of any at all."""
    labels = [(label, float(p)) for label, p in zip(head.labels, row, strict=True) if label != NONE]
    if not head.is_exclusive:
        return labels
    return [(max(labels, key=lambda pair: pair[1])[0], sum(p for _, p in labels))]


def texts_to_read(turns: Iterable[Turn]) -> list[str]:
    """Every text of the turns that some head will read, so that those of many calls can be encoded together."""
    return [text for turn in turns if turn.tokens for *_, text in sentences_of(turn)]


def sentences_of(turn: Turn) -> list[tuple[int, int, str]]:
    """The sentences of a turn: first token, last token + 1, and the words without placeholders; a lone word goes with what follows."""
    bounds = [0]
    for n, token in enumerate(turn.tokens, 1):
        is_end = token.text.rstrip(_CLOSERS).endswith(_STOPS)
        if n == len(turn.tokens) or (is_end and n - bounds[-1] > 1):
            bounds.append(n)
    pieces = [piece for first, last in pairwise(bounds) for piece in _parts(turn, first, last)]
    if len(pieces) > 1 and pieces[-1][1] - pieces[-1][0] == 1:  # nothing follows the last word
        pieces[-2:] = [(pieces[-2][0], pieces[-1][1])]
    texts = [(first, last, plain(" ".join(t.text for t in turn.tokens[first:last]))) for first, last in pieces]
    return [piece for piece in texts if piece[2] != "."]


def _parts(turn: Turn, first: int, last: int) -> list[tuple[int, int]]:
    """A long sentence cut at the comma nearest to its middle, or in the middle, until no part is too long."""
    if last - first <= LONGEST_WORDS:
        return [(first, last)]
    middle = (first + last) // 2
    commas = [n + 1 for n in range(first + 2, last - 3) if turn.tokens[n].text.endswith((",", ";", "—"))]
    cut = min(commas, key=lambda n: abs(n - middle), default=middle)
    return [*_parts(turn, first, cut), *_parts(turn, cut, last)]


def plain(text: str) -> str:
    """Placeholders say nothing of what is meant, and the model has never seen them."""
    return " ".join(word for word in text.split() if not word.startswith("[")) or "."
