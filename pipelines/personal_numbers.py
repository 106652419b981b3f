"""Finds dictated personal data made of numbers or spelled out: account, card, phone, passport, birth date, email."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.numbers_spoken import NumberRun, is_ordinal, number_of, number_runs
from pipelines.personal_words import ANSWERS, Heard, Vocabulary

ALWAYS_DIGITS = 6  # a run this long is personal data though nobody asked for it
NAMED_DIGITS = 4  # long enough when the speaker said what it is
ASKED_DIGITS = 3  # long enough when somebody asked for it
CONTINUED_DIGITS = 2  # the rest of a number that began in the turn before
CARD_DIGITS = 13
AMOUNT_DIGITS = 9  # no price and no reading is longer
NUMERIC = ("account", "card", "phone", "passport")
_DICTATED = frozenset({*NUMERIC, "number"})
_FREE_OF_CHARGE = ("0800", "8800")  # nobody's own number
_EMAIL_LEFT, _EMAIL_RIGHT = 6, 6


@dataclass(frozen=True, slots=True)
class Span:
    """Personal data: tokens first..last-1 of one turn (by its place in the list of turns)."""

    turn: int
    first: int
    last: int
    kind: str


def find_numbers(heard: Sequence[Heard]) -> list[Span]:
    """Dictated numbers that belong to a person. Prices, readings, times and public numbers given by the operator stay."""
    runs = [number_runs(h.items, h.vocabulary, bool(h.asked & _DICTATED)) for h in heard]
    public = {r.digits for h, rs in zip(heard, runs, strict=True) for r in rs if _is_public(h, r)}
    spans: list[Span] = []
    secret: list[str] = []
    readings: set[str] = set()
    running: tuple[int, str] | None = None  # turn and kind of a number that the next turns may go on with
    for n, (h, own) in enumerate(zip(heard, runs, strict=True)):
        if h.role == "operator":
            continue
        date = _birth_date(h)
        if date:
            spans.append(Span(n, *date, "birth_date"))
        for run in own:
            if date and run.first < date[1] and date[0] < run.last:
                continue
            if run.is_masked:
                running = (n, h.items[run.first].kind or "account")
            kind = _client_kind(h, run, running[1] if running and n - running[0] <= 2 else None, public)
            if kind:
                spans.append(Span(n, run.first, run.last, kind))
                secret.append(run.digits)
                running = (n, kind)
            elif len(run.digits) >= NAMED_DIGITS:
                readings.add(run.digits)
    told = -9  # the operator's turn that last gave out a public number; the next ones may go on with it
    for n, (h, own) in enumerate(zip(heard, runs, strict=True)):
        for run in own if h.role == "operator" else ():
            told = n if run.digits in public else told
            kind = _operator_kind(h, run, secret, public | readings | ({run.digits} if n - told <= ANSWERS else set()))
            if kind:
                spans.append(Span(n, run.first, run.last, kind))
    return spans


def amount_words(h: Heard) -> set[int]:
    """The tokens of prices, readings, percentages and times: numbers with a unit, or that count thousands, and no longer than an amount can be."""
    runs = number_runs(h.items, h.vocabulary, bool(h.asked & _DICTATED))
    return {n for run in runs if run.is_amount and len(run.digits) < AMOUNT_DIGITS for n in range(run.first, run.last)}


def find_emails(heard: Sequence[Heard]) -> list[Span]:
    """Addresses of electronic mail, written with @ or spelled out with the word for it and for the dot."""
    spans = []
    for n, h in enumerate(heard):
        items, words = h.items, h.vocabulary
        for at, item in enumerate(items):
            if "@" in item.text:
                spans.append(Span(n, at, at + 1, "email"))
            if not words.has("email_at", item.word):
                continue
            right = _domain_end(h, at)
            dotted = any(words.has("email_dot", i.word) or "." in i.text.rstrip(".") for i in items[max(0, at - _EMAIL_LEFT) : right])
            if not dotted and "email" not in h.asked:
                continue
            left = at
            while left > 0 and at - left < _EMAIL_LEFT and not items[left - 1].ends_sentence and not _is_prose(h, left - 1):
                left -= 1
            spans.append(Span(n, left, right, "email"))
    return spans


def _domain_end(h: Heard, at: int) -> int:
    """The end of the domain after the word for @: the word after its last dot, or one word where no dot was heard."""
    end = at + 2
    for k in range(at + 1, min(at + 1 + _EMAIL_RIGHT, len(h.items))):
        item = h.items[k]
        if item.kind is not None:
            break
        if h.vocabulary.has("email_dot", item.word):
            end = k + 2
        elif "." in item.text.rstrip("."):
            end = k + 1
        if item.ends_sentence:
            break
    return min(end, len(h.items))


def _client_kind(h: Heard, run: NumberRun, running: str | None, public: set[str]) -> str | None:
    n = len(run.digits)
    if n == 0 or (run.is_amount and n < AMOUNT_DIGITS) or (n >= 3 and any(p.startswith(run.digits) or run.digits in p for p in public)):
        return None
    if run.digits.startswith(_FREE_OF_CHARGE) and ALWAYS_DIGITS < n < CARD_DIGITS:
        return None
    near = h.near(run.first)
    kinds = near or set(h.asked)
    if n >= CARD_DIGITS:
        return "card"
    if "reading" in near and not near & set(NUMERIC) and n <= 7:
        return None
    if "reading" in h.asked and not near and n < ALWAYS_DIGITS + 1 and not h.asked & _DICTATED:
        return None
    wanted = bool(kinds & _DICTATED)
    least = ALWAYS_DIGITS if not wanted else ASKED_DIGITS if h.asked & _DICTATED else NAMED_DIGITS
    if n >= least or (h.asked & set(NUMERIC) and _is_nothing_else(h, run)):
        return _kind_of(run.digits, kinds)
    if running in NUMERIC and n >= CONTINUED_DIGITS and not _has_unit_words(h, run):
        return running
    return None


def _is_nothing_else(h: Heard, run: NumberRun) -> bool:
    """Whether a turn says this number and nothing else: the first piece of what was asked for."""
    rest = [item for k, item in enumerate(h.items) if item.word and not run.first <= k < run.last]
    return all(h.vocabulary.has("fillers", item.word) or h.vocabulary.has("common", item.word) for item in rest)


def _kind_of(digits: str, kinds: set[str]) -> str:
    for kind in ("passport", "card"):
        if kind in kinds and not (kinds & {"account"} and kind == "card"):
            return kind
    if "account" in kinds and "phone" not in kinds:
        return "account"
    if "phone" in kinds and ("account" not in kinds or len(digits) >= 9):
        return "phone"
    return "phone" if len(digits) >= 10 else "account"


def _operator_kind(h: Heard, run: NumberRun, secret: Sequence[str], known: set[str]) -> str | None:
    n = len(run.digits)
    repeats = run.digits in "".join(secret) or any(s in run.digits for s in secret if len(s) >= NAMED_DIGITS)
    if n >= NAMED_DIGITS and not (run.is_amount and n < AMOUNT_DIGITS) and repeats:
        return _kind_of(run.digits, h.near(run.first))
    if n < ALWAYS_DIGITS or run.digits in known or (run.is_amount and n < AMOUNT_DIGITS):
        return None
    if "reading" in h.near(run.first) and n <= 7:
        return None
    return "card" if n >= CARD_DIGITS else _kind_of(run.digits, h.near(run.first))


def _is_public(h: Heard, run: NumberRun) -> bool:
    """Whether the operator gives out a number of a company: a hot line, an emergency service."""
    if h.role != "operator" or len(run.digits) < 3:
        return False
    if run.digits.startswith(_FREE_OF_CHARGE):
        return True
    if len(run.digits) >= CARD_DIGITS:
        return False
    words = [i.word for i in h.items]
    told = any(h.vocabulary.has("public", w) for w in words)
    return told and not any(h.vocabulary.has("read_back", w) for w in words)


def _birth_date(h: Heard) -> tuple[int, int] | None:
    """The words of a date of birth that was asked for or announced: numbers, ordinals, a month, a year."""
    words = h.vocabulary
    cue = next((k for k, i in enumerate(h.items) if "birth_date" in words.cues_of(i.word)), None)
    if cue is None and "birth_date" not in h.asked:
        return None
    hits = [k for k in range(0 if cue is None else cue, len(h.items)) if _is_date_word(h, k)]
    if not hits or not any(not words.has("year", h.items[k].word) for k in hits):
        return None
    first = last = hits[0]
    for k in hits[1:]:
        if k - last > 2:
            break
        last = k
    return first, last + 1


def _is_date_word(h: Heard, at: int) -> bool:
    item, words = h.items[at], h.vocabulary
    if item.kind is not None:
        return item.kind == "birth_date"
    if any(c.isdigit() for c in item.text) or words.has("months", item.word) or words.has("year", item.word):
        return True
    if words.has("thousands", item.word) or number_of(item.word, words) is not None:
        return True
    return is_ordinal(item.word, words)


def _is_prose(h: Heard, at: int) -> bool:
    item, words = h.items[at], h.vocabulary
    spelled = words.has("email_dot", item.word) or number_of(item.word, words) is not None
    return item.kind is not None or (not spelled and (words.has("common", item.word) or "email" in words.cues_of(item.word)))


def _has_unit_words(h: Heard, run: NumberRun) -> bool:
    return any(_unit(h.vocabulary, i.word) for i in h.items[run.last : run.last + 2])


def _unit(words: Vocabulary, word: str) -> bool:
    return words.has("units", word)
