"""Makes written dialogue look like recognised speech, word by word, so that the labels of words keep their places."""

from __future__ import annotations

import random
import re
from functools import cache

from num2words import num2words

from models.training_text import misheard_word

_BARE = re.compile(r"[^\w'’-]+")


def spoil(
    words: list[str], labels: list[str], before: list[str], language: str, draw: random.Random
) -> tuple[list[str], list[str], list[str]]:
    """Words with their labels, and the words before, as recognition may give them; often left as they are."""
    if draw.random() < 0.5:
        words, labels = masked(words, labels)
    if draw.random() < 0.3:
        words, labels = with_digits(words, labels, language, draw)
    if draw.random() < 0.5:
        words, labels = misheard(words, labels, draw.choice((0.04, 0.1, 0.2)), draw)
    chance = draw.random()
    if chance < 0.4:
        words, labels = bare(words, labels)
        before, _ = bare(before, [""] * len(before))
    elif chance < 0.55:
        words = [w if w[0] == "[" else w.lower() for w in words]
    if draw.random() < 0.1:
        before = []
    return words, labels, before


def masked(words: list[str], labels: list[str]) -> tuple[list[str], list[str]]:
    """Personal data replaced by its placeholder, as judgement reads it after redaction; a placeholder is no personal data any more."""
    out: list[str] = []
    for n, (word, label) in enumerate(zip(words, labels, strict=True)):
        if not label:
            out.append(word)
        elif n == 0 or labels[n - 1] != label:
            out.append(f"[{label.upper()}]")
    return out, [""] * len(out)


def bare(words: list[str], labels: list[str]) -> tuple[list[str], list[str]]:
    """Lower case without punctuation; a word of punctuation alone is dropped."""
    kept = [(plain, label) for w, label in zip(words, labels, strict=True) if (plain := w if w[:1] == "[" else _BARE.sub("", w.lower()))]
    return [w for w, _ in kept], [label for _, label in kept]


def misheard(words: list[str], labels: list[str], rate: float, draw: random.Random) -> tuple[list[str], list[str]]:
    """So many of the words lost, spoilt or joined with the next one."""
    out: list[str] = []
    out_labels: list[str] = []
    join = False
    for word, label in zip(words, labels, strict=True):
        if join and out and out_labels[-1] == label:
            out[-1] += word.lower()
            join = False
            continue
        join = False
        if draw.random() < rate:
            kind = draw.random()
            if kind < 0.25 and len(words) > 3:
                continue
            if kind < 0.35:
                join = True
            elif len(word) > 3 and word[0] != "[":
                parts = misheard_word(word, draw).split()
                out += parts
                out_labels += [label] * len(parts)
                continue
        out.append(word)
        out_labels.append(label)
    return out, out_labels


def with_digits(words: list[str], labels: list[str], language: str, draw: random.Random) -> tuple[list[str], list[str]]:
    """Spoken numbers written in digits, as most recognisers do: `сорок пять` becomes `45`."""
    values = _values(language)
    out: list[str] = []
    out_labels: list[str] = []
    n = 0
    while n < len(words):
        for length in (3, 2, 1):
            some = [_BARE.sub("", w.lower()) for w in words[n : n + length]]
            value = values.get(" ".join(some)) if len(some) == length and len(set(labels[n : n + length])) == 1 else None
            inside_ends = any(w[-1:] in ".,;:?!" for w in words[n : n + length - 1])
            if value is not None and not inside_ends:
                tail = words[n + length - 1][len(words[n + length - 1].rstrip(".,;:?!")) :]
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


@cache
def _values(language: str) -> dict[str, int]:
    return {num2words(n, lang=language).replace("-", " ").replace(" and ", " ").lower(): n for n in range(1000)}
