"""Finds personal data made of names: people, addresses, code words."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz

from models import language as languages
from pipelines.numbers_spoken import number_of
from pipelines.personal_numbers import Span
from pipelines.personal_words import Heard, Item, name_parts

_CYRILLIC_CODES = {"ru", "uk"}
_PERSON = {"Name", "Surn", "Patr"}
_SAME_NAME = 85.0  # two spellings of one name, in per cent
_SHORT_SENTENCE = 4


def find_addresses(heard: Sequence[Heard], taken: Sequence[set[int]]) -> list[Span]:
    """Streets, houses and flats with their names and numbers, and the places said when an address was asked for."""
    spans = []
    for n, h in enumerate(heard):
        asked = "address" in h.asked
        content = [k not in taken[n] and _is_address_word(h, k, asked) for k in range(len(h.items))]
        for first, last in _address_runs(h, content, asked):
            if _is_address(h, first, last, asked):
                spans.append(Span(n, first, last, "address"))
    return spans


def find_code_words(heard: Sequence[Heard], taken: Sequence[set[int]]) -> list[Span]:
    """The client's code word: what he says after naming it, or his short answer to the question for it."""
    spans: list[Span] = []
    secret: set[str] = set()
    for n, h in enumerate(heard):
        if h.role == "operator":
            continue
        for first, last in _sentences(h.items):
            if any(h.items[k].kind == "code_word" for k in range(first, last)):
                continue
            asked = "code_word" in h.asked
            cues = [k for k in range(first, last) if h.vocabulary.has("code_word", h.items[k].word)]
            named = [k for k in cues if asked or "code_word" in h.vocabulary.cues_of(h.items[k].word)]
            if h.items[last - 1].text.endswith("?") or any(h.vocabulary.has("code_forgotten", h.items[k].word) for k in range(first, last)):
                continue
            if not named and not (asked and last - first <= _SHORT_SENTENCE):
                continue
            start = named[-1] + 1 if named else first
            free = [k for k in range(start, last) if k not in taken[n] and not _is_plain(h, k)]
            if not free and named and named[-1] + 1 == last and last < len(h.items) and not _is_plain(h, last):
                free = [last]  # "Кодовое слово. Ромашка."
            if free:
                said = free[-1] if named else free[0]
                if not named and any(_person(h, k) for k in free):
                    continue
                spans.append(Span(n, said, free[-1] + 1, "code_word"))
                secret |= {h.items[k].word for k in range(said, free[-1] + 1)}
    for n, h in enumerate(heard):
        mine = {k for s in spans if s.turn == n for k in range(s.first, s.last)}
        for k, item in enumerate(h.items):
            if k not in mine and k not in taken[n] and len(item.word) > 3 and item.word in secret:
                spans.append(Span(n, k, k + 1, "code_word"))
    return spans


def find_names(heard: Sequence[Heard], taken: Sequence[set[int]], public_words: frozenset[str]) -> list[Span]:
    """Names of people, wherever they are said; only the operator's own name, as he gives it himself, stays readable.

    `public_words` are names of companies and products, never of persons.
    """
    own = _operator_names(heard)
    marked: list[set[int]] = []
    for n, h in enumerate(heard):
        hits = _names_in(h)
        marked.append({k for k in hits if k not in taken[n] and h.items[k].word not in public_words})
    clients = {h.items[k].word for h, ks in zip(heard, marked, strict=True) for k in ks if h.role != "operator" and "name" in h.asked}
    known = clients | {h.items[k].word for h, ks in zip(heard, marked, strict=True) for k in ks}
    spans: list[Span] = []
    for n, h in enumerate(heard):
        for k, item in enumerate(h.items):
            if k not in taken[n] and item.is_capital and item.word not in public_words and any(_same_name(item.word, w) for w in known):
                marked[n].add(k)
        kept = {k for k in marked[n] if _is_own(h, k, own, clients)}
        spans += [Span(n, first, last, "name") for first, last in _runs(marked[n] - kept, h.items)]
    return spans


def _names_in(h: Heard) -> set[int]:
    items, words = h.items, h.vocabulary
    asked = "name" in h.asked and h.role != "operator"
    hits: set[int] = set()
    for k, item in enumerate(items):
        if item.kind is not None or not item.word or words.has("not_names", item.word):
            continue
        parts = _parts(h, item.word)
        before = [i.word for i in items[max(0, k - 3) : k] if not i.ends_sentence]
        introduced = any(words.has("name_intro", w) for w in before) or (bool(before) and words.has("titles", before[-1]))
        neighbour = any(0 <= j < len(items) and items[j].is_capital and _PERSON & _parts(h, items[j].word) for j in (k - 1, k + 1))
        if "Patr" in parts and ("Surn" not in parts or neighbour):
            hits |= {k} | {j for j in (k - 1, k - 2) if j >= 0 and _can_be_name(h, j) and not items[j].ends_sentence}
            hits |= {j for j in (k + 1,) if j < len(items) and items[j].is_capital and "Surn" in _parts(h, items[j].word)}
        elif words.codes[0] in _CYRILLIC_CODES:
            if words.has("common", item.word):
                continue
            answers = asked and (_is_clearly_name(h, item) or (item.is_capital and (_PERSON | {"?"}) & parts))
            told = item.is_capital and _PERSON & parts and (introduced or neighbour or _is_clearly_name(h, item))
            if answers or told:
                hits.add(k)
        elif item.is_capital and not words.has("common", item.word):
            paired = not item.starts_sentence or (k + 1 < len(items) and items[k + 1].is_capital and not item.ends_sentence)
            short = asked and item.starts_sentence and _sentence_length(items, k) <= 3
            said = any(words.has("self", w) for w in before[-1:]) or any(words.has("self", i.word) for i in items[k + 1 : k + 3])
            if "Name" in parts or (introduced and not item.starts_sentence) or (asked and (paired or short)) or (said and neighbour):
                hits.add(k)
                hits |= {j for j in (k + 1,) if j < len(items) and items[j].is_capital and not item.text.endswith((",", ".", "?", "!"))}
    return {k for k in hits if not words.has("not_names", items[k].word)}


def _operator_names(heard: Sequence[Heard]) -> set[str]:
    """First names that the operator gives as his own: in his first two turns, or when the client asks who is speaking."""
    own: set[str] = set()
    seen = 0
    for h in heard:
        if h.role == "operator":
            seen += 1
        if (h.role == "operator" and seen <= 2) or h.is_answer_of_client:
            for k, item in enumerate(h.items):
                near = {p for j in (k - 1, k + 1) if 0 <= j < len(h.items) for p in _parts(h, h.items[j].word)}
                if item.is_capital and "Name" in _parts(h, item.word) and "Patr" not in near:
                    own.add(item.word)
    return own


def _is_own(h: Heard, at: int, own: set[str], clients: set[str]) -> bool:
    word = h.items[at].word
    alone = not any(
        0 <= j < len(h.items) and {"Patr", "Surn"} & _parts(h, h.items[j].word) and h.items[j].is_capital for j in (at - 1, at + 1)
    )
    return alone and any(_same_name(word, w) for w in own) and not any(_same_name(word, w) for w in clients - own)


def _is_address_word(h: Heard, at: int, asked: bool) -> bool:
    item, words = h.items[at], h.vocabulary
    if item.kind is not None or not item.word:
        return False
    anchor = words.has("street", item.word) or words.has("house", item.word) or words.has("settlement", item.word)
    if anchor or any(c.isdigit() for c in item.text) or number_of(item.word, words, loosely=asked) is not None:
        return True
    if words.has("common", item.word) or words.has("not_names", item.word):
        return False
    parts = _parts(h, item.word)
    if "Geox" in parts or "Anum" in parts or (item.is_capital and not item.starts_sentence):
        return True
    beside = any(0 <= j < len(h.items) and words.has("street", h.items[j].word) for j in (at - 1, at + 1))
    if item.is_capital:
        return asked or beside
    return asked and ("?" in parts or beside)


def _address_runs(h: Heard, content: Sequence[bool], asked: bool) -> list[tuple[int, int]]:
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
            if content[last] and (not crosses or anchored or (asked and _is_numeric(h, last))):
                last += 1
            elif last + 1 < len(content) and content[last + 1] and not crosses and not h.items[last].ends_sentence and _bridges(h, last):
                last += 2
            else:
                break
        runs.append((at, last))
        at = last
    return runs


def _is_address(h: Heard, first: int, last: int, asked: bool) -> bool:
    words, run = h.vocabulary, range(first, last)
    street = [k for k in run if words.has("street", h.items[k].word)]
    house = [k for k in run if words.has("house", h.items[k].word) and any(_is_numeric(h, j) for j in (k + 1, k - 1) if j in run)]
    numbers = [k for k in run if _is_numeric(h, k)]
    named = [
        k for k in run if not _is_anchor(h, k) and not _is_numeric(h, k) and (h.items[k].is_capital or "Geox" in _parts(h, h.items[k].word))
    ]
    if street and (named or (asked and last - first >= 2)):
        return True
    if house and (named or street or asked or len(house) > 1):
        return True
    if not asked or h.role == "operator":
        return False
    unsure = [k for k in run if "?" in _parts(h, h.items[k].word)]
    return bool((named or unsure) and (numbers or last - first >= 2)) or any("Geox" in _parts(h, h.items[k].word) for k in named)


def _is_anchor(h: Heard, at: int) -> bool:
    word = h.items[at].word
    return h.vocabulary.has("street", word) or h.vocabulary.has("house", word) or h.vocabulary.has("settlement", word)


def _is_numeric(h: Heard, at: int) -> bool:
    item = h.items[at]
    return any(c.isdigit() for c in item.text) or number_of(item.word, h.vocabulary) is not None or "Anum" in _parts(h, item.word)


def _bridges(h: Heard, at: int) -> bool:
    word = h.items[at].word
    return h.items[at].kind is None and (h.vocabulary.has("between", word) or h.vocabulary.has("fillers", word))


def _parts(h: Heard, word: str) -> set[str]:
    """What the word may be by the dictionaries of the turn's languages; unknown only where all of them say so."""
    each = [name_parts(word, code) for code in h.vocabulary.codes]
    found = set().union(*each)
    if not all("?" in parts for parts in each):
        found.discard("?")
        for parts in each:  # a guess about an unknown word counts for less than what another dictionary knows
            if "?" in parts and len(each) > 1:
                known = next(p for p in each if "?" not in p)
                found -= (parts & {"Name", "Surn", "Geox"}) - known
    return found


def _person(h: Heard, at: int) -> bool:
    return h.items[at].is_capital and bool(_PERSON & _parts(h, h.items[at].word))


def _can_be_name(h: Heard, at: int) -> bool:
    return bool({"Name", "Surn"} & _parts(h, h.items[at].word)) or (h.items[at].is_capital and "?" in _parts(h, h.items[at].word))


def _is_clearly_name(h: Heard, item: Item) -> bool:
    best = languages.parses(item.word, h.vocabulary.codes[0])[:1]
    return bool(best) and best[0].is_known and bool(_PERSON & set(str(best[0].tag).replace(" ", ",").split(",")))


def _is_plain(h: Heard, at: int) -> bool:
    item, words = h.items[at], h.vocabulary
    return item.kind is not None or not item.word or any(words.has(name, item.word) for name in ("common", "fillers", "code_word", "self"))


def _same_name(one: str, other: str) -> bool:
    if one == other:
        return True
    return min(len(one), len(other)) >= 4 and one[:3] == other[:3] and fuzz.ratio(one, other) >= _SAME_NAME


def _sentences(items: Sequence[Item]) -> list[tuple[int, int]]:
    ends = [k + 1 for k, item in enumerate(items) if item.ends_sentence]
    if not ends or ends[-1] != len(items):
        ends.append(len(items))
    return [(a, b) for a, b in zip([0, *ends], ends, strict=False) if b > a]


def _sentence_length(items: Sequence[Item], at: int) -> int:
    return next(b - a for a, b in _sentences(items) if a <= at < b)


def _runs(hits: set[int], items: Sequence[Item]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for k in sorted(hits):
        if out and out[-1][1] == k and not items[k - 1].ends_sentence:
            out[-1] = (out[-1][0], k + 1)
        else:
            out.append((k, k + 1))
    return out
