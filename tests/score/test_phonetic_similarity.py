"""A misrecognised company name is never a definite miss, and another company's name is never taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.score.phonetic_similarity import company_similarity, name_similarity, similarity, sounds
from tests.score.spoken import turns_of
from tests.score.test_compliance import verdicts

GREETING = {
    "ru": "Здравствуйте, {}, оператор Анна, слушаю вас.",
    "uk": "Добрий день, {}, оператор Ірина, слухаю вас.",
    "hu": "Jó napot kívánok, {}, Anna vagyok, miben segíthetek?",
    "en": "Good morning, {}, Anna speaking, how may I help?",
}
LATER = {
    "ru": ("Нет света.", "Назовите, пожалуйста, адрес.", "Спасибо.", "Мы всё проверим, до свидания."),
    "uk": ("Немає світла.", "Назвіть, будь ласка, адресу.", "Дякую.", "Ми все перевіримо, до побачення."),
    "hu": ("Nincs térerő.", "Kérem a címét.", "Köszönöm.", "Megnézzük, viszonthallásra."),
    "en": ("There is no power.", "What is the address, please?", "Thank you.", "We will check it, goodbye."),
}


def named(centre: str, language: str, said: str) -> str:
    """The verdict on a greeting that names a company so."""
    client, asks, thanks, ends = LATER[language]
    lines = (("operator", GREETING[language].format(said)), ("client", client), ("operator", asks), ("client", thanks), ("operator", ends))
    return str(verdicts(centre, turns_of(*lines, language=language))["company_named"].verdict)


@pytest.mark.parametrize(
    ("centre", "language", "said"),
    [
        ("irkutsk", "ru", "ир куцк энерго спыт"),
        ("irkutsk", "ru", "Юркутскинергосбит"),
        ("kredo", "ru", "гредателеком"),
        ("kredo", "en", "Greedo Telekon"),
        ("kyiv", "uk", "Кеївскі енергетичніпослугі"),
        ("kyiv", "en", "Keev energy servises"),
        ("kyiv", "ru", "киевски енергетически услуги"),
        ("odesa", "uk", "Одеска обласна инерго постачальна кампанія"),
        ("odesa", "ru", "адеская областная энергоснабжающая компания"),
    ],
)
def test_a_broken_company_name_is_still_a_name(centre: str, language: str, said: str) -> None:
    assert named(centre, language, said) == "pass"


@pytest.mark.parametrize(
    ("centre", "language", "said"),
    [
        ("irkutsk", "ru", "Мосэнергосбыт"),
        ("irkutsk", "ru", "Ростелеком"),
        ("kredo", "ru", "Ростелеком"),
        ("kredo", "en", "British Telecom"),
        ("kyiv", "uk", "Київводоканал"),
        ("kyiv", "en", "City Water"),
        ("odesa", "uk", "Одесаобленерго"),
        ("odesa", "uk", "Одесагаз"),
        ("motiv", "ru", "Мегафон"),
        ("motiv", "hu", "Yettel"),
    ],
)
def test_another_company_is_not_taken_for_the_centres_own(centre: str, language: str, said: str) -> None:
    assert named(centre, language, said) in ("fail", "unsure")


def test_a_greeting_without_a_name_still_fails() -> None:
    for centre, language in (("irkutsk", "ru"), ("kredo", "en"), ("kyiv", "uk"), ("motiv", "hu")):
        assert named(centre, language, "") == "fail", (centre, language)


def test_the_same_sounds_in_two_alphabets_are_alike() -> None:
    assert sounds("Kyiv") == sounds("Кеев") and sounds("Motiv") == sounds("мотив") == sounds("mothif")
    assert company_similarity(["good", "afternoon", "my", "name", "is"], ["Kyiv Energy Services"]) is None


@settings(max_examples=60, deadline=None)
@given(st.text("абвгдеиклмнопрст ", max_size=20), st.text("абвгдеиклмнопрст ", max_size=20))
def test_likeness_is_a_share_and_a_name_is_most_like_itself(one: str, other: str) -> None:
    assert 0 <= similarity(one, other) <= 1 and 0 <= name_similarity(one, other) <= 1
    if one.strip():
        assert similarity(one, one) == pytest.approx(1) and name_similarity(one, one) == pytest.approx(1)
