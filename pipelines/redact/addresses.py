"""Recognizes addresses: streets, houses and flats with their names and numbers, and places given when an address was requested."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.redact.names import is_numeric, parts_of
from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.turns.spoken_numbers import number_of
from pipelines.turns.words import TurnContext

_INTRODUCTION_WORDS = 3  # "I live at ..." is at most this far before the address
_ANSWER_WORDS = 6  # a bare answer is at most this long
_STREET_WORDS = 5  # a house number follows its street within this distance


class AddressRecognizer(Recognizer):
    """Streets, houses and flats with their names and numbers, and places given when an address was requested."""

    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        return _addresses(call.turns, call.taken)


def _addresses(contexts: Sequence[TurnContext], taken: Sequence[set[int]]) -> list[PersonalSpan]:
    spans: list[PersonalSpan] = []
    for n, h in enumerate(contexts):
        asked = "address" in h.asked
        content = [k not in taken[n] and _is_address_word(h, k, asked or _is_answer_to_address(h, k)) for k in range(len(h.items))]
        for first, last in _address_runs(h, content, asked):
            if _is_address(h, first, last, asked) or _is_plain_address(h, first, last):
                spans.append(PersonalSpan(n, first, last, "address"))
        whole = _bare_answer(h) if asked and h.role != "operator" else None
        if whole is not None and not taken[n] & set(range(*whole)):
            spans = [s for s in spans if s.turn != n] + [PersonalSpan(n, *whole, "address")]
    return spans


def _is_answer_to_address(h: TurnContext, at: int) -> bool:
    """Whether the client is stating only their address."""
    return h.role != "operator" and any(h.vocabulary.has("address_told", i.word) for i in h.items[max(0, at - _INTRODUCTION_WORDS) : at])


def _bare_answer(h: TurnContext) -> tuple[int, int] | None:
    """The words of a short turn with a number and a word or more besides common ones: after the question for an address, that address."""
    words = h.vocabulary
    rest = [k for k, i in enumerate(h.items) if i.word and not words.has("fillers", i.word) and not words.has("common", i.word)]
    if not 1 < len(rest) <= _ANSWER_WORDS or rest[-1] - rest[0] >= _ANSWER_WORDS + 1 or any(i.text.endswith("?") for i in h.items):
        return None
    if any(h.items[k].kind is not None or words.has("units", h.items[k].word) or words.has("thousands", h.items[k].word) for k in rest):
        return None
    is_answer = any(is_numeric(h, k) for k in rest) and not all(is_numeric(h, k) for k in rest)
    return (rest[0], rest[-1] + 1) if is_answer else None


def _is_address_word(h: TurnContext, at: int, asked: bool) -> bool:
    item, words = h.items[at], h.vocabulary
    if item.kind is not None or not item.word:
        return False
    numeric = any(c.isdigit() for c in item.text) or number_of(item.word, words, loosely=asked) is not None
    if numeric or _is_anchor(h, at) or _is_misheard_number(h, at):
        return True
    if words.has("common", item.word) or words.has("not_names", item.word):
        return False
    parts = parts_of(h, item.word)
    if "Geox" in parts or "Anum" in parts or (item.is_capital and not item.starts_sentence):
        return True
    beside = any(0 <= j < len(h.items) and words.has("street", h.items[j].word) for j in (at - 1, at + 1))
    if item.is_capital:
        return asked or beside
    if (asked and ("?" in parts or beside)) or (beside and bool(parts & {"Surn", "Name", "Geox", "?"})):
        return True
    # "провулок тихий одинадцять", "живу на сонячній п'ять": the words between a street (or a place of residence) and a number are its name
    is_placed = beside or (asked and h.role != "operator" and any(is_numeric(h, j) for j in (at + 1, at + 2) if j < len(h.items)))
    near = any(is_numeric(h, j) for j in (at - 2, at - 1, at + 1, at + 2) if 0 <= j < len(h.items))
    near |= any(_is_misheard_number(h, j) for j in range(at + 1, min(at + _STREET_WORDS, len(h.items))))
    return is_placed and near and not words.has("public", item.word)


def _address_runs(h: TurnContext, content: Sequence[bool], asked: bool) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    at = 0
    while at < len(content):
        if not content[at]:
            at += 1
            continue
        last = at + 1
        while last < len(content):
            crosses = h.items[last - 1].ends_sentence
            anchored = any(_is_anchor(h, k) for k in range(last, min(last + 2, len(content))))
            if content[last] and (not crosses or anchored or (asked and is_numeric(h, last))):
                last += 1
            elif last + 1 < len(content) and content[last + 1] and not crosses and not h.items[last].ends_sentence and _bridges(h, last):
                last += 2
            else:
                break
        runs.append((at, last))
        at = last
    return runs


def _is_address(h: TurnContext, first: int, last: int, asked: bool) -> bool:
    words, run = h.vocabulary, range(first, last)
    street = [k for k in run if words.has("street", h.items[k].word)]
    house = [k for k in run if words.has("house", h.items[k].word) and any(is_numeric(h, j) for j in (k + 1, k - 1) if j in run)]
    numbers = [k for k in run if is_numeric(h, k)]
    named = [
        k
        for k in run
        if not _is_anchor(h, k) and not is_numeric(h, k) and (h.items[k].is_capital or "Geox" in parts_of(h, h.items[k].word))
    ]
    if street and (named or (asked and last - first >= 2)):
        return True
    if house and (named or street or asked or len(house) > 1):
        return True
    if not asked or h.role == "operator":
        return False
    unsure = [k for k in run if "?" in parts_of(h, h.items[k].word)]
    return bool((named and last - first >= 2) or ((named or unsure) and numbers)) or any(
        "Geox" in parts_of(h, h.items[k].word) for k in named
    )


def _is_plain_address(h: TurnContext, first: int, last: int) -> bool:
    """Whether a client gives a street, its name and number, or a residence with a number, although no capital letter marks a name."""
    words, run = h.vocabulary, range(first, last)
    if h.role == "operator" or (last < len(h.items) and words.has("units", h.items[last].word)):
        return False
    numbers = [k for k in run if is_numeric(h, k) or _is_misheard_number(h, k)]
    names = [k for k in run if not _is_anchor(h, k) and k not in numbers]
    street = any(words.has("street", h.items[k].word) for k in run)
    return bool(numbers and names) and (street or _is_answer_to_address(h, first))


def _is_misheard_number(h: TurnContext, at: int) -> bool:
    """Whether an unknown word is in the position of a house number: "Лесная улица, дом восьм"."""
    words = h.vocabulary
    before = [i.word for i in h.items[max(0, at - _STREET_WORDS) : at]]
    is_placed = bool(before) and words.has("house", before[-1]) and any(words.has("street", word) for word in before[:-1])
    return is_placed and h.items[at].kind is None and "?" in parts_of(h, h.items[at].word) and not words.has("common", h.items[at].word)


def _is_anchor(h: TurnContext, at: int) -> bool:
    word = h.items[at].word
    return h.vocabulary.has("street", word) or h.vocabulary.has("house", word) or h.vocabulary.has("settlement", word)


def _bridges(h: TurnContext, at: int) -> bool:
    word = h.items[at].word
    return h.items[at].kind is None and (h.vocabulary.has("between", word) or h.vocabulary.has("fillers", word))
