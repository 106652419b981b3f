"""Numbers as people say them and as recognition writes them: "сорок один, 18, ноль шесть" is the run of digits 411806.

The vocabulary is made by num2words, so a language needs only its few odd forms (`number_words` in models/languages/personal). A word that
recognition spoiled a little still counts inside a run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from rapidfuzz import fuzz, process

from models.languages import language as languages
from pipelines.turns.words import TokenContext, Vocabulary, name_parts

MAX_FILLERS = 2  # other words that may stand inside a run
_THOUSANDS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}\b(?![-\d])")  # 6,299: recognition writes amounts so
_DECIMAL = re.compile(r"\d[.,]\d{1,2}\b(?!\d)|%|\d:\d\d")
_FUZZY_SCORE = 80.0
_FUZZY_LENGTH = 5


@dataclass(frozen=True, slots=True)
class NumberRun:
    """Numbers said one after the other: items first..last-1, their digits, and what they are."""

    first: int
    last: int
    digits: str
    is_amount: bool  # a unit follows, or thousands are counted: a price, a reading, a time
    is_masked: bool  # holds a number that was masked before


def number_of(word: str, vocabulary: Vocabulary, loosely: bool = False) -> int | None:
    """The value of one number word (negative: a repetition such as `double`), or None. `loosely` allows recognition errors."""
    known = vocabulary.number_words.get(word)
    if known is not None:
        return known
    for code in vocabulary.codes:
        value = _values(code).get(word.replace("-", ""))
        if value is None and code in ("ru", "uk"):
            value = _by_lemma(word, code)
        if value is None and loosely and len(word) >= _FUZZY_LENGTH and all("?" in name_parts(word, c) for c in vocabulary.codes):
            value = _nearly(word, code)
        if value is not None:
            return value
    return None


def is_ordinal(word: str, vocabulary: Vocabulary) -> bool:
    """Whether the word is an ordinal, as in a date: fifth, пятое, ötödike."""
    if any("Anum" in name_parts(word, code) for code in vocabulary.codes):
        return True
    return any(word.replace("-", "").startswith(ordinal) for code in vocabulary.codes for ordinal in _ordinals(code))


def number_runs(items: Sequence[TokenContext], vocabulary: Vocabulary, is_expected: bool = False) -> list[NumberRun]:
    """All runs of numbers of a turn, in order. Small words between numbers belong to the run, other words end it.

    Where a number is expected (somebody asked for it), unknown words and single known ones may stand in it.
    """
    runs: list[NumberRun] = []
    at = 0
    while at < len(items):
        if not _is_number(items[at], vocabulary):
            at += 1
            continue
        last, fillers, look = at + 1, 0, at + 1
        while look < len(items) and fillers <= MAX_FILLERS:
            if _is_number(items[look], vocabulary):
                last, fillers = look + 1, 0
            elif (
                vocabulary.has("fillers", items[look].word) or not items[look].word or (is_expected and _is_noise(items[look], vocabulary))
            ):
                fillers += 1
            else:
                break
            look += 1
        run = _run(items, at, last, vocabulary)
        if is_expected and runs and _belongs(items, runs[-1], run, vocabulary):
            run = _run(items, runs.pop().first, last, vocabulary)
        runs.append(run)
        at = last
    return runs


def _belongs(items: Sequence[TokenContext], before: NumberRun, after: NumberRun, vocabulary: Vocabulary) -> bool:
    """Whether a spoiled word or two part two pieces of the number that was asked for."""
    between = items[before.last : after.first]
    if len(between) > MAX_FILLERS or before.is_amount or after.is_amount:
        return False
    if any(i.kind is not None or i.ends_sentence for i in between):
        return False
    return not any(vocabulary.has(name, i.word) for i in between for name in ("units", "house", "street", "months"))


def _is_number(item: TokenContext, vocabulary: Vocabulary) -> bool:
    if item.kind is not None:
        return item.kind in ("account", "card", "phone", "passport", "birth_date")
    return _digits(item.text) != "" or vocabulary.has("thousands", item.word) or number_of(item.word, vocabulary, loosely=True) is not None


def _is_noise(item: TokenContext, vocabulary: Vocabulary) -> bool:
    """Whether no dictionary knows the word: a number that recognition spoiled beyond repair."""
    return item.kind is None and all("?" in name_parts(item.word, code) for code in vocabulary.codes)


def _run(items: Sequence[TokenContext], first: int, last: int, vocabulary: Vocabulary) -> NumberRun:
    digits, open_places, repeat, is_amount = "", 0, 1, False
    for item in items[first:last]:
        plain = _digits(item.text)
        if plain:
            digits, open_places = digits + plain * repeat, 0
            repeat = 1
            is_amount |= bool(_THOUSANDS.match(item.text)) or (last - first == 1 and bool(_DECIMAL.search(item.text)))
            continue
        if item.kind is not None:
            continue
        is_amount |= vocabulary.has("thousands", item.word)
        value = number_of(item.word, vocabulary, loosely=True)
        if value is None:
            continue
        if value < 0:
            repeat = -value
            continue
        said = str(value)
        if item.after_comma:
            open_places = 0
        if value == 100 and vocabulary.codes == ("en",):  # "two hundred": the digit before counts the hundreds
            digits, open_places = (digits or "1") + "00", 2
        elif 0 < len(said) <= open_places and value > 0:
            digits = digits[: len(digits) - len(said)] + said
            open_places = len(said) - len(said.rstrip("0")) if len(said) > 1 else 0
        else:
            digits += said * repeat
            open_places = len(said) - len(said.rstrip("0")) if value else 0
        repeat = 1
    after = [i.word for i in items[last : last + 2]]
    is_amount |= bool(after) and not items[last - 1].text.endswith((",", ".", "?", "!")) and vocabulary.has("units", after[0])
    is_masked = any(i.kind is not None for i in items[first:last])
    return NumberRun(first, last, digits, is_amount, is_masked)


def _digits(text: str) -> str:
    return "" if text.startswith("[") else re.sub(r"\D", "", text)


@cache
def _values(code: str) -> dict[str, int]:
    from num2words import num2words

    numbers = [*range(20), *range(20, 100, 10), *([100] if code == "en" else range(100, 1000, 100))]
    if code == "hu":
        numbers = list(range(1000))  # Hungarian writes them in one word
    out: dict[str, int] = {}
    for n in numbers:
        word = str(num2words(n, lang=code)).lower().replace("ё", "е").replace("’", "'").replace("-", "")
        out.setdefault("hundred" if (code, n) == ("en", 100) else word, n)
    return out


@cache
def _ordinals(code: str) -> tuple[str, ...]:
    """How the days of a month begin, where pymorphy3 does not know them as ordinals."""
    from num2words import num2words

    if code == "ru":
        return ()
    if code == "uk":  # "сьомий" without its ending, which the case and the gender change
        return tuple(sorted({str(num2words(n, lang="uk", to="ordinal")).split()[-1][:-2] for n in range(1, 100)}))
    return tuple(str(num2words(n, lang=code, to="ordinal")).replace("-", "") for n in range(1, 32))


@lru_cache(maxsize=50_000)
def _by_lemma(word: str, code: str) -> int | None:
    if len(word) < 3:
        return None
    for parse in languages.parses(word, code)[:3]:
        if "NUMR" in parse.tag or parse.normal_form in ("один", "ноль", "нуль"):
            value = _values(code).get(parse.normal_form.replace("ё", "е"))
            if value is not None:
                return value
    return None


@lru_cache(maxsize=50_000)
def _nearly(word: str, code: str) -> int | None:
    values = {w: n for w, n in _values(code).items() if len(w) >= 4}
    best = process.extractOne(word, values.keys(), scorer=fuzz.ratio, score_cutoff=_FUZZY_SCORE)
    return None if best is None else values[best[0]]
