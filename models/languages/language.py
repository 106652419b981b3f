"""Words, lemmas and phrases of the four languages, so that rules are independent of inflection and recognition errors.

A phrase is a small pattern over lemmas, written as it is spoken:

    спасибо за ожидание        these words in this order, with at most two others between neighbours
    (подождать|остаться) на линия   one of several words in a position
    чем~ помочь                an optional word
    не_знать                   adjacent words, nothing between them
    дзвінок ... завершити      up to six other words between
    =всё                       exactly this form of the word
    megold*                    any word with this prefix
    понимать -правильно        no match when that word occurs inside, up to six words before or three after
    извинить ... ожидание /60  a weaker signal: its score is at most 0.6
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from models.languages.dictionaries import lemmas, morph
from models.languages.phrases import APOSTROPHES, LOADER, Pattern, PhraseSlot, compile_phrase, near_options

LANGUAGES = ("ru", "uk", "hu", "en")
ACTS = (
    "greeting", "company", "self_name", "offer_help", "identify", "clarify", "empathy", "solution", "self_service", "hold_ask",
    "hold_thanks", "anything_else", "thanks", "farewell", "warn_abuse", "end_notice", "night_notice", "redirect", "callback_intro",
    "forbidden", "discloses",
)  # fmt: skip
FOLDER = Path(__file__).parent

_CYRILLIC = re.compile("[а-яёіїєґ]")
_WORD = re.compile(r"\[[a-z_]+\]|\w+(?:['-]\w+)*")


@dataclass(frozen=True, slots=True)
class Language:
    """The data of one language, from `models/languages/<code>.yaml`."""

    code: str
    name: str
    acts: Mapping[str, tuple[str, ...]]  # speech act → phrases
    topics: Mapping[str, tuple[str, ...]]
    client_types: Mapping[str, tuple[str, ...]]
    first_names: frozenset[str]
    lexicon: Mapping[str, Any]  # models/languages/abuse/<code>.yaml, empty where it does not exist


def words_of(text: str) -> list[str]:
    """The words of a text, lower-cased and without punctuation; a placeholder such as `[ACCOUNT]` stays one word, in capitals."""
    plain = unicodedata.normalize("NFC", text.lower()).translate(APOSTROPHES)
    return [w.upper() if w[0] == "[" else w for w in _WORD.findall(plain)]


def languages_of_script(word: str) -> tuple[str, ...]:
    """The languages written in a word's script; others are not checked, so that their dictionaries need not be loaded."""
    return ("ru", "uk") if _CYRILLIC.search(word.lower()) else ("hu", "en")


def lemma(word: str, language: str) -> str:
    """The dictionary form of a word; an unknown word is returned in lower case."""
    return lemmas(word.lower().translate(APOSTROPHES), language)[0]


@lru_cache(maxsize=100_000)
def is_first_name(word: str, language: str) -> bool:
    """Whether a word is a given name, by the dictionary (ru, uk) or by the language's list."""
    if word in load(language).first_names or lemma(word, language) in load(language).first_names:
        return True
    if language not in ("ru", "uk") or len(word) < 3:
        return False
    # Ukrainian operators have Russian names and vice versa
    return any("Name" in p.tag and p.is_known and p.score >= 0.1 for code in ("ru", "uk") for p in morph(code).parse(word))


@lru_cache(maxsize=100_000)
def parses(word: str, language: str) -> tuple[Any, ...]:
    """The morphological parses of a Russian or Ukrainian word, the likeliest first: pymorphy3's, with `tag`, `score`, `is_known`."""
    return tuple(morph(language).parse(word))


@cache
def load(language: str) -> Language:
    """The language's phrases and names, read from its YAML file and checked.

    Raises ValueError with the file and the error in it.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r} is not one of {', '.join(LANGUAGES)}; add models/languages/{language}.yaml to support it")
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
    """The occurrences of a phrase in `words` (from `words_of`): spans (first, last + 1, score 0..1), not overlapping.

    Words match by lemma; long words may have recognition errors. `min_score` is the minimum mean score of a span, 0 to 100.
    """
    found: list[tuple[int, int, float]] = []
    patterns = compile_phrase(phrase, language)
    near = near_options(tuple(words), language)
    for pattern in patterns:
        if not pattern.may_be_in(near):
            continue
        end = 0
        for first in _anchored(words, pattern):
            if first >= end:
                span = _match_at(words, first, pattern, min_score / 100)
                if span is not None:
                    found.append(span)
                    end = span[1]
    if len(found) < 2:
        return found
    kept: list[tuple[int, int, float]] = []
    for span in sorted(found, key=lambda s: (-s[2], s[0], s[1])):
        if all(span[1] <= k[0] or span[0] >= k[1] for k in kept):
            kept.append(span)
    return sorted(kept)


def _anchored(words: Sequence[str], pattern: Pattern) -> list[int]:
    """The positions where a span may start: those of the phrase's possible first words."""
    starts: list[int] = []
    for k, word in enumerate(words):
        for place in pattern.places:
            if place.unit.score(word) or (place.is_long and _width_score(words, k, place)[1]):
                starts.append(k)
                break
            if not place.is_optional:
                break
    return starts


def _match_at(words: Sequence[str], first: int, pattern: Pattern, least: float) -> tuple[int, int, float] | None:
    """The span that starts at `first`, with each further word matched at its nearest position."""
    at, total, count, gaps, started = first, 0.0, 0, 0, False
    for place in pattern.places:
        reach = place.gap if started else 0
        for k in range(at, min(at + reach + 1, len(words))):
            width, score = _width_score(words, k, place)
            if score:
                break
        else:
            if place.is_optional:
                continue
            return None
        gaps += k - at
        at, started = k + width, True
        total += score
        count += 1
    if not count:
        return None
    score = total / count - 0.01 * gaps
    if score < least:
        return None
    around = words[max(0, first - 6) : at + 3]
    if any(unit.score(w) >= 0.95 for unit in pattern.unless for w in around):
        return None
    return first, at, round(score * pattern.weight, 3)


def _width_score(words: Sequence[str], at: int, place: PhraseSlot) -> tuple[int, float]:
    score = place.unit.score(words[at])
    if score >= 0.95 or not place.is_long:
        return 1, score
    width = 1
    for n in (2, 3):  # a long name is often recognised as two or three words
        if at + n <= len(words):
            joined = place.unit.joined_score("".join(words[at : at + n])) - 0.01
            if joined > score + 0.02 and joined > max(place.unit.score(w) for w in words[at : at + n]):
                width, score = n, joined
    return width, score


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} must be a mapping of names to values")
    return data


def _phrases(path: Path, section: str, data: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(data, dict):
        raise ValueError(f"{path}: {section} must be a mapping of names to lists of phrases")
    for name, phrases in data.items():
        if not isinstance(phrases, list) or not all(isinstance(p, str) for p in phrases):
            raise ValueError(f"{path}: {section}.{name} must be a list of phrases (text)")
        for phrase in phrases:
            try:
                compile_phrase(phrase, path.stem)
            except ValueError as error:
                raise ValueError(f"{path}: {section}.{name}: {error}") from error
    return {str(name): tuple(phrases) for name, phrases in data.items()}
