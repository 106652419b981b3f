"""The sentences that the text heads are trained on, as they are written in `models/training` and as recognition may give them.

A list entry is a template: `(one|two|)` is one of its parts, `{company}`, `{name}` and `{n}` are filled in, and sometimes left empty, since
masking leaves them out. Everything that comes of one template belongs to one group, so that no measure sees a template in training and in test.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "training"
PER_TEMPLATE = 6  # wordings of one template
NOTHING = "none"  # the label of a sentence that does nothing of what is looked for
_EMPTY_SLOT = 0.3
_SLOTS: dict[str, dict[str, tuple[str, ...]]] = {
    "ru": {
        "company": (
            "Горэнергосбыт", "Сетьтелеком", "компания Лайтнет", "Востокэнерго", "энергосбыт Прибой", "Телеком Плюс", "оператор связи Волна", "Домашний интернет Орбита", "Теплосервис", "служба поддержки Мегалинк",
        ),
        "name": ("Ольга", "Дмитрий", "Наталья", "Сергей", "Алина", "Павел", "Екатерина", "Руслан", "Ирина Викторовна", "Светлана"),
        "n": ("два", "семь", "сорок", "сто"),
    },
    "uk": {
        "company": ("Міськенергозбут", "Карпатиенерго", "компанія Світлонет", "енергетична компанія Промінь", "Телеком Захід", "оператор Хвиля", "контактний центр Джерело"),
        "name": ("Оксана", "Тарас", "Наталія", "Богдан", "Ярослава", "Петро", "Катерина", "Світлана", "Андрій"),
        "n": ("два", "сім", "сорок", "сто"),
    },
    "hu": {
        "company": ("Kristály Mobil", "Hullám Telekom", "Dunafény Energia", "Villám Áramszolgáltató", "Csillag Net"),
        "name": ("Eszter", "Gábor", "Kovács Zita", "Balázs", "Réka", "Nagy Péter"),
        "n": ("két", "hét", "negyven", "száz"),
    },
    "en": {
        "company": ("Brightline Energy", "Northwave Mobile", "Citynet", "Harbour Power", "Skylink Telecom"),
        "name": ("Olivia", "James", "Hannah", "Mark", "Grace", "Daniel"),
        "n": ("two", "seven", "forty", "a hundred"),
    },
}  # fmt: skip
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")
# sounds that recognition takes for one another
_CONFUSED = {
    "о": "а", "а": "о", "е": "и", "и": "е", "я": "е", "ы": "и", "і": "и", "є": "е", "б": "п", "п": "б", "д": "т", "т": "д", "г": "к", "к": "г", "з": "с", "с": "з", "ж": "ш", "в": "ф", "щ": "ш", "ё": "е", "й": "и",
    "á": "a", "é": "e", "ö": "o", "ő": "ö", "ü": "u", "ű": "ü", "ó": "o", "í": "i", "s": "z", "z": "s", "b": "p", "p": "b", "d": "t", "t": "d", "g": "k", "k": "g", "v": "f", "f": "v", "i": "e", "e": "i",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with all its labels (none of them when it does nothing), the language, and the template that it came of."""

    text: str
    labels: tuple[str, ...]
    language: str
    group: str


def written(kind: str, rng: random.Random) -> list[Sentence]:
    """Every sentence of `models/training/<kind>/<language>*.yaml`, its templates filled in."""
    found: list[Sentence] = []
    for path in sorted((FOLDER / kind).glob("*.yaml")):
        code = path.stem.partition("_")[0]
        for key, templates in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            labels = () if key == NOTHING else tuple(key.split("+"))
            found += [Sentence(text, labels, code, f"{code}:{t}") for t in templates for text in _filled(t, code, rng)]
    return found


def joined(sentences: Sequence[Sentence], count: int, rng: random.Random) -> Iterator[Sentence]:
    """Turns of two sentences of one language, with the labels of both; the group is that of the first."""
    by_language: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        by_language.setdefault(sentence.language, []).append(sentence)
    for _ in range(count):
        first = rng.choice(sentences)
        second = rng.choice(by_language[first.language])
        labels = tuple(dict.fromkeys((*first.labels, *second.labels)))
        yield Sentence(f"{first.text} {second.text}", labels, first.language, first.group)


def as_recognised(text: str, rng: random.Random) -> str:
    """The text as speech recognition may give it: no case, no punctuation, a word lost, a word misheard or joined with the next."""
    words, i = _worn(text, 0.3, rng)
    if i is not None:
        words[i] = misheard_word(words[i], rng)
    if len(words) > 2 and rng.random() < 0.1:
        i = rng.randrange(len(words) - 1)
        words[i : i + 2] = [words[i] + words[i + 1].lower()]
    return " ".join(words)


def with_losses(text: str, rng: random.Random) -> str:
    """The text as poor recognition may give it: no case, no punctuation, a word or a letter lost."""
    words, i = _worn(text, 0.5, rng)
    if i is not None:
        cut = rng.randrange(1, len(words[i]) - 1)
        words[i] = words[i][:cut] + words[i][cut + 1 :]
    return " ".join(words)


def _worn(text: str, lost: float, rng: random.Random) -> tuple[list[str], int | None]:
    """The words, plain or as they stand, one of them `lost` so often; and which long one is to be spoilt, if any."""
    words = re.sub(r"[^\w\s']", "", text.lower()).split() if rng.random() < 0.5 else text.split()
    if len(words) > 4 and rng.random() < lost:
        del words[rng.randrange(len(words))]
    long = [i for i, word in enumerate(words) if len(word) > 5]
    return words, rng.choice(long) if long and rng.random() < 0.5 else None


def misheard_word(word: str, rng: random.Random) -> str:
    """A long word with a sound taken for another, a letter lost, or torn in two."""
    at = rng.randrange(1, len(word) - 1)
    kind = rng.random()
    if kind < 0.6:
        return word[:at] + _CONFUSED.get(word[at], word[at]) + word[at + 1 :]
    if kind < 0.8:
        return word[:at] + word[at + 1 :]
    return f"{word[:at]} {word[at:]}" if 2 <= at <= len(word) - 3 else word[:-1]


def _filled(template: str, code: str, rng: random.Random) -> list[str]:
    """Up to PER_TEMPLATE different wordings of a template, drawn at random."""
    choices = [m.group(1).split("|") for m in _CHOICE.finditer(template)]
    texts: list[str] = []
    for picked in rng.sample(every := list(product(*choices)), min(PER_TEMPLATE, len(every))):
        parts = iter(picked)
        texts.append(_CHOICE.sub(lambda _, parts=parts: next(parts), template))  # type: ignore[misc]
    if _SLOT.search(template):
        texts = [_with_slots(text, code, rng) for text in (texts * PER_TEMPLATE)[:PER_TEMPLATE]]
    return list(dict.fromkeys(re.sub(r"\s+", " ", re.sub(r"\s+([,.!?])", r"\1", text)).strip(" ,") for text in texts))


def _with_slots(text: str, code: str, rng: random.Random) -> str:
    def value(match: re.Match[str]) -> str:
        may_be_masked = match.group(1) == "name"
        return "" if may_be_masked and rng.random() < _EMPTY_SLOT else rng.choice(_SLOTS[code][match.group(1)])

    return _SLOT.sub(value, text)
