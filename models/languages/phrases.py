"""Phrases compiled to patterns over lemmas, and the similarity of recognised words to expected ones. `language` has the syntax."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import product
from typing import Any

import yaml
from rapidfuzz import fuzz, process

from models.languages.dictionaries import is_known, lemmas

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader, where PyYAML was built with it, is ten times faster
APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "‘": "'", "ё": "е"})
_GAP = 2  # other words allowed between two words of a phrase
_WIDE_GAP = 6
_FUZZY_LENGTH = 5  # letters: shorter words must match exactly, as one letter makes another word of them
_LEAST_KNOWN = 88.0  # a dictionary word is seldom a misrecognition of another word
_LEAST_UNKNOWN = 76.0
_LONG = 10  # letters of a name that may be recognised as several words


@dataclass(frozen=True, slots=True)
class PhraseSlot:
    """One position of a phrase."""

    unit: SlotMatcher
    gap: int  # other words allowed before it
    is_optional: bool
    is_long: bool  # may be recognised as two or three words


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled phrase."""

    places: tuple[PhraseSlot, ...]
    unless: tuple[SlotMatcher, ...]
    weight: float  # 1.0, or less for a weaker signal
    wanted: tuple[frozenset[str], ...] = ()  # per mandatory single-word slot: the options allowed there

    def may_be_in(self, near: frozenset[str]) -> bool:
        """Whether a match is possible at all among words with these options; most phrases need no search."""
        return not any(near.isdisjoint(options) for options in self.wanted)


def near_options(words: tuple[str, ...], language: str) -> frozenset[str]:
    """Every option of any phrase of a language that one of the recognised words may be; for phrases that are compiled already."""
    return _near_options(words, language, len(_vocabulary(language).known))


@dataclass(slots=True, eq=False)
class SlotMatcher:
    """The options of one slot, with a cache of scores."""

    options: tuple[str, ...]
    language: str
    scores: dict[str, float] = field(default_factory=dict)

    def score(self, word: str) -> float:
        """The match score of a recognised word, 0 to 1."""
        known = self.scores.get(word)
        if known is None:
            if len(self.scores) > 20_000:
                self.scores.clear()
            near = _vocabulary(self.language).near(word)
            known = self.scores[word] = max((near.get(option, 0.0) for option in self.options), default=0.0)
        return known

    def joined_score(self, word: str) -> float:
        """The match score of several words, joined, with a long option."""
        near = _vocabulary(self.language).near_joined(word)
        return max((near.get(option, 0.0) for option in self.options), default=0.0) if near else 0.0


@lru_cache(maxsize=20_000)
def compile_phrase(phrase: str, language: str) -> tuple[Pattern, ...]:
    """The patterns of a phrase: one, or several when a group has joined words. Raises ValueError for a syntax error."""
    places: list[list[list[tuple[str, int, bool]]]] = []  # slot → alternatives → (options, gap, optional) in order
    unless: list[SlotMatcher] = []
    gap, weight = _GAP, 1.0
    for part in re.findall(r"(?:\([^)]*\)|[^\s()])+", phrase.replace("’", "'")) if _is_balanced(phrase) else _refuse(phrase):
        if part == "...":
            gap = _WIDE_GAP
        elif re.fullmatch(r"/[1-9]\d", part):
            weight = int(part[1:]) / 100
        elif part.startswith("-"):
            unless.append(_unit(part[1:], language))
        else:
            for n, piece in enumerate(_joined(part)):
                places.append(_alternatives(piece, 0 if n else gap, phrase))
            gap = _GAP
    if not places or all(row[0][2] for place in places for row in place):
        raise ValueError(f"the phrase {phrase!r} has no mandatory word")
    patterns = []
    needed = sum(not row[2] for place in places for row in place[0])
    for chosen in product(*places):
        row = [
            PhraseSlot(unit, before, optional, needed == 1 and any(len(o) >= _LONG for o in unit.options))
            for alternative in chosen
            for options, before, optional in alternative
            for unit in [_unit(options, language)]
        ]
        wanted = tuple(frozenset(place.unit.options) for place in row if not (place.is_optional or place.is_long))
        patterns.append(Pattern(tuple(row), tuple(unless), weight, wanted))
    return tuple(patterns)


def _is_balanced(phrase: str) -> bool:
    return re.fullmatch(r"(?:[^()]|\([^()\s]+\))*", phrase) is not None


def _refuse(phrase: str) -> list[str]:
    raise ValueError(f"the phrase {phrase!r} has a group with a space or a group inside; write (one|two_words|three)")


def _joined(part: str) -> list[str]:
    """Splits `a_b` into a and b; a group and a placeholder keep their underscores."""
    return [part] if part.startswith("[") else [p for p in re.split(r"_(?![^(]*\))", part) if p]


def _alternatives(piece: str, gap: int, phrase: str) -> list[list[tuple[str, int, bool]]]:
    optional = piece.endswith("~")
    piece = piece.rstrip("~")
    if not piece.startswith("("):
        return [[(piece, gap, optional)]]
    options = piece[1:-1].split("|")
    single = [o for o in options if "_" not in o]
    rows = [[("|".join(single), gap, optional)]] if single else []
    for option in options:
        if "_" in option:
            words = option.split("_")
            if optional and not single:
                raise ValueError(f"the phrase {phrase!r} has an optional group of joined words only")
            rows.append([(word, 0 if n else gap, False) for n, word in enumerate(words)])
    return rows


@lru_cache(maxsize=50_000)
def _unit(text: str, language: str) -> SlotMatcher:
    given = text.strip("()").split("|")
    options = [unicodedata.normalize("NFC", o if o.startswith("[") else o.lower()).translate(APOSTROPHES) for o in given]
    if not options or any(not re.search(r"\w", o) for o in options):
        raise ValueError(f"{text!r} is not a valid word in a phrase")
    vocabulary = _vocabulary(language)
    for option in options:
        vocabulary.add(option)
    return SlotMatcher(tuple(options), language)


class _Vocabulary:
    """All words of the phrases of one language; each recognised word is compared with all of them at once."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.known: dict[str, int] = {}
        self.by_word: dict[str, list[str]] = {}
        self.by_lemma: dict[str, list[str]] = {}
        self.stems: list[str] = []
        self.bare: list[str] = []  # words and lemmas that may be misrecognised, with the option of each
        self.option_of: list[str] = []
        self.long: list[str] = []
        self.met: dict[str, tuple[int, dict[str, float]]] = {}
        self.met_joined: dict[str, tuple[int, dict[str, float]]] = {}

    def add(self, option: str) -> None:
        """Add a word."""
        if option in self.known:
            return
        self.known[option] = len(self.known)
        if len(option) >= _LONG:
            self.long.append(option)
        if option.endswith("*"):
            self.stems.append(option)
            return
        word = option.removeprefix("=")
        self.by_word.setdefault(word.replace("-", ""), []).append(option)
        forms = {word.replace("-", "")}
        if not option.startswith("="):
            for form in lemmas(word, self.language):
                self.by_lemma.setdefault(form, []).append(option)
                forms.add(form.replace("-", ""))
        for form in sorted(forms):
            if len(form) >= _FUZZY_LENGTH:
                self.bare.append(form)
                self.option_of.append(option)

    def near(self, word: str) -> dict[str, float]:
        """The options that a recognised word may be, with scores 0 to 1."""
        size, scores = self.met.get(word, (-1, {}))
        if size == len(self.known):
            return scores
        if len(self.met) > 50_000:
            self.met.clear()
        scores = self._compare(word)
        self.met[word] = (len(self.known), scores)
        return scores

    def near_joined(self, word: str) -> dict[str, float]:
        """The long options that several words, joined, may be, with scores 0 to 1."""
        size, scores = self.met_joined.get(word, (-1, {}))
        if size == len(self.long):
            return scores
        if len(self.met_joined) > 50_000:
            self.met_joined.clear()
        found = process.extract(word, self.long, scorer=fuzz.ratio, score_cutoff=_LEAST_UNKNOWN, limit=None)
        scores = {option: score / 100 for option, score, _ in found}
        self.met_joined[word] = (len(self.long), scores)
        return scores

    def _compare(self, word: str) -> dict[str, float]:
        bare = word.replace("-", "")
        scores: dict[str, float] = {}
        forms = lemmas(word, self.language)
        if word[:1] != "[" and len(bare) >= _FUZZY_LENGTH:
            least = _LEAST_KNOWN if is_known(word, self.language) else _LEAST_UNKNOWN
            for form in dict.fromkeys((bare, forms[0].replace("-", ""))):
                for _, score, index in process.extract(form, self.bare, scorer=fuzz.ratio, score_cutoff=least, limit=None):
                    option = self.option_of[index]
                    if option.startswith("=") and least == _LEAST_KNOWN:
                        continue  # a known word is not a misrecognition of another form
                    scores[option] = max(scores.get(option, 0.0), score / 100)
        for form in forms:
            for option in self.by_lemma.get(form, ()):
                scores[option] = 1.0
        for option in self.by_word.get(bare, ()):
            scores[option] = 1.0
        for stem in self.stems:
            if word.startswith(stem[:-1]):
                scores[stem] = 1.0
        return scores


@lru_cache(maxsize=512)
def _near_options(words: tuple[str, ...], language: str, _: int) -> frozenset[str]:
    near = _vocabulary(language).near
    return frozenset(option for word in words for option, score in near(word).items() if score)


@cache
def _vocabulary(language: str) -> _Vocabulary:
    return _Vocabulary(language)
