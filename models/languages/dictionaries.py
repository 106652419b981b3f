"""The dictionaries of the four languages: dictionary forms of words, and whether a word exists.

pymorphy3 covers Russian and Ukrainian, simplemma Hungarian and English. The data that simplemma ships has to be unpacked into 200 MB
word by word, which for Hungarian took longer than grading ten calls; so each dictionary is stored as a trie of 1 to 9 MB beside the
models, built on first use.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

_MODELS_DIR = Path(__file__).resolve().parents[2] / ".models"


@lru_cache(maxsize=200_000)
def lemmas(word: str, language: str) -> tuple[str, ...]:
    """All likely dictionary forms of a word, the likeliest first; the word itself when the dictionary does not know it."""
    if not word or word[0] == "[":
        return (word,)
    if language in ("ru", "uk"):
        forms = [p.normal_form.replace("ё", "е") for p in morph(language).parse(word) if p.score >= 0.05]
        return tuple(dict.fromkeys(forms)) or (word,)
    if language in ("hu", "en"):
        return (_lemmatizer(language).lemmatize(word, language).lower(),)
    return (word,)


@lru_cache(maxsize=200_000)
def is_known(word: str, language: str) -> bool:
    """Whether the dictionary has a word, in any form."""
    if language in ("ru", "uk"):
        return bool(morph(language).word_is_known(word))
    from simplemma.strategies import DictionaryLookupStrategy

    return DictionaryLookupStrategy(_tries(language)).get_lemma(word, language) is not None


def entry(word: str, language: str) -> str | None:
    """The dictionary form of a Hungarian or English word that is in the dictionary in exactly this spelling; None otherwise."""
    found = _tries(language).get_dictionary(language).get(word)
    return None if found is None else str(found)


@cache
def morph(language: str) -> Any:
    """The morphological analyser of Russian or Ukrainian."""
    import pymorphy3

    return pymorphy3.MorphAnalyzer(lang=language)


@cache
def _lemmatizer(language: str) -> Any:
    from simplemma import Lemmatizer
    from simplemma.strategies import DefaultStrategy

    return Lemmatizer(lemmatization_strategy=DefaultStrategy(dictionary_factory=_tries(language)))


@cache
def _tries(language: str) -> Any:
    """The lookup of simplemma's words of a language: the stored trie or, where nothing can be written, the packaged data."""
    from simplemma import __version__
    from simplemma.strategies.dictionaries import DefaultDictionaryFactory, TrieDictionaryFactory

    folder = Path(os.environ.get("CALLGRADE_MODELS_DIR", _MODELS_DIR)) / f"simplemma-{__version__}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / f"{language}.dic").exists():
            with tempfile.TemporaryDirectory(dir=folder) as unfinished:  # so that another process sees a complete file or none
                TrieDictionaryFactory(disk_cache_dir=unfinished).get_dictionary(language)
                os.replace(Path(unfinished) / f"{language}.dic", folder / f"{language}.dic")
    except OSError:
        return DefaultDictionaryFactory()
    return TrieDictionaryFactory(disk_cache_dir=str(folder))
