"""Recognizes email addresses, written or spelled out."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.turns.spoken_numbers import number_of
from pipelines.turns.words import TurnContext

_LEFT, _RIGHT = 6, 6  # words of an address before and after the word for @


class EmailRecognizer(Recognizer):
    """Email addresses, written with @ or spelled out with the words for it and for the dot."""

    can_be_ruled_out = False  # nothing else is spelled like that

    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        return _emails(call.turns)


def _emails(contexts: Sequence[TurnContext]) -> list[PersonalSpan]:
    spans = []
    for n, h in enumerate(contexts):
        items, words = h.items, h.vocabulary
        for at, item in enumerate(items):
            if "@" in item.text:
                spans.append(PersonalSpan(n, at, at + 1, "email"))
            if not words.has("email_at", item.word):
                continue
            right = _domain_end(h, at)
            dotted = any(words.has("email_dot", i.word) or "." in i.text.rstrip(".") for i in items[max(0, at - _LEFT) : right])
            if not dotted and "email" not in h.asked:
                continue
            left = at
            while left > 0 and at - left < _LEFT and not items[left - 1].ends_sentence and not _is_prose(h, left - 1):
                left -= 1
            spans.append(PersonalSpan(n, left, right, "email"))
    return spans


def _domain_end(h: TurnContext, at: int) -> int:
    """The end of the domain after the word for @: the word after its last dot, or one word where no dot was recognised."""
    end = at + 2
    for k in range(at + 1, min(at + 1 + _RIGHT, len(h.items))):
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


def _is_prose(h: TurnContext, at: int) -> bool:
    item, words = h.items[at], h.vocabulary
    spelled = words.has("email_dot", item.word) or number_of(item.word, words) is not None
    return item.kind is not None or (not spelled and (words.has("common", item.word) or "email" in words.cues_of(item.word)))
