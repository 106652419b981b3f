"""Recognizes code words by which clients identify themselves."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.redact.names import is_counted, is_person, is_plain, sentences
from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.turns.words import TurnContext

_CODE_WORDS = 4  # a code word is at most this far from the words that announce it


class CodeWordRecognizer(Recognizer):
    """The client's code word: what follows its name, or a short answer to the question for it."""

    can_be_ruled_out = False  # it follows its name, or a question

    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        return _code_words(call.turns, call.taken)


def _code_words(contexts: Sequence[TurnContext], taken: Sequence[set[int]]) -> list[PersonalSpan]:
    spans: list[PersonalSpan] = []
    secret: set[str] = set()
    for n, h in enumerate(contexts):
        said = None if h.role == "operator" else _code_word(h, taken[n])
        if said:
            spans.append(PersonalSpan(n, *said, "code_word"))
            secret |= {h.items[k].word for k in range(*said)}
    for n, h in enumerate(contexts):
        mine = {k for s in spans if s.turn == n for k in range(s.first, s.last)}
        for k, item in enumerate(h.items):
            if k not in mine and k not in taken[n] and len(item.word) > 3 and item.word in secret:
                spans.append(PersonalSpan(n, k, k + 1, "code_word"))
    return spans


def _code_word(h: TurnContext, taken: set[int]) -> tuple[int, int] | None:
    """The code word of a client's turn: after the words "code word", or the last free word of an answer to the question for it."""
    words, asked = h.vocabulary, "code_word" in h.asked
    if any(item.kind == "code_word" for item in h.items):
        return None
    unnamed: tuple[int, int] | None = None
    for first, last in sentences(h.items):
        forgotten = any(words.has("code_forgotten", h.items[k].word) for k in range(first, last))
        if forgotten or h.items[last - 1].text.endswith("?"):
            if asked and forgotten:
                return None
            continue
        named = [k for k in range(first, last) if words.has("code_word", h.items[k].word) and _names_code_word(h, k, asked)]
        start = named[-1] + 1 if named else first
        end = (
            min(last, start + _CODE_WORDS) if named and last - start > 2 * _CODE_WORDS else last
        )  # recognition omitted the full stop, and the client continues
        free = [k for k in range(start, end) if k not in taken and not is_plain(h, k)]
        if named and not free and start == last < len(h.items) and not is_plain(h, last):
            return last, last + 1  # "Кодовое слово. Ромашка."
        if named and free:
            return free[-1], free[-1] + 1
        if asked and free and unnamed is None and not any(("name" in h.asked and is_person(h, k)) or is_counted(h, k) for k in free):
            unnamed = free[-1], free[-1] + 1
    return unnamed


def _names_code_word(h: TurnContext, at: int, asked: bool) -> bool:
    """Whether the client mentions the code word here; "слово" alone counts in an answer, just before the end of the sentence."""
    closes = bool(h.asked) and at + 1 < len(h.items) and h.items[at + 1].ends_sentence
    return asked or closes or "code_word" in h.vocabulary.cues_of(h.items[at].word)
