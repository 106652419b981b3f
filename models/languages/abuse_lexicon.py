"""The abuse lexicon of one language, compiled from `models/languages/abuse/<code>.yaml` into patterns over normalised words.

Entries are words, with `*` for any letters: `идиот*`. A phrase is several of them; `|` separates alternatives, `?` after a word makes
it optional, `..` allows up to two words between, and `,` requires a pause or a sentence boundary. Entries that begin with `~` are
regular expressions of one whole word, for stems with too many prefixes and endings to list.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from models.languages.misheard import PhoneticIndex, is_known_word, sounds_of
from models.languages.phrases import LOADER

FOLDER = Path(__file__).with_name("abuse")
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "ё": "е", "Ё": "Е"})
_LATIN_TWINS = str.maketrans("aceopxyi", "асеорхуі")
_EDGES = '.,!?;:…—–-()«»"“”„[]{}'
_MASKS = "*#@$%_"
_WORD_LISTS = (
    "obscene", "obscene_mild", "insults", "insults_addressed", "insults_adjectives", "company_insults", "harmless", "you_nominative", "you_dative", "you_one", "you_many", "you_any",
    "self", "they", "what_a", "reporting", "quoting", "everyone",
)  # fmt: skip
_LEAST_GLUED = 5  # minimum letters of an insult that is searched for inside another word
_BY_SOUND = ("insults", "company_insults", "insults_adjectives")
_PHRASE_LISTS = ("threats", "dismissals", "phrases_insult", "phrases_profanity", "phrases_harmless")


@dataclass(frozen=True, slots=True)
class AbuseLexicon:
    """The compiled lexicon; `words[name]` matches one normalised word, `phrases[name]` several words joined by spaces."""

    codes: tuple[str, ...]
    words: dict[str, re.Pattern[str]]
    phrases: dict[str, re.Pattern[str]]
    masked: re.Pattern[str]
    sounds: PhoneticIndex  # of the insults

    def has(self, name: str, word: str) -> bool:
        """Whether a normalised word belongs to a list."""
        return self.words[name].fullmatch(word) is not None

    def as_meant(self, word: str, language: str) -> str | None:
        """The insult that a misrecognised word stands for; None for a word in a dictionary, and for one that sounds like no insult."""
        meant = self.sounds.find(word) or self._with_you(word)
        return meant if meant and meant != word and not is_known_word(word, language) else None

    def _with_you(self, word: str) -> str | None:
        """The insult in a word that was recognised together with the `you` before or after it."""
        for cut in range(2, len(word) - 1):
            for insult, you in ((word[:cut], word[cut:]), (word[cut:], word[:cut])):
                if len(insult) >= _LEAST_GLUED and self.has("you_nominative", you) and self.has("insults", insult):
                    return insult
        return None

    def as_joined(self, first: str, second: str, language: str) -> str | None:
        """The insult that was recognised as two words, or None."""
        joined = first + second
        if len(first) < 2 or len(second) < 2:
            return None
        if any(self.has(name, joined) for name in ("insults", "company_insults")):
            return joined
        return self.sounds.find(joined, is_single=False) if not is_known_word(joined, language) else None


def normalise(text: str) -> str:
    """A normalised token: lower-case, NFC, ё as е, no punctuation at its edges; masking stars stay."""
    word = unicodedata.normalize("NFC", text).translate(_APOSTROPHES).lower().strip(_EDGES).replace("-", "")
    # a Latin letter that looks Cyrillic is a way to obfuscate a word
    return word.translate(_LATIN_TWINS) if re.search(r"[а-яіїєґ]", word) and re.search(r"[a-z]", word) else word


@cache
def load_lexicon(*codes: str) -> AbuseLexicon:
    """The compiled lexicon of one language, or of several that people mix in one sentence.

    A language without a file adds nothing, so that its calls can still be graded. Raises ValueError with the file and the invalid list.
    """
    lists: dict[str, list[str]] = {name: [] for name in (*_WORD_LISTS, *_PHRASE_LISTS, "masked")}
    for code in codes:
        path = FOLDER / f"{code}.yaml"
        raw = _read(path)
        if unknown := sorted(set(raw) - set(lists) - {"language", "sources"}):
            raise ValueError(f"{path}: {unknown[0]!r} is not a list of the lexicon; allowed: {', '.join(sorted(lists))}.")
        for name, entries in lists.items():
            entries.extend(_entries(raw.get(name)))
    try:
        words = {name: _one_of(_word(word) for entry in lists[name] for word in _split(entry)) for name in _WORD_LISTS}
        phrases = {name: _one_of(_phrase(entry) for entry in lists[name]) for name in _PHRASE_LISTS}
        masked = _one_of(_masked(entry) for entry in lists["masked"])
    except re.error as error:
        raise ValueError(f"{FOLDER}: {error.pattern!r} in {'+'.join(codes)} cannot be read: {error}.") from error
    insults = (word for name in _BY_SOUND for entry in lists[name] for word in _split(entry))
    return AbuseLexicon(codes, words, phrases, masked, sounds_of(insults))


@cache
def _read(path: Path) -> dict[str, Any]:
    return dict(yaml.load(path.read_text(encoding="utf-8"), LOADER)) if path.exists() else {}


def _entries(raw: Any) -> list[str]:
    """The entries of a list, which may be grouped under headings for readability."""
    if raw is None:
        return []
    if isinstance(raw, dict):
        return [entry for group in raw.values() for entry in _entries(group)]
    return [raw] if isinstance(raw, str) else [str(entry) for entry in raw]


def _split(entry: str) -> list[str]:
    """The entries of one line of a word list: one regular expression or several words."""
    return [entry] if entry.startswith("~") else entry.split()


def _one_of(patterns: Any) -> re.Pattern[str]:
    found = list(patterns)
    return re.compile("|".join(f"(?:{p})" for p in found) if found else r"(?!)")


def _word(entry: str) -> str:
    entry = entry.translate(_APOSTROPHES)
    return entry[1:] if entry.startswith("~") else re.escape(entry).replace(r"\*", r"[^\W\d_]*")


def _phrase(entry: str) -> str:
    parts = []
    for item in entry.translate(_APOSTROPHES).split():
        if item == "..":
            parts.append(r"(?:[^\s,.!?]+ (?:, )?){0,2}")
        elif item == ",":
            parts.append(r"(?:^|[,.!?] )")
        else:
            options = "|".join(re.escape(o).replace(r"\*", r"[^\W\d_]*") for o in item.rstrip("?").split("|"))
            parts.append(f"(?:(?:{options}) (?:, )?)" + ("?" if item.endswith("?") else ""))
    return r"(?:(?<=\s)|^)" + "".join(parts)


def _masked(entry: str) -> str:
    """The pattern of an entry; `бл` matches a word with this prefix that is masked with stars, `*` inside an entry is a masked middle."""
    stars = f"[{re.escape(_MASKS)}]"
    return re.escape(entry).replace(r"\*", stars + "+") if "*" in entry else re.escape(entry) + stars + r"+[^\W\d_]{0,3}"
