"""Similarity of two stretches by letters and by sounds: recognition splits names differently, but preserves their sounds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache

import yaml
from rapidfuzz import fuzz

from models.languages.phrases import LOADER
from pipelines.centres import profile

LEAST_LETTERS = 10  # shorter names resemble common words
_WORTH_A_LOOK = 0.5
_SAME_LETTERS = 0.5  # by letters alone the same company is at least this similar
SAME = 0.9  # a company of the list that is the centre's own
_PAIRS = (("sz", "s"), ("zs", "s"), ("cs", "s"), ("sh", "s"), ("ch", "s"), ("ck", "k"), ("ph", "f"), ("th", "t"), ("x", "ks"))
# letters that recognition confuses: voiced and voiceless, stressed and unstressed vowels, the same sound in two alphabets
_SOUNDS = str.maketrans(
    {
        **dict.fromkeys("бпbp", "p"), **dict.fromkeys("вфvfw", "f"), **dict.fromkeys("гґкgkcq", "k"), **dict.fromkeys("дтdt", "t"),
        **dict.fromkeys("жзсцчшщzsj", "s"), **dict.fromkeys("аоёяao", "a"), **dict.fromkeys("еиіїєыэeiy", "i"), **dict.fromkeys("уюu", "u"),
        **dict.fromkeys("мнmn", "n"), **dict.fromkeys("лl", "l"), **dict.fromkeys("рr", "r"), **dict.fromkeys("йхъьh'- ", ""),
    }
)  # fmt: skip
_REPEATED = re.compile(r"(.)\1+")
_SHORTEST, _LONGEST = 0.6, 1.5  # length of the recognised words relative to the name
_HEAD, _HEAD_WEIGHT = 0.5, 0.6  # "Телеком", "Energy Services": the distinctive part comes first
_MOST_WORDS = 6  # a name is split into at most this many words


@lru_cache(maxsize=50_000)
def sounds(text: str) -> str:
    """A rough phonetic key of a word or a name, equal for words that are easily confused: "Kyiv" and "Кеев" are `kif`."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text.lower().replace("й", "")) if not unicodedata.combining(c))
    for letters, one in _PAIRS:
        plain = plain.replace(letters, one)
    return _REPEATED.sub(r"\1", plain.translate(_SOUNDS))


def similarity(recognised: str, name: str) -> float:
    """The similarity of two stretches, 0 to 1: the better of letters and sounds, joined without spaces; short sounds count less."""
    one, other = _joined(recognised), _joined(name)
    by_letters = fuzz.ratio(one, other) / 100
    first, second = sounds(recognised), sounds(name)
    if not first or not second:
        return by_letters
    return max(by_letters, (by_letters + fuzz.ratio(first, second) / 100) / 2)


def name_similarity(recognised: str, name: str) -> float:
    """The probability that a stretch is a company's name, 0 to 1: its first half counts more, since companies of one kind end alike."""
    one, other = _joined(recognised), _joined(name)
    half = len(other) * _HEAD
    ends = {round(len(one) * _HEAD) + shift for shift in (-1, 0, 1)} | {round(half)}
    head = max(similarity(one[:end], other[: round(half)]) for end in ends)
    return (1 - _HEAD_WEIGHT) * similarity(recognised, name) + _HEAD_WEIGHT * head


def windows(words: Sequence[str], name: str, least_letters: float = 0.0) -> Iterator[tuple[int, int, float]]:
    """Runs of words (first, last + 1) of about a name's length, with their similarity to it; those dissimilar by letters are dropped."""
    plain = _joined(name)
    letters = len(plain)
    for first in range(len(words)):
        joined_letters = 0
        for last in range(first, min(first + _MOST_WORDS, len(words))):
            joined_letters += len(_joined(words[last]))
            if joined_letters > _LONGEST * letters:
                break
            said = "".join(words[first : last + 1])
            if joined_letters >= _SHORTEST * letters and fuzz.ratio(said.replace("-", ""), plain) >= 100 * least_letters:
                yield first, last + 1, name_similarity(said, name)


def company_similarity(words: Sequence[str], names: Iterable[str]) -> tuple[int, int, float] | None:
    """The run of words (first, last + 1) most similar to a company's name, and its similarity; None where another company fits better."""
    own = [name for name in names if len(_joined(name)) >= LEAST_LETTERS]
    taken = _named_others(words, own)
    best: tuple[int, int, float] | None = None
    for name in own:
        for first, last, alike in windows(words, name):
            if alike < max(_WORTH_A_LOOK, best[2] if best else 0.0) or taken & set(range(first, last)):
                continue
            if not is_another("".join(words[first:last]), name, alike):
                best = (first, last, alike)
    return best


def is_another(recognised: str, name: str, alike: float) -> bool:
    """Whether words with this similarity to a company's name are more similar to another company's."""
    letters = len(_joined(recognised))
    others = (other for other in _other_companies() if _SHORTEST * len(_joined(other)) <= letters <= _LONGEST * len(_joined(other)))
    return any(name_similarity(recognised, other) > alike for other in others if not _is_of(other, name))


@cache
def _is_of(other: str, name: str) -> bool:
    """Whether a listed name is the company's own, or a part of it: "Telekom" of "Kredo Telecom"."""
    return sounds(other) in sounds(name) or name_similarity(other, name) >= SAME


def _named_others(words: Sequence[str], own: Sequence[str]) -> set[int]:
    """The words that clearly name another company."""
    others = [other for other in _other_companies() if not any(_is_of(other, name) for name in own)]
    return {
        n for other in others for first, last, alike in windows(words, other, _SAME_LETTERS) if alike >= SAME for n in range(first, last)
    }


@cache
def _other_companies() -> tuple[str, ...]:
    lists = yaml.load((profile.FOLDER / "other_companies.yaml").read_text(encoding="utf-8"), LOADER)
    return tuple(str(name) for names in lists for name in names)


def _joined(text: str) -> str:
    return re.sub(r"[\s-]+", "", text.lower())
