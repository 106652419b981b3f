"""Dictionary forms from simplemma's data, cached as tries: the same words whether or not the tries can be cached."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from models.languages import dictionaries

WORDS = {"hu": ["számlák", "mérőállást", "Megértem", "visszahívom", "zzq"], "en": ["readings", "Bills", "charged", "hot-line", "zzq"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder, and nothing remembered of another."""
    monkeypatch.setenv("CALLGRADE_MODELS_DIR", str(tmp_path / "models"))
    for cached in (dictionaries.lemmas, dictionaries.is_known, dictionaries._lemmatizer, dictionaries._tries):
        cached.cache_clear()
    return tmp_path / "models"


def found(language: str) -> list[tuple[tuple[str, ...], bool]]:
    return [(dictionaries.lemmas(word, language), dictionaries.is_known(word, language)) for word in WORDS[language]]


def as_shipped(language: str) -> list[tuple[tuple[str, ...], bool]]:
    import simplemma

    return [((simplemma.lemmatize(word, language).lower(),), simplemma.is_known(word, language)) for word in WORDS[language]]


@pytest.mark.parametrize("language", ["hu", "en"])
def test_the_words_are_those_that_the_library_ships(folder: Path, language: str) -> None:
    assert found(language) == as_shipped(language)
    kept = list(folder.rglob("*.dic"))
    assert [file.stem for file in kept] == [language] and kept[0].stat().st_size < 10_000_000
    assert list(folder.rglob("*")) == [kept[0].parent, kept[0]]  # nothing half made


def test_words_are_known_where_nothing_can_be_kept(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    assert found("en") == as_shipped("en")


def test_processes_that_begin_at_once_find_a_whole_file(folder: Path) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        answers = pool.map(found, ["en"] * 3, chunksize=1)
    assert answers == [as_shipped("en")] * 3
    assert len(list(folder.rglob("*.dic"))) == 1
