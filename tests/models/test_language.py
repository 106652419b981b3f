from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.languages import language
from models.languages.language import LANGUAGES, find_phrase, is_first_name, lemma, load, words_of


def test_words_are_bare_and_placeholders_stay_whole() -> None:
    assert words_of("Ещё раз: П’ять, [ACCOUNT]! что-нибудь?") == ["еще", "раз", "п'ять", "[ACCOUNT]", "что-нибудь"]


@pytest.mark.parametrize(
    ("word", "code", "expected"),
    [
        ("счёта", "ru", "счет"),
        ("показання", "uk", "показання"),
        ("számlák", "hu", "számla"),
        ("readings", "en", "reading"),
        ("Zzq", "ru", "zzq"),
    ],
)
def test_lemmas(word: str, code: str, expected: str) -> None:
    assert lemma(word, code) == expected


@pytest.mark.parametrize(
    ("text", "phrase", "code", "quoted"),
    [
        ("большое спасибо вам за ваше ожидание", "спасибо за ожидание", "ru", "спасибо вам за ваше ожидание"),
        ("спасибо за ожиданье", "спасибо за ожидание", "ru", "спасибо за ожиданье"),
        ("оставайтесь пожалуйста на линии", "(подождать|оставаться) на линия", "ru", "оставайтесь пожалуйста на линии"),
        ("чем я могу вам помочь", "чем помочь", "ru", None),
        ("чем я могу вам помочь", "чем ... помочь", "ru", "чем я могу вам помочь"),
        ("я не очень знаю", "не_знать", "ru", None),
        ("тот самый кредо телеком", "кредо-телеком", "ru", "кредо телеком"),
        ("я завершаю разговор", "=завершу разговор", "ru", None),
        ("правильно понимаю вас", "понимать -правильно", "ru", None),
        ("megoldottam a gondot", "megold*", "hu", "megoldottam"),
        ("ви телефонували вчора", "ви дуже~ телефонувати", "uk", "ви телефонували"),
    ],
)
def test_phrases_survive_inflection_gaps_and_mishearing(text: str, phrase: str, code: str, quoted: str | None) -> None:
    words = words_of(text)
    found = find_phrase(words, phrase, code)
    assert [" ".join(words[i:j]) for i, j, _ in found] == ([quoted] if quoted else [])


def test_a_weaker_sign_never_scores_more_than_it_may() -> None:
    assert find_phrase(words_of("извините за ожидание"), "извинить за ожидание /60", "ru")[0][2] <= 0.6


@pytest.mark.parametrize("phrase", ["", "чем~", "(а б)", "(а|(б))", "..."])
def test_a_phrase_that_says_nothing_is_refused(phrase: str) -> None:
    with pytest.raises(ValueError, match=r"phrase|word"):
        find_phrase(["а"], phrase, "ru")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["спасибо", "за", "ожидание", "да", "[NAME]", "не", "знаю", "x"]), max_size=14))
def test_spans_lie_in_the_words_and_never_overlap(words: list[str]) -> None:
    spans = find_phrase(words, "спасибо ... (ожидание|знать)", "ru")
    assert all(0 <= i < j <= len(words) and 0 < score <= 1 for i, j, score in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_language_knows_the_acts_a_scorecard_can_ask_for(code: str) -> None:
    assert set(language.ACTS) <= set(load(code).acts)


def test_given_names() -> None:
    assert all(is_first_name(w, c) for w, c in [("анна", "ru"), ("сергій", "uk"), ("оксана", "ru"), ("zsófia", "hu"), ("andrew", "en")])
    assert not any(is_first_name(w, c) for w, c in [("счет", "ru"), ("лічильник", "uk"), ("szám", "hu"), ("router", "en")])


def test_a_wrong_language_file_is_reported_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hu.yaml").write_text("acts: {greating: [jó napot]}", encoding="utf-8")
    monkeypatch.setattr(language, "FOLDER", tmp_path)
    load.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"hu\.yaml.*greating"):
            load("hu")
        with pytest.raises(ValueError, match=r"'pl' is not one of ru, uk, hu, en"):
            load("pl")
    finally:
        monkeypatch.undo()
        load.cache_clear()
