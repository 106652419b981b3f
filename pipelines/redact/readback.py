"""Recognizes repetitions of masked data: an operator reads back an address, a date of birth, a code word, a name.

When read back, such words come without the question that identified them, often in lower case. The criterion is the same words in sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.turns.spoken_numbers import number_of
from pipelines.turns.words import TurnContext

_KINDS = ("name", "address", "birth_date", "code_word", "email")
_DATE_DIGITS, _DATE_WORDS = 6, 3
_LEAST_LETTERS = 4  # shorter words are repeated for many reasons


class ReadbackRecognizer(Recognizer):
    """Repetitions of masked data: two or more of its words including an informative one, its only word, or a neighbour.

    A neighbour is next to the same data, already masked: of "кажевникова анна" the first name was found separately.
    """

    can_be_ruled_out = False  # the original was already accepted

    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        return _readbacks(call.turns, call.spans, call.taken)


def _readbacks(contexts: Sequence[TurnContext], spans: Iterable[PersonalSpan], taken: Sequence[set[int]]) -> list[PersonalSpan]:
    found: list[PersonalSpan] = []
    spans = list(spans)
    said = {
        (s.kind, tuple(i.word for i in contexts[s.turn].items[s.first : s.last] if i.word and i.kind is None))
        for s in spans
        if s.kind in _KINDS
    }
    masked: dict[tuple[int, str], set[int]] = {}
    for s in spans:
        masked.setdefault((s.turn, s.kind), set()).update(range(s.first, s.last))
    for kind, words in sorted(said):
        for n, h in enumerate(contexts):
            for first, last in _runs(h, frozenset(words), taken[n]):
                telling = [k for k in range(first, last) if _is_telling(h, k, kind)]
                beside = masked.get((n, kind), set())
                if telling and (last - first >= min(2, len(words)) or first - 1 in beside or last in beside):
                    found.append(PersonalSpan(n, first, last, kind))
    return found + _dates(contexts, spans, taken)


def _dates(contexts: Sequence[TurnContext], spans: Iterable[PersonalSpan], taken: Sequence[set[int]]) -> list[PersonalSpan]:
    """The digits of a date of birth in other formats: 14031972, 14.03.1972, 14 03 1972."""
    said = {digits for s in spans if s.kind == "birth_date" and len(digits := _digits(contexts[s.turn], s.first, s.last)) >= _DATE_DIGITS}
    found: list[PersonalSpan] = []
    for n, h in enumerate(contexts if said else ()):
        for first in range(len(h.items)):
            for last in range(first + 1, min(first + 1 + _DATE_WORDS, len(h.items) + 1)):
                is_free = not taken[n] & set(range(first, last)) and all(any(c.isdigit() for c in i.text) for i in h.items[first:last])
                if is_free and _digits(h, first, last) in said:
                    found.append(PersonalSpan(n, first, last, "birth_date"))
    return found


def _digits(h: TurnContext, first: int, last: int) -> str:
    return "".join(c for i in h.items[first:last] for c in i.text if c.isdigit() and i.kind is None)


def _runs(h: TurnContext, words: frozenset[str], taken: set[int]) -> list[tuple[int, int]]:
    """Runs of a turn with only these words; a filler between two of them does not split a run."""
    runs: list[tuple[int, int]] = []
    for k, item in enumerate(h.items):
        if k in taken or item.kind is not None or item.word not in words:
            continue
        if runs and _is_joined(h, runs[-1][1], k):
            runs[-1] = (runs[-1][0], k + 1)
        else:
            runs.append((k, k + 1))
    return runs


def _is_joined(h: TurnContext, end: int, at: int) -> bool:
    return all(h.vocabulary.has("fillers", i.word) or h.vocabulary.has("between", i.word) for i in h.items[end:at]) and at - end <= 1


def _is_telling(h: TurnContext, at: int, kind: str) -> bool:
    """Whether a word is informative by itself: not a number, not "street", not a common word; a month of a date of birth is."""
    word, words = h.items[at].word, h.vocabulary
    if kind == "birth_date":
        return words.has("months", word) or any(c.isdigit() for c in word)
    if len(word) < _LEAST_LETTERS or number_of(word, words) is not None:
        return False
    return not any(words.has(name, word) for name in ("common", "fillers", "street", "house", "settlement", "code_word"))
