"""Words, lemmas and phrases of the four languages, so that rules are written once and survive inflection and recognition errors.

A phrase is a small pattern over lemmas, written as people say it:

    спасибо за ожидание        these words in this order, with at most two others between neighbours
    (подождать|остаться) на линия   one of several words at a place
    чем~ помочь                a word that may be missing
    не_знать                   neighbours with nothing between them
    дзвінок ... завершити      up to six other words between
    =всё                       this very form, not another form of the word
    megold*                    any word that begins so
    понимать -правильно        not when that word stands inside, up to six words before or three after
    извинить ... ожидание /60  a weaker sign: its score is at most 0.6
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from rapidfuzz import fuzz

LANGUAGES = ("ru", "uk", "hu", "en")
ACTS = (
    "greeting", "company", "self_name", "offer_help", "identify", "clarify", "empathy", "solution", "self_service", "hold_ask",
    "hold_thanks", "anything_else", "thanks", "farewell", "warn_abuse", "end_notice", "night_notice", "redirect", "callback_intro",
    "forbidden", "discloses",
)  # fmt: skip
FOLDER = Path(__file__).with_name("languages")

_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "‘": "'", "ё": "е"})
_WORD = re.compile(r"\[[a-z_]+\]|\w+(?:['-]\w+)*")
_GAP = 2  # other words that may stand between two words of a phrase
_WIDE_GAP = 6
_LEAST_UNIT = 72.0  # one word may be heard this badly when the others are clear
_FUZZY_LENGTH = 5  # shorter words must match exactly: one letter makes another word of them


@dataclass(frozen=True, slots=True)
class Language:
    """What the project knows of one language, as `models/languages/<code>.yaml` says it."""

    code: str
    name: str
    acts: Mapping[str, tuple[str, ...]]  # speech act → phrases
    topics: Mapping[str, tuple[str, ...]]
    client_types: Mapping[str, tuple[str, ...]]
    first_names: frozenset[str]
    lexicon: Mapping[str, Any]  # models/languages/abuse/<code>.yaml, empty where there is none


def words_of(text: str) -> list[str]:
    """The words of a text, lower-cased and bare; a placeholder such as `[ACCOUNT]` stays one word, in capitals."""
    plain = unicodedata.normalize("NFC", text.lower()).translate(_APOSTROPHES)
    return [w.upper() if w[0] == "[" else w for w in _WORD.findall(plain)]


def lemma(word: str, language: str) -> str:
    """The dictionary form of a word; an unknown word comes back lower-cased."""
    return _lemmas(word.lower().translate(_APOSTROPHES), language)[0]


@lru_cache(maxsize=100_000)
def is_first_name(word: str, language: str) -> bool:
    """Whether a word is a person's given name, by the dictionary (ru, uk) or by the language's list."""
    if word in load(language).first_names or lemma(word, language) in load(language).first_names:
        return True
    if language not in ("ru", "uk") or len(word) < 3:
        return False
    # Ukrainian operators bear Russian names and the other way round
    return any("Name" in p.tag and p.is_known and p.score >= 0.1 for code in ("ru", "uk") for p in _morph(code).parse(word))


@lru_cache(maxsize=100_000)
def parses(word: str, language: str) -> tuple[Any, ...]:
    """The readings of a Russian or Ukrainian word, the likeliest first: pymorphy3's parses with `tag`, `score`, `is_known`."""
    return tuple(_morph(language).parse(word))


@cache
def load(language: str) -> Language:
    """The language's phrases and names, read from its YAML file and checked.

    Raises ValueError with the file and what is wrong in it.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r} is not one of {', '.join(LANGUAGES)}; add models/languages/{language}.yaml to teach it")
    path = FOLDER / f"{language}.yaml"
    data = _read(path)
    acts = _phrases(path, "acts", data.get("acts", {}))
    unknown = sorted(set(acts) - set(ACTS))
    if unknown:
        raise ValueError(f"{path}: acts has {unknown[0]!r}; allowed are {', '.join(ACTS)}")
    abuse = FOLDER / "abuse" / f"{language}.yaml"
    return Language(
        code=language,
        name=str(data.get("name", language)),
        acts=acts,
        topics=_phrases(path, "topics", data.get("topics", {})),
        client_types=_phrases(path, "client_types", data.get("client_types", {})),
        first_names=frozenset(w for name in data.get("first_names", []) for w in words_of(str(name))),
        lexicon=_read(abuse) if abuse.exists() else {},
    )


def find_phrase(words: Sequence[str], phrase: str, language: str, min_score: float = 85) -> list[tuple[int, int, float]]:
    """Where a phrase occurs in `words` (as `words_of` gives them): spans (first, last + 1, score 0..1), none overlapping.

    Words match by lemma; long words may differ by recognition errors. `min_score` is the least mean score of a span, 0 to 100.
    """
    pattern = _compile(phrase, language)
    found: list[tuple[int, int, float]] = []
    first = 0
    while first < len(words):
        span = _match_at(words, first, pattern, min_score / 100)
        if span is None:
            first += 1
        else:
            found.append(span)
            first = span[1]
    return found


@dataclass(slots=True)
class _Unit:
    """One place of a phrase: the words that may stand there, with the scores of words met so far."""

    options: tuple[str, ...]
    language: str
    scores: dict[str, float] = field(default_factory=dict)

    def score(self, word: str) -> float:
        known = self.scores.get(word)
        if known is None:
            if len(self.scores) > 50_000:
                self.scores.clear()
            known = self.scores[word] = max(_similarity(word, option, self.language) for option in self.options)
        return known


@dataclass(frozen=True, slots=True)
class _Place:
    unit: _Unit
    gap: int  # other words allowed before it
    is_optional: bool
    is_long: bool  # long enough to be heard as two words


@dataclass(frozen=True, slots=True)
class _Pattern:
    places: tuple[_Place, ...]
    unless: tuple[_Unit, ...]
    weight: float  # 1.0, or less for a weaker sign


def _match_at(words: Sequence[str], first: int, pattern: _Pattern, least: float) -> tuple[int, int, float] | None:
    """The span that begins at `first`, each further word taken at its nearest place."""
    at, total, count, gaps, start = first, 0.0, 0, 0, None
    for n, place in enumerate(pattern.places):
        reach = 0 if start is None else place.gap
        hit = next(
            ((k, width, s) for k in range(at, min(at + reach + 1, len(words))) for width, s in [_width_score(words, k, place)] if s), None
        )
        if hit is None:
            if place.is_optional:
                continue
            return None
        if start is None:
            if hit[0] != first or (n and hit[0] != first):
                return None
            start = hit[0]
        else:
            gaps += hit[0] - at
        at = hit[0] + hit[1]
        total += hit[2]
        count += 1
    if start is None or not count:
        return None
    score = total / count - 0.01 * gaps
    if score < least:
        return None
    for unit in pattern.unless:
        if any(unit.score(w) >= 0.95 for w in words[max(0, start - 6) : at + 3]):
            return None
    return start, at, round(score * pattern.weight, 3)


def _width_score(words: Sequence[str], at: int, place: _Place) -> tuple[int, float]:
    score = place.unit.score(words[at])
    if score >= 0.95 or not place.is_long:
        return 1, score
    width = 1
    for n in (2, 3):  # a long name is often heard as two or three words
        if at + n <= len(words):
            joined = place.unit.score("".join(words[at : at + n])) - 0.01
            if joined > score + 0.02:
                width, score = n, joined
    return width, score


def _similarity(word: str, option: str, language: str) -> float:
    if option.endswith("*"):
        return 1.0 if word.startswith(option[:-1]) else 0.0
    if option.startswith("="):
        return 1.0 if word == option[1:] else 0.0
    if word == option:
        return 1.0
    if word[:1] == "[" or option[:1] == "[":
        return 0.0
    bare, wanted = word.replace("-", ""), option.replace("-", "")
    if bare == wanted or set(_lemmas(word, language)) & set(_lemmas(option, language)):
        return 1.0
    if min(len(bare), len(wanted)) < _FUZZY_LENGTH:
        return 0.0
    near = max(fuzz.ratio(bare, wanted), fuzz.ratio(_lemmas(word, language)[0], _lemmas(option, language)[0]))
    return near / 100 if near >= _LEAST_UNIT else 0.0


@lru_cache(maxsize=20_000)
def _compile(phrase: str, language: str) -> _Pattern:
    places: list[_Place] = []
    unless: list[_Unit] = []
    gap, weight = _GAP, 1.0
    for part in phrase.split():
        if re.fullmatch(r"/[1-9]\d", part):
            weight = int(part[1:]) / 100
            continue
        if part == "...":
            gap = _WIDE_GAP
            continue
        if part.startswith("-"):
            unless.append(_unit(part[1:], language))
            continue
        for n, piece in enumerate(_split_joined(part)):
            is_optional = piece.endswith("~")
            unit = _unit(piece.rstrip("~"), language)
            is_long = any(len(option) >= 8 for option in unit.options)
            places.append(_Place(unit, 0 if n else gap, is_optional, is_long))
            gap = _GAP
    if all(place.is_optional for place in places):
        raise ValueError(f"the phrase {phrase!r} has no word that must be there")
    return _Pattern(tuple(places), tuple(unless), weight)


def _split_joined(part: str) -> list[str]:
    """`a_b` into a and b; a placeholder or a group keeps its underscores."""
    if part.startswith("["):
        return [part]
    return re.findall(r"\([^)]*\)~?|[^_()]+", part)


@lru_cache(maxsize=20_000)
def _unit(text: str, language: str) -> _Unit:
    options = text[1:-1].split("|") if text.startswith("(") else [text]
    plain = [unicodedata.normalize("NFC", o if o.startswith("[") else o.lower()).translate(_APOSTROPHES) for o in options if o]
    if not plain or any(not re.search(r"\w", o) for o in plain):
        raise ValueError(f"{text!r} is not a word of a phrase")
    return _Unit(tuple(plain), language)


@lru_cache(maxsize=200_000)
def _lemmas(word: str, language: str) -> tuple[str, ...]:
    """All likely dictionary forms, the likeliest first."""
    if not word or word[0] == "[" or language not in LANGUAGES:
        return (word,)
    if language in ("ru", "uk"):
        forms = [p.normal_form.replace("ё", "е") for p in _morph(language).parse(word) if p.score >= 0.05]
        return tuple(dict.fromkeys(forms)) or (word,)
    import simplemma

    return (simplemma.lemmatize(word, lang=language).lower(),)


@cache
def _morph(language: str) -> Any:
    import pymorphy3

    return pymorphy3.MorphAnalyzer(lang=language)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold a mapping of names to values")
    return data


def _phrases(path: Path, section: str, data: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(data, dict):
        raise ValueError(f"{path}: {section} must be a mapping of names to lists of phrases")
    for name, phrases in data.items():
        if not isinstance(phrases, list) or not all(isinstance(p, str) for p in phrases):
            raise ValueError(f"{path}: {section}.{name} must be a list of phrases (text)")
        for phrase in phrases:
            try:
                _compile(phrase, path.stem)
            except ValueError as error:
                raise ValueError(f"{path}: {section}.{name}: {error}") from error
    return {str(name): tuple(phrases) for name, phrases in data.items()}
