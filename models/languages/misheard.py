"""Abusive words that speech recognition misspelled: `отупили`, `варьё`, `дарма еды`, `де біл`.

Only out-of-vocabulary words are compared, by sound: unstressed vowels, and the voice and length of consonants, are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from models.languages.dictionaries import is_known

_LEAST_LETTERS = 5  # letters: shorter words sound like too many others
_ENDING = 4  # letters that may follow a stem
_SOUNDS = str.maketrans(
    {
        "о": "а", "е": "и", "э": "и", "є": "и", "і": "и", "ї": "и", "ы": "и", "я": "и", "ё": "и", "ю": "у", "й": "", "ь": "", "ъ": "", "'": "",
        "щ": "ш", "á": "a", "é": "e", "í": "i", "ó": "o", "ö": "o", "ő": "o", "ú": "u", "ü": "u", "ű": "u",
    }
)  # fmt: skip
_DEVOICED = str.maketrans("бдгзжв", "птксшф")
_VOWELS = set("аиуaeiou")
_DOUBLED = re.compile(r"(.)\1+")


@dataclass(frozen=True, slots=True)
class PhoneticIndex:
    """The words of some lists, indexed by sound."""

    whole: dict[str, str]  # sound → word
    stems: tuple[tuple[str, str], ...]  # sound, the word that represents the stem

    def find(self, word: str, is_single: bool = True) -> str | None:
        """The listed word that sounds like this one (a single word may have one wrong vowel), or None."""
        if len(word) < _LEAST_LETTERS:
            return None
        phonetic = sound(word)
        if found := self.whole.get(phonetic):
            return found
        fitting = [(s, listed) for s, listed in self.stems if phonetic.startswith(s) and len(phonetic) - len(s) <= _ENDING]
        if fitting:
            return max(fitting)[1]
        return next((listed for s, listed in self.whole.items() if is_single and _one_vowel_off(s, phonetic)), None)


def sounds_of(entries: Iterable[str]) -> PhoneticIndex:
    """The index of lexicon entries; an entry that ends with `*` is a stem, regular expressions are skipped."""
    whole: dict[str, str] = {}
    stems: dict[str, str] = {}
    for entry in entries:
        word = entry.rstrip("*")
        if entry.startswith("~") or len(word) < _LEAST_LETTERS:
            continue
        if entry.endswith("*"):
            stems.setdefault(_blurred(word), word)  # its last letter is not at the end of a word
        else:
            whole.setdefault(sound(word), word)
    return PhoneticIndex(whole, tuple(sorted(stems.items())))


def sound(word: str) -> str:
    """A rough phonetic key: words that recognition confuses have the same key."""
    plain = _blurred(word)
    return plain[:-1] + plain[-1:].translate(_DEVOICED)


def _one_vowel_off(one: str, other: str) -> bool:
    if len(one) != len(other) or len(one) < _LEAST_LETTERS:
        return False
    wrong = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    return len(wrong) == 1 and one[:2] == other[:2] and set(wrong[0]) <= _VOWELS


def _blurred(word: str) -> str:
    return _DOUBLED.sub(r"\1", word.translate(_SOUNDS))


def is_known_word(word: str, language: str) -> bool:
    """Whether the dictionary of a language has the word; for a language without a dictionary, always true."""
    return language not in ("ru", "uk", "hu", "en") or is_known(word, language)
