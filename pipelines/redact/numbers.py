"""Recognizes dictated numbers: account, card, phone, passport, birth date."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.redact.formats import is_card, is_phone
from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.turns.spoken_numbers import NumberRun, is_ordinal, number_of, number_runs
from pipelines.turns.words import ANSWERS, TurnContext, Vocabulary

ALWAYS_DIGITS = 6  # a run this long is personal data even if nobody requested it
NAMED_DIGITS = 4  # long enough when the speaker named its kind
ASKED_DIGITS = 3  # long enough when somebody requested it
CONTINUED_DIGITS = 2  # the rest of a number that began in the turn before
CARD_DIGITS = 13
AMOUNT_DIGITS = 9  # no price and no reading is longer
NUMERIC = ("account", "card", "phone", "passport")
_DICTATED = frozenset({*NUMERIC, "number"})
_FREE_OF_CHARGE = ("0800", "8800")  # these belong to nobody


class NumberRecognizer(Recognizer):
    """Dictated numbers that belong to a person. Prices, readings, times and public numbers given by the operator stay."""

    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        return _numbers(call.turns)


def _numbers(contexts: Sequence[TurnContext]) -> list[PersonalSpan]:
    runs = [number_runs(h.items, h.vocabulary, bool(h.asked & _DICTATED)) for h in contexts]
    public = {r.digits for h, rs in zip(contexts, runs, strict=True) for r in rs if _is_public(h, r)}
    spans: list[PersonalSpan] = []
    secret: list[str] = []
    readings: set[str] = set()
    running: tuple[int, str] | None = None  # turn and kind of a number that may continue in the next turns
    for n, (h, own) in enumerate(zip(contexts, runs, strict=True)):
        if h.role == "operator":
            continue
        date = _birth_date(h)
        if date:
            spans.append(PersonalSpan(n, *date, "birth_date"))
        for run in own:
            if date and run.first < date[1] and date[0] < run.last:
                continue
            if run.is_masked:
                running = (n, h.items[run.first].kind or "account")
            kind = _client_kind(h, run, running[1] if running and n - running[0] <= 2 else None, public)
            if kind:
                spans.append(_span(n, h, run, kind))
                secret.append(run.digits)
                running = (n, kind)
            elif len(run.digits) >= NAMED_DIGITS:
                readings.add(run.digits)
    last_public = -9  # the operator's last turn with a public number, which may continue in the next ones
    for n, (h, own) in enumerate(zip(contexts, runs, strict=True)):
        for run in own if h.role == "operator" else ():
            last_public = n if run.digits in public else last_public
            kind = _operator_kind(h, run, secret, public | readings | ({run.digits} if n - last_public <= ANSWERS else set()))
            if kind:
                spans.append(_span(n, h, run, kind))
    return spans


def _span(turn: int, h: TurnContext, run: NumberRun, kind: str) -> PersonalSpan:
    if is_card(run.digits):
        return PersonalSpan(turn, run.first, run.last, "card", is_certain=True)
    return PersonalSpan(turn, run.first, run.last, kind, is_certain=is_phone(run.digits, h.vocabulary.codes))


def harmless_words(h: TurnContext) -> set[int]:
    """The tokens of amounts (numbers with a unit or counting thousands, no longer than an amount) and of toll-free numbers."""
    runs = number_runs(h.items, h.vocabulary, bool(h.asked & _DICTATED))
    return {n for run in runs if _is_amount(run) or _is_free_of_charge(run) for n in range(run.first, run.last)}


def _is_amount(run: NumberRun) -> bool:
    return run.is_amount and len(run.digits) < AMOUNT_DIGITS


def _is_free_of_charge(run: NumberRun) -> bool:
    return run.digits.startswith(_FREE_OF_CHARGE) and len(run.digits) < CARD_DIGITS


def _client_kind(h: TurnContext, run: NumberRun, running: str | None, public: set[str]) -> str | None:
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


def _is_nothing_else(h: TurnContext, run: NumberRun) -> bool:
    """Whether a turn consists of only this number: the first piece of the requested one."""
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


def _operator_kind(h: TurnContext, run: NumberRun, secret: Sequence[str], known: set[str]) -> str | None:
    n = len(run.digits)
    repeats = run.digits in "".join(secret) or any(s in run.digits for s in secret if len(s) >= NAMED_DIGITS)
    if n >= NAMED_DIGITS and not (run.is_amount and n < AMOUNT_DIGITS) and repeats:
        return _kind_of(run.digits, h.near(run.first))
    if n < ALWAYS_DIGITS or run.digits in known or (run.is_amount and n < AMOUNT_DIGITS):
        return None
    if "reading" in h.near(run.first) and n <= 7:
        return None
    return "card" if n >= CARD_DIGITS else _kind_of(run.digits, h.near(run.first))


def _is_public(h: TurnContext, run: NumberRun) -> bool:
    """Whether the operator gives a company's number: a hotline, an emergency service."""
    if h.role != "operator" or len(run.digits) < 3:
        return False
    if run.digits.startswith(_FREE_OF_CHARGE):
        return True
    if len(run.digits) >= CARD_DIGITS:
        return False
    words = [i.word for i in h.items]
    is_public = any(h.vocabulary.has("public", w) for w in words)
    return is_public and not any(h.vocabulary.has("read_back", w) for w in words)


def _birth_date(h: TurnContext) -> tuple[int, int] | None:
    """The words of a requested or announced date of birth: numbers, ordinals, a month, a year."""
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


def _is_date_word(h: TurnContext, at: int) -> bool:
    item, words = h.items[at], h.vocabulary
    if item.kind is not None:
        return item.kind == "birth_date"
    if any(c.isdigit() for c in item.text) or words.has("months", item.word) or words.has("year", item.word):
        return True
    if words.has("thousands", item.word) or number_of(item.word, words) is not None:
        return True
    return is_ordinal(item.word, words)


def _has_unit_words(h: TurnContext, run: NumberRun) -> bool:
    return any(_unit(h.vocabulary, i.word) for i in h.items[run.last : run.last + 2])


def _unit(words: Vocabulary, word: str) -> bool:
    return words.has("units", word)
