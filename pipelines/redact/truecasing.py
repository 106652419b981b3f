"""Restores capitals that recognition omitted, by dictionary: the names in "my name is margaret o'brien".

Only for Hungarian and English, whose names have no distinct grammar; for Russian and Ukrainian pymorphy3 recognises a name without its
capital.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from models.languages.dictionaries import entry
from models.languages.language import is_first_name
from pipelines.turns.spoken_numbers import number_of
from pipelines.turns.words import TokenContext, TurnContext, Vocabulary, name_parts

_LETTERS = 3  # shorter words are not names
_BEFORE, _AFTER = 3, 2  # how near an introduction is to the name
_PLAIN = (
    "common",
    "not_names",
    "fillers",
    "months",
    "units",
    "street",
    "house",
    "settlement",
    "between",
    "code_word",
    "self",
    "name_intro",
    "public",
)


def restore_capitals(turn: TurnContext) -> TurnContext:
    """A turn with `is_capital` set where a word can only be a proper noun, and for the rest of a name introduced there."""
    items, vocabulary = turn.items, turn.vocabulary
    code = vocabulary.codes[0]
    if code not in ("hu", "en"):
        return turn
    is_asked = "name" in turn.asked and turn.role != "operator"
    free = [_can_be_proper(i, vocabulary) for i in items]
    proper = {k for k, i in enumerate(items) if free[k] and is_proper(i.word, code)}
    given = {k for k, i in enumerate(items) if free[k] and is_first_name(i.word, code)}
    unknown = {k for k, i in enumerate(items) if free[k] and _is_unknown(i.word, code)}
    named = (given & proper) | {k for k, i in enumerate(items) if i.is_capital and is_first_name(i.word, code)}
    capitals = set(proper)
    for k in (k for k in range(len(items)) if free[k]):
        beside = {j for j in (k - 1, k + 1) if 0 <= j < len(items) and not _is_parted(items, min(j, k))}
        is_given = _is_introduced(items, vocabulary, k)
        if (
            (k in unknown and beside & named)
            or (is_given and k in unknown | given)
            or ((is_asked or is_given) and beside & (given | proper))
        ):
            capitals.add(k)
    return replace(turn, items=[replace(i, is_capital=True) if k in capitals else i for k, i in enumerate(items)])


@lru_cache(maxsize=50_000)
def is_proper(word: str, code: str) -> bool:
    """Whether a dictionary has the word only with a capital: `margaret`, not `grant`."""
    plain, written = entry(word, code), entry(word.capitalize(), code)
    return (plain is None and written is not None and written[:1].isupper()) or (plain is not None and plain[:1].isupper())


def _can_be_proper(item: TokenContext, vocabulary: Vocabulary) -> bool:
    if item.kind is not None or item.is_capital or len(item.word) < _LETTERS or any(c.isdigit() for c in item.word):
        return False
    return not any(vocabulary.has(name, item.word) for name in _PLAIN) and number_of(item.word, vocabulary) is None


def _is_unknown(word: str, code: str) -> bool:
    """Whether no dictionary has the word; an apostrophe does not count as a letter."""
    return "?" in name_parts(word.replace("'", "").replace("-", ""), code)


def _is_introduced(items: Sequence[TokenContext], vocabulary: Vocabulary, at: int) -> bool:
    """Whether a name is introduced here: "my name is ...", "... vagyok", "this is ..."."""
    before = [i.word for i in items[max(0, at - _BEFORE) : at]]
    if any(vocabulary.has("name_intro", word) for word in before):
        return True
    if vocabulary.codes[0] == "hu":
        return any(vocabulary.has("self", i.word) for i in items[at + 1 : at + 1 + _AFTER])
    return "i'm" in before or any(vocabulary.has("self", one) and two == "is" for one, two in pairwise(before))


def _is_parted(items: Sequence[TokenContext], first: int) -> bool:
    return items[first].text.endswith((",", ".", "?", "!", ";"))
