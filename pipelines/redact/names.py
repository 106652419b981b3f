"""Recognizes names of people by grammar, dictionaries and the preceding question."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz

from models.languages import language as languages
from models.languages.abuse_lexicon import load_lexicon
from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.turns.spoken_numbers import number_of
from pipelines.turns.words import TokenContext, TurnContext, name_parts

_CYRILLIC_CODES = {"ru", "uk"}
_PERSON = {"Name", "Surn", "Patr"}
_NAME_WORDS = 3  # family name, first name, patronymic
_SAME_NAME = 85.0  # two spellings of one name, in per cent


class NameRecognizer(Recognizer):
    """Names of people in any position; only an operator's own name, as given by the operator, stays readable."""

    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        return _names(call.turns, call.taken, call.public_words)


def _names(contexts: Sequence[TurnContext], taken: Sequence[set[int]], public_words: frozenset[str]) -> list[PersonalSpan]:
    marked: list[set[int]] = []
    for n, h in enumerate(contexts):
        marked.append({k for k in _names_in(h) if k not in taken[n] and h.items[k].word not in public_words})
    own, others = _whose(contexts, marked)
    spans: list[PersonalSpan] = []
    for n, h in enumerate(contexts):
        for k, item in enumerate(h.items):
            if k not in taken[n] and item.is_capital and item.word not in public_words and _is_one_of(h, k, others):
                marked[n].add(k)
        kept = {k for k in marked[n] if _is_own(h, k, own, others)}
        spans += [PersonalSpan(n, first, last, "name") for first, last in _runs(marked[n] - kept, h.items)]
    return spans


def _names_in(h: TurnContext) -> set[int]:
    items, words = h.items, h.vocabulary
    asked = "name" in h.asked and h.role != "operator"
    hits: set[int] = _bare_answer(h) | _begun_answer(h) if asked else set()
    for k, item in enumerate(items):
        if item.kind is not None or not item.word or words.has("not_names", item.word):
            continue
        parts = parts_of(h, item.word)
        before = [i.word for i in items[max(0, k - 3) : k] if not i.ends_sentence]
        introduced = any(words.has("name_intro", w) for w in before) or (bool(before) and words.has("titles", before[-1]))
        introduced |= any(words.has("self", w) for w in [*before[-1:], *(i.word for i in items[k + 1 : k + 2])]) and _is_clearly_name(
            h, item
        )
        neighbour = any(0 <= j < len(items) and items[j].is_capital and _PERSON & parts_of(h, items[j].word) for j in (k - 1, k + 1))
        first_name = any(0 <= j < len(items) and "Name" in parts_of(h, items[j].word) for j in (k - 1, k + 1))
        if "Patr" in parts and ("Surn" not in parts or neighbour or first_name):
            hits |= {k} | {j for j in (k - 1, k - 2) if j >= 0 and _can_be_name(h, j) and not items[j].ends_sentence}
            hits |= {j for j in (k + 1,) if j < len(items) and items[j].is_capital and "Surn" in parts_of(h, items[j].word)}
        elif words.codes[0] in _CYRILLIC_CODES:
            if words.has("common", item.word):
                continue
            begins = item.starts_sentence or k - 1 in hits
            answers = asked and (_is_clearly_name(h, item) or ((item.is_capital or begins) and (_PERSON | {"?"}) & parts))
            introduced_name = _PERSON & parts and (item.is_capital or introduced) and (introduced or neighbour or _is_clearly_name(h, item))
            introduced_name = introduced_name or (not item.is_capital and _is_name_without_capital(h, k))
            if answers or introduced_name:
                hits.add(k)
        elif asked and "Name" in parts and not words.has("common", item.word):
            hits |= {k} | {j for j in (k - 1, k + 1) if 0 <= j < len(items) and not words.has("common", items[j].word)}
        elif item.is_capital and not words.has("common", item.word):
            paired = not item.starts_sentence or (k + 1 < len(items) and items[k + 1].is_capital and not item.ends_sentence)
            short = asked and item.starts_sentence and _sentence_length(items, k) <= 3
            said = any(words.has("self", w) for w in before[-1:]) or any(words.has("self", i.word) for i in items[k + 1 : k + 3])
            if (
                "Name" in parts
                or (introduced and not item.starts_sentence)
                or (asked and (paired or short))
                or (said and (neighbour or _is_pair(items, k)))
            ):
                hits.add(k)
                hits |= {j for j in (k + 1,) if j < len(items) and items[j].is_capital and not item.text.endswith((",", ".", "?", "!"))}
    kept = {k for k in hits if not words.has("not_names", items[k].word)}
    return {k for k in kept if {k - 1, k + 1} & kept or not _is_insult(h, items[k].word)}


def _is_name_without_capital(h: TurnContext, at: int) -> bool:
    """Whether a lower-case word can only be a given name, or may be a family name next to one."""
    item = h.items[at]
    if item.kind is not None or h.vocabulary.has("common", item.word) or h.vocabulary.has("not_names", item.word):
        return False
    if "Name" in parts_of(h, item.word) and _is_clearly_name(h, item):
        return True
    beside = [h.items[j] for j in (at - 1, at + 1) if 0 <= j < len(h.items) and h.items[min(at, j)].text[-1:] not in ",.?!"]
    given = (i for i in beside if i.kind is None and "Name" in parts_of(h, i.word) and _is_clearly_name(h, i))
    # a capitalised word next to an operator's name is their company or office as often as a family name; names that they read back are
    # found by `readback`
    return h.role != "operator" and "Surn" in parts_of(h, item.word) and any(True for _ in given)


def _is_pair(items: Sequence[TokenContext], at: int) -> bool:
    """Whether another capitalised word is next to it in the sentence: family name and first name."""
    after = at + 1 < len(items) and items[at + 1].is_capital and not items[at].ends_sentence
    return after or (at > 0 and items[at - 1].is_capital and not items[at].starts_sentence)


def _bare_answer(h: TurnContext) -> set[int]:
    """The words of a turn with one to three words besides common ones, and no number: after the question for a name, that name."""
    words = h.vocabulary
    rest = [
        k
        for k, i in enumerate(h.items)
        if i.kind is None and i.word and not words.has("fillers", i.word) and not words.has("common", i.word)
    ]
    is_name = 1 <= len(rest) <= _NAME_WORDS and rest[-1] - rest[0] == len(rest) - 1 and not any(is_counted(h, k) for k in rest)
    asks_back = any(i.text.endswith("?") for i in h.items)
    known = any({"Name", "Surn", "Patr", "?"} & parts_of(h, h.items[k].word) for k in rest)
    return set(rest) if is_name and known and not asks_back else set()


def _begun_answer(h: TurnContext) -> set[int]:
    """The leading words of an answer to the question for a name, where the first is a name or unknown.

    Names are misrecognised most: "Мезенцева Дарья Ильинична" becomes "мединцева, даря и линично".
    """
    words, found = h.vocabulary, list[int]()
    for k, item in enumerate(h.items):
        if item.kind is not None or not item.word or is_counted(h, k) or len(found) == _NAME_WORDS:
            break
        if words.has("common", item.word) or words.has("fillers", item.word):
            if found and len(item.word) > 1:
                break
        elif not found and not {"Name", "Surn", "?"} & parts_of(h, item.word):
            break
        else:
            found.append(k)
        if found and (item.ends_sentence or (len(found) > 1 and item.text.endswith(","))):
            break
    if not found:
        return set()
    is_question = next((i.text.endswith("?") for i in h.items[found[0] :] if i.ends_sentence), False)
    asks_back = is_question and not h.items[found[-1]].text.endswith(",")  # unlike "Ковальчук Марина, записали?"
    return set() if asks_back else set(range(found[0], found[-1] + 1))


def _is_insult(h: TurnContext, word: str) -> bool:
    """Whether the word alone is more likely an insult than a family name: reviewers must be able to read it."""
    lexicon = load_lexicon(*(h.vocabulary.codes if h.vocabulary.codes[0] in _CYRILLIC_CODES else (h.vocabulary.codes[0],)))
    return any(lexicon.has(name, word) for name in ("obscene", "insults", "insults_addressed", "company_insults"))


def _whose(contexts: Sequence[TurnContext], marked: Sequence[set[int]]) -> tuple[set[str], set[str]]:
    """The names of the operator, as given in their first two turns or when asked, and all other names."""
    own: set[str] = set()
    others: set[str] = set()
    operator_turns = 0
    for n, h in enumerate(contexts):
        operator_turns += h.role == "operator"
        introduces = (h.role == "operator" and operator_turns <= 2) or h.is_answer_of_client
        for k, item in enumerate(h.items):
            named = item.is_capital or _is_clearly_name(h, item)
            introduced_name = any(h.vocabulary.has("name_intro", i.word) for i in h.items[max(0, k - 2) : k]) and item.is_capital
            named = introduced_name or (named and "Name" in parts_of(h, item.word))
            if introduces and named and _stands_alone(h, k) and not _is_one_of(h, k, others):
                own.add(item.word)
            elif k in marked[n] and not (_stands_alone(h, k) and _is_one_of(h, k, own)):
                others.add(item.word)
    return own, others


def _is_own(h: TurnContext, at: int, own: set[str], others: set[str]) -> bool:
    return _stands_alone(h, at) and _is_one_of(h, at, own) and not _is_one_of(h, at, others - own)


def _stands_alone(h: TurnContext, at: int) -> bool:
    """Whether no family name or patronymic is next to it."""
    beside = [h.items[j] for j in (at - 1, at + 1) if 0 <= j < len(h.items)]
    return not any(
        "Patr" in parts_of(h, i.word) or (i.is_capital and not i.starts_sentence and "Surn" in parts_of(h, i.word)) for i in beside
    )


def _is_one_of(h: TurnContext, at: int, names: set[str]) -> bool:
    word = h.items[at].word
    if word in names:
        return True
    lemma = languages.lemma(word, h.vocabulary.codes[0])
    return any(_same_name(word, other) or lemma == languages.lemma(other, h.vocabulary.codes[0]) for other in names)


def is_numeric(h: TurnContext, at: int) -> bool:
    """Whether the word is a number, in digits or in words, or an ordinal."""
    item = h.items[at]
    return any(c.isdigit() for c in item.text) or number_of(item.word, h.vocabulary) is not None or "Anum" in parts_of(h, item.word)


def parts_of(h: TurnContext, word: str) -> set[str]:
    """The possible parses of the word in the dictionaries of the turn's languages; unknown only where all of them lack it."""
    each = [name_parts(word, code) for code in h.vocabulary.codes]
    found = set().union(*each)
    if not all("?" in parts for parts in each):
        found.discard("?")
        for parts in each:  # a guess about an unknown word counts less than another dictionary's entry
            if "?" in parts and len(each) > 1:
                known = next(p for p in each if "?" not in p)
                found -= (parts & {"Name", "Surn", "Geox"}) - known
    return found


def is_person(h: TurnContext, at: int) -> bool:
    """Whether the word is capitalised and in a dictionary as a person's name."""
    return h.items[at].is_capital and bool(_PERSON & parts_of(h, h.items[at].word))


def _can_be_name(h: TurnContext, at: int) -> bool:
    return bool({"Name", "Surn"} & parts_of(h, h.items[at].word)) or (h.items[at].is_capital and "?" in parts_of(h, h.items[at].word))


def _is_clearly_name(h: TurnContext, item: TokenContext) -> bool:
    """Whether the likeliest parse is a name; without an informative capital, all parses of both languages must be."""
    if h.vocabulary.codes[0] not in _CYRILLIC_CODES:
        return item.is_capital and "Name" in parts_of(h, item.word)
    readings = [p for code in h.vocabulary.codes for p in languages.parses(item.word, code) if p.is_known]
    names = [bool(_PERSON & set(str(p.tag).replace(" ", ",").split(","))) for p in readings]
    is_telling = item.is_capital and not item.starts_sentence
    return bool(names) and (names[0] if is_telling else all(names) and len(item.word) >= 4)


def is_plain(h: TurnContext, at: int) -> bool:
    """Whether the word is common, or already masked."""
    item, words = h.items[at], h.vocabulary
    return item.kind is not None or not item.word or any(words.has(name, item.word) for name in ("common", "fillers", "code_word", "self"))


def is_counted(h: TurnContext, at: int) -> bool:
    """Whether the word is a number or a counted thing."""
    return is_numeric(h, at) or h.vocabulary.has("units", h.items[at].word) or h.vocabulary.has("thousands", h.items[at].word)


def _same_name(one: str, other: str) -> bool:
    if one == other:
        return True
    return min(len(one), len(other)) >= 4 and one[:3] == other[:3] and fuzz.ratio(one, other) >= _SAME_NAME


def sentences(items: Sequence[TokenContext]) -> list[tuple[int, int]]:
    """The start and end of each sentence."""
    ends = [k + 1 for k, item in enumerate(items) if item.ends_sentence]
    if not ends or ends[-1] != len(items):
        ends.append(len(items))
    return [(a, b) for a, b in zip([0, *ends], ends, strict=False) if b > a]


def _sentence_length(items: Sequence[TokenContext], at: int) -> int:
    return next(b - a for a, b in sentences(items) if a <= at < b)


def _runs(hits: set[int], items: Sequence[TokenContext]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for k in sorted(hits):
        if out and out[-1][1] == k and not items[k - 1].ends_sentence:
            out[-1] = (out[-1][0], k + 1)
        else:
            out.append((k, k + 1))
    return out
