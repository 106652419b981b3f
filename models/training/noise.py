"""Simulates recognition errors in written dialogue, word by word, so that word labels stay aligned.

The error rates were learned from pairs of spoken and recognised text, per language: `noise.json`, written by `learn_noise`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from num2words import num2words

LEARNED = Path(__file__).with_name("noise.json")
_BARE = re.compile(r"[^\w'’-]+")
_STOPS = ".,;:?!…"
_ERROR_RATES = (0.0, 0.0, 0.0, 0.03, 0.08, 0.15, 0.25)
_SHORTEST = 3  # letters: shorter words are not changed
_FEW_WORDS = 3  # with so few words, none is lost


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise applied to one call."""

    is_masked: bool  # as the turn model sees it after redaction
    has_digits: bool
    error_rate: float  # of the words
    case: str  # kept | lower | bare: no punctuation either
    moved_stops: float  # share of the words that lose or get a stop

    @classmethod
    def drawn(cls, draw: random.Random) -> Noise:
        """Random noise; half of the calls stay as written."""
        case = draw.choices(("kept", "lower", "bare"), (0.6, 0.1, 0.3))[0]
        rate = draw.choice(_ERROR_RATES)
        return cls(draw.random() < 0.45, draw.random() < 0.3, rate, case, rate / 2 if draw.random() < 0.7 else 0.0)


@dataclass(frozen=True, slots=True)
class Habits:
    """The recognition errors of a language, as shares of the words that are recognised wrongly."""

    lost: float
    joined: float  # with the next word
    split: float
    letters: dict[str, tuple[tuple[str, ...], tuple[float, ...]]]  # letter → its replacements ("" = lost), and their frequencies
    edits: tuple[float, ...]  # frequencies of one, two and three changed letters in a misrecognised word


def add_errors(
    words: Sequence[str], labels: Sequence[str], language: str, noise: Noise, draw: random.Random
) -> tuple[list[str], list[str]]:
    """The words of a turn with their labels, with simulated recognition errors."""
    noisy, kept = list(words), list(labels)
    if noise.is_masked:
        noisy, kept = masked(noisy, kept)
    if noise.has_digits:
        noisy, kept = with_digits(noisy, kept, language, draw)
    if noise.error_rate:
        noisy, kept = misheard(noisy, kept, language, noise.error_rate, draw)
    if noise.moved_stops:
        noisy = [with_moved_stop(w, noise.moved_stops, draw) for w in noisy]
    if noise.case == "bare":
        return bare(noisy, kept)
    if noise.case == "lower":
        noisy = [w if w[:1] == "[" else w.lower() for w in noisy]
    return noisy, kept


def masked(words: Sequence[str], labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Personal data replaced by its placeholder, as after redaction; a placeholder is no longer labelled personal data."""
    out: list[str] = []
    for n, (word, label) in enumerate(zip(words, labels, strict=True)):
        if not label:
            out.append(word)
        elif n == 0 or labels[n - 1] != label:
            out.append(f"[{label.upper()}]")
    return out, [""] * len(out)


def bare(words: Sequence[str], labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Lower case without punctuation; a token of only punctuation is dropped."""
    kept = [(plain, label) for w, label in zip(words, labels, strict=True) if (plain := w if w[:1] == "[" else _BARE.sub("", w.lower()))]
    return [w for w, _ in kept], [label for _, label in kept]


def misheard(words: Sequence[str], labels: Sequence[str], language: str, rate: float, draw: random.Random) -> tuple[list[str], list[str]]:
    """The words with this share lost, misrecognised, split in two or joined with the next word of the same label."""
    found = garbled(words, language, rate, draw, lambda n: labels[n] == labels[n + 1])
    return [word for word, _, _ in found], [labels[first] for _, first, _ in found]


def garbled(
    words: Sequence[str], language: str, rate: float, draw: random.Random, may_join: Callable[[int], bool] = lambda _: True
) -> list[tuple[str, int, int]]:
    """Words with simulated recognition errors: each resulting word with the first source word and the one after the last.

    Args:
        words: of one turn; placeholders of personal data stay.
        language: whose error rates apply.
        rate: share of the words that are lost, misrecognised, split in two or joined with the next.
        draw: the random generator.
        may_join: whether the word of a number may be joined with the next one.
    """
    habits = _habits(language)
    out: list[tuple[str, int, int]] = []
    n = 0
    while n < len(words):
        word = words[n]
        n += 1
        if word[:1] == "[" or draw.random() >= rate:
            out.append((word, n - 1, n))
            continue
        kind = draw.random()
        if kind < habits.lost and len(words) > _FEW_WORDS:
            continue
        if kind < habits.lost + habits.split and len(word) > 2 * _SHORTEST:
            at = draw.randrange(2, len(word) - 2)
            out += [(word[:at], n - 1, n), (word[at:], n - 1, n)]
        elif kind > 1 - habits.joined and n < len(words) and words[n][:1] != "[" and may_join(n - 1):
            out.append((word.rstrip(_STOPS) + words[n].lower(), n - 1, n + 1))
            n += 1
        else:
            out.append((misheard_word(word, habits, draw), n - 1, n))
    return out


def misheard_word(word: str, habits: Habits, draw: random.Random) -> str:
    """A word with letters replaced, as often as recognition does it; a short one is unchanged."""
    if len(word) < _SHORTEST:
        return word
    letters = list(word)
    for _ in range(1 + draw.choices(range(len(habits.edits)), habits.edits)[0]):
        at = draw.randrange(len(letters))
        becomes = habits.letters.get(letters[at].lower())
        if becomes:
            letters[at] = draw.choices(becomes[0], becomes[1])[0]
    return "".join(letters) or word


def with_digits(words: Sequence[str], labels: Sequence[str], language: str, draw: random.Random) -> tuple[list[str], list[str]]:
    """Spoken numbers written in digits, as most recognisers do: `сорок пять` becomes `45`."""
    values = _values(language)
    out: list[str] = []
    out_labels: list[str] = []
    n = 0
    while n < len(words):
        for length in (3, 2, 1):
            some = [_BARE.sub("", w.lower()) for w in words[n : n + length]]
            value = values.get(" ".join(some)) if len(some) == length and len(set(labels[n : n + length])) == 1 else None
            inside_ends = any(w[-1:] in _STOPS for w in words[n : n + length - 1])
            if value is not None and not inside_ends:
                tail = words[n + length - 1][len(words[n + length - 1].rstrip(_STOPS)) :]
                if length == 1 and out and out[-1].isdigit() and out_labels[-1] == labels[n] and draw.random() < 0.4:
                    out[-1] += str(value) + tail
                else:
                    out.append(str(value) + tail)
                    out_labels.append(labels[n])
                n += length
                break
        else:
            out.append(words[n])
            out_labels.append(labels[n])
            n += 1
    return out, out_labels


def with_moved_stop(word: str, rate: float, draw: random.Random) -> str:
    """The word without its stop, or with an added one, at this rate."""
    if word[:1] == "[" or draw.random() >= rate:
        return word
    return word.rstrip(_STOPS) or word if word[-1] in _STOPS else word + draw.choice(",.")


@cache
def _habits(language: str) -> Habits:
    learned = json.loads(LEARNED.read_text(encoding="utf-8"))
    own = learned.get(language) or learned["ru"]
    letters = {letter: (tuple(becomes), tuple(becomes.values())) for letter, becomes in own["letters"].items()}
    return Habits(own["lost"], own["joined"], own["split"], letters, tuple(own["edits"]))


@cache
def _values(language: str) -> dict[str, int]:
    return {num2words(n, lang=language).replace("-", " ").replace(" and ", " ").lower(): n for n in range(1000)}
