"""The context of turns for redaction: cue words of personal data by language (`models/languages/personal`), and token features."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import yaml

from models.languages import language as languages
from models.languages.dictionaries import is_known
from models.languages.phrases import LOADER
from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import Role, Turn

FOLDER = languages.FOLDER / "personal"
LISTS = (
    "request", "own", "units", "fillers", "months", "year", "street", "house", "settlement", "between", "email_at", "email_dot", "name_intro",
    "titles", "self", "not_names", "code_word", "code_forgotten", "public", "read_back", "common", "thousands", "address_told",
)  # fmt: skip
CUES = ("account", "phone", "card", "passport", "code_word", "birth_date", "name", "address", "email", "reading", "number")
PARTS = {"Name", "Surn", "Patr", "Geox", "Anum"}
ABBREVIATIONS = {"mr", "mrs", "ms", "dr", "st", "ул", "д", "кв", "г", "вул", "буд", "им"}  # their full stop ends no sentence
ANSWERS = 3  # turns in which a question may still be answered
SHORT_REQUEST = 6  # words: "Номер договора и фамилия." is a request although no word in it says so
LISTED = 3  # this many kinds make a longer sentence a request too: "Фамилия, имя, серия с номером паспорта" without its question mark
LONGEST_LIST = 12
_EDGES = re.compile(r"^[^\w\[+*#@]+|[^\w\]*#@]+$")
_CYRILLIC = re.compile(r"[а-яіїєґ]")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The cue words of one or more languages of a turn."""

    codes: tuple[str, ...]
    lists: Mapping[str, re.Pattern[str]]
    cues: Mapping[str, re.Pattern[str]]
    number_words: Mapping[str, int]

    def has(self, name: str, word: str) -> bool:
        """Whether the word is in the list of that name."""
        return self.lists[name].fullmatch(word) is not None

    def cues_of(self, word: str) -> set[str]:
        """The kinds of personal data that the word refers to."""
        return {kind for kind, pattern in self.cues.items() if pattern.fullmatch(word)}


@dataclass(frozen=True, slots=True)
class TokenContext:
    """One token of a turn with its features."""

    text: str  # as recognised
    word: str  # lower-cased, without punctuation
    is_capital: bool
    starts_sentence: bool
    ends_sentence: bool
    after_comma: bool  # the token before ended with a comma
    kind: str | None  # already masked as this kind


@dataclass(frozen=True, slots=True)
class TurnContext:
    """One turn with its context: its tokens, and what the other person requested before it."""

    role: Role
    items: list[TokenContext]
    vocabulary: Vocabulary
    asked: frozenset[str]
    is_answer_of_client: bool  # the client asked who is speaking: an employee's name is not personal data

    def near(self, first: int, reach: int = 6) -> set[str]:
        """The kinds that the words just before item `first` refer to, within the sentence or the one before it."""
        found: set[str] = set()
        for item in self.items[max(0, first - reach) : first]:
            found |= self.vocabulary.cues_of(item.word)
        return found


def contexts_of(turns: Sequence[Turn]) -> list[TurnContext]:
    """Each turn with its context: the personal data that the other person requested and was still waiting for."""
    out: list[TurnContext] = []
    asked: set[str] = set()
    asker, answers, asker_is_client = "", 0, False
    for turn in turns:
        items = items_of([t.text for t in turn.tokens])
        vocabulary = vocabulary_for(items, turn.language)
        context = frozenset(asked) if turn.speaker != asker else frozenset()
        out.append(
            TurnContext(turn.role, items, vocabulary, frozenset() if asker_is_client else context, asker_is_client and "name" in context)
        )
        if turn.speaker != asker and asked:
            answers += 1
            if answers >= ANSWERS:
                asked = set()
        asks = _asks(items, vocabulary)
        is_client = turn.role == "client"
        if is_client:
            asks &= {"name"} if any(i.text.endswith("?") for i in items) else set()
        if asks:
            asked, asker, answers, asker_is_client = asks, turn.speaker, 0, is_client
        elif turn.speaker == asker and (len(items) > 4 or any(i.kind for i in items)):
            asked = asked & {"account", "phone", "card", "passport", "number"} if answers == 0 else set()
    return out


def _asks(items: Sequence[TokenContext], vocabulary: Vocabulary) -> set[str]:
    """The kinds that a turn requests: the cues of each sentence that is a request, or is too short to be anything else."""
    found: set[str] = set()
    start = 0
    for n, item in enumerate(items, 1):
        if item.ends_sentence or n == len(items):
            sentence = items[start:n]
            named = [vocabulary.cues_of(i.word) for k, i in enumerate(sentence) if not _tells_own(sentence, k, vocabulary)]
            cues = {kind for kinds in named for kind in kinds}
            is_request = any(vocabulary.has("request", i.word) for i in sentence) or item.text.endswith("?")
            most = LONGEST_LIST if sum(map(bool, named)) >= LISTED else SHORT_REQUEST
            is_bare = len(sentence) <= most and not any(c.isdigit() for i in sentence for c in i.text)
            found |= cues if is_request or is_bare else cues & {"code_word"}
            start = n
    return found


def _tells_own(sentence: Sequence[TokenContext], at: int, vocabulary: Vocabulary) -> bool:
    """Whether the word introduces the speaker's own name: "my name is ...", "меня зовут ..."; that is not a request."""
    return vocabulary.has("name_intro", sentence[at].word) and at > 0 and vocabulary.has("own", sentence[at - 1].word)


def items_of(texts: list[str]) -> list[TokenContext]:
    """The tokens of a turn with their position in the sentence."""
    items: list[TokenContext] = []
    before = "."
    for text in texts:
        mask = re.fullmatch(r"\[([A-Z_]+)\]\W*", text)
        bare = _EDGES.sub("", text)
        word = bare.lower().replace("ё", "е").replace("’", "'").replace("ʼ", "'").replace("`", "'")
        items.append(
            TokenContext(
                text=text,
                word=word,
                is_capital=bool(bare) and bare[0].isupper() and mask is None,
                starts_sentence=before.endswith((".", "?", "!", "…")),
                ends_sentence=text.endswith((".", "?", "!", "…")) and word not in ABBREVIATIONS,
                after_comma=before.endswith((",", ";", ":")),
                kind=mask[1].lower() if mask else None,
            )
        )
        before = bare if word in ABBREVIATIONS else text
    return items


def vocabulary_for(items: list[TokenContext], code: str) -> Vocabulary:
    """The vocabulary of a turn: both Slavic languages for Cyrillic words (surzhyk), otherwise Hungarian or English."""
    letters = " ".join(i.word for i in items)
    if _CYRILLIC.search(letters):
        return _vocabulary(("uk", "ru") if code == "uk" else ("ru", "uk"))
    return _vocabulary((code,) if code in ("hu", "en") else ("en",))


@lru_cache(maxsize=100_000)
def name_parts(word: str, code: str) -> frozenset[str]:
    """Which of Name, Surn, Patr, Geox, Anum the word's likely parses have; `?` for a word that is not in the dictionary."""
    if code not in ("ru", "uk"):
        unknown = word.isalpha() and not is_known(word, code)
        return frozenset({"Name"} if languages.is_first_name(word, code) else ()) | frozenset({"?"} if unknown else ())
    found: set[str] = set()
    parses = languages.parses(word, code)
    for parse in parses[:4]:
        if parse.score >= 0.15:
            found |= PARTS & set(re.split(r"[ ,]", str(parse.tag)))
    if not any(p.is_known for p in parses):
        found = (found - {"Patr"}) | {"?"}
    if re.fullmatch(r"\w{3,}(ович|евич|йович|овна|евна|ична|инична|івна|ївна|овичу?|івно|ївно|овичем)", word):
        found.add("Patr")
    return frozenset(found)


@cache
def _vocabulary(codes: tuple[str, ...]) -> Vocabulary:
    read = [_read(code) for code in codes]
    number_words: dict[str, int] = {}
    for data in reversed(read):
        number_words |= {str(k): int(v) for k, v in data["number_words"].items()}
    return Vocabulary(
        codes,
        {name: re.compile("|".join(f"(?:{d[name]})" for d in read)) for name in LISTS},
        {kind: re.compile("|".join(f"(?:{d['cues'][kind]})" for d in read)) for kind in CUES},
        number_words,
    )


@cache
def _read(code: str) -> dict[str, Any]:
    path = FOLDER / f"{code}.yaml"
    data = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    for name, of, needed in (("cues", data.get("cues", {}), CUES), ("the file", data, (*LISTS, "number_words"))):
        missing = sorted(set(needed) - set(of))
        if missing:
            raise MisconfiguredError(f"{path}: {name} has no {missing[0]!r}; it must have {', '.join(needed)}.")
    return dict(data)
