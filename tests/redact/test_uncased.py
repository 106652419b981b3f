"""Lower-case transcripts without punctuation: names and addresses are masked there too, companies and plain words stay."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from models.languages.language import words_of
from pipelines.redact.step import redact_turns
from tests.spoken import Line, dialogue, references

NAMES = {
    "ru": ("Морозова Алина Сергеевна", "Тимур Галиев", "Козырев Антон", "Людмила Петровна", "Шевчук Алевтина", "Громов Степан Ильич"),
    "uk": ("Ткаченко Соломія Андріївна", "Богдан Левицький", "Мельник Оксана", "Галина Степанівна", "Дмитро Сорока", "Кравець Зоряна"),
    "hu": ("Molnár Eszter", "Fekete Balázs", "Németh Zsuzsanna", "Farkas Levente", "Takács Ilona", "Papp Gergely"),
    "en": ("Rebecca Harrison", "Daniel McCarthy", "Emily Stone", "Oleksandr Kravchenko", "Laura Bennett", "Victor Mills"),
}
ADDRESSES = {
    "ru": ("улица Чехова дом девяносто квартира четыре", "проспект Мира семнадцать", "переулок Весенний три квартира двенадцать", "бульвар Постышева сорок пять"),
    "uk": ("вулиця Франка шістнадцять квартира два", "провулок Зелений дев'ять", "проспект Науки сорок один", "вулиця Садова п'ятдесят"),
    "hu": ("Széchenyi utca tizenkettő", "Dózsa György út harmincnégy", "Béke tér hat", "Árpád utca nyolcvan"),
    "en": ("twenty four Willow Street", "nine Baker Road flat three", "sixteen Chapel Lane", "eighty one Victoria Avenue"),
}  # fmt: skip
ASKED = {
    "ru": {"name": "Назовите, пожалуйста, фамилию и имя.", "address": "Скажите адрес."},
    "uk": {"name": "Назвіть прізвище та ім'я.", "address": "Скажіть адресу."},
    "hu": {"name": "Kérem a nevét.", "address": "Kérem a címét."},
    "en": {"name": "May I have your name, please?", "address": "What is your address, please?"},
}
TOLD = {
    "ru": {"name": "Меня зовут {}, у меня нет света.", "address": "Я живу {}, и у нас нет света."},
    "uk": {"name": "Мене звати {}, у мене немає світла.", "address": "Я живу {}, і у нас немає світла."},
    "hu": {"name": "Jó napot, {} vagyok, nincs térerő.", "address": "A címem {}, és nincs térerő."},
    "en": {"name": "Hello, my name is {} and there is no power.", "address": "I live at {} and there is no power."},
}
HELLO = {"ru": "Слушаю вас.", "uk": "Слухаю вас.", "hu": "Hallgatom.", "en": "How can I help?"}


def bare(text: str) -> str:
    """The text as a recogniser writes it that knows no capitals and no stops."""
    return re.sub(r"[,.:!?]", "", text).lower()


def shown(language: str, *lines: Line) -> list[str]:
    return [turn.text for turn in redact_turns(dialogue(*((who, bare(text)) for who, text in lines), language=language))[0]]


def readable(texts: list[str], said: str) -> bool:
    left = {word for text in texts for word in words_of(text)}
    words = [word for word in words_of(said) if len(word) > 2]
    return sum(word in left for word in words) > len(words) / 2


@pytest.mark.parametrize("language", sorted(NAMES))
@pytest.mark.parametrize("kind", ["name", "address"])
def test_what_was_asked_for_or_told_is_masked_in_lower_case(language: str, kind: str) -> None:
    kept = []
    for said in (NAMES if kind == "name" else ADDRESSES)[language]:
        asked = shown(language, ("operator", ASKED[language][kind]), ("client", said))
        told = shown(language, ("operator", HELLO[language]), ("client", TOLD[language][kind].format(said)))
        kept += [texts for texts in (asked, told) if readable(texts, said)]
    assert not kept


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "я живу здесь двадцать лет и никогда такого не было"),
        ("ru", "на улице у нас минус тридцать весь дом без света"),
        ("ru", "я звонил в ростелеком и в сбербанк там сказали подождать три дня"),
        ("uk", "я живу тут десять років і плачу вам вчасно"),
        ("uk", "я телефонувала в київстар і в нафтогаз там сказали чекати"),
        ("hu", "nagyon rossz a térerő és két napja nem működik az internet"),
        ("hu", "hívtam a telekomot és azt mondták hogy várjak három napot"),
        ("en", "i called vodafone and they said to wait for three days"),
        ("en", "will you mark my bill as paid i live here and i have no power since two o'clock"),
        ("en", "may i grant access to my son he will sue you for this"),
    ],
)
def test_companies_and_plain_talk_stay_in_lower_case(language: str, text: str) -> None:
    assert shown(language, ("operator", HELLO[language]), ("client", text))[1] == bare(text)


def test_an_operator_who_gives_his_own_name_asks_nobody_for_his() -> None:
    texts = shown(
        "en", ("operator", "Kredo Telecom, my name is Anna, how can I help?"), ("client", "Hello Anna, will you mark my bill as paid?")
    )
    assert texts == ["kredo telecom my name is anna how can i help", "hello anna will you mark my bill as paid"]


def test_the_shipped_calls_in_lower_case_leak_nothing_and_lose_little_else(calls_folder: Path) -> None:
    leaked, wrongly, words = [], 0, 0
    for reference in references(calls_folder):
        lines: list[Line] = [(turn["role"], bare(turn["text"])) for turn in reference["turns"] if bare(turn["text"]).strip()]
        turns, _ = redact_turns(dialogue(*lines, language=reference["language"]), keep_raw=True, centre=(reference["centre"], None))
        personal = [bare(p["text"]) for turn in reference["turns"] for p in turn["pii"]]
        leaked += [(reference["id"], said) for said in personal if readable([t.text for t in turns], said)]
        known = {word for said in personal for word in words_of(said)}
        wrongly += sum(word not in known for t in turns for token in t.tokens if token.raw for word in words_of(token.raw))
        words += sum(len(text.split()) for _, text in lines)
    assert leaked == []
    assert wrongly / words < 0.02


@pytest.mark.parametrize("language", sorted(NAMES))
def test_numbers_are_masked_in_lower_case(language: str) -> None:
    asks = {
        "ru": "Номер лицевого счёта?",
        "uk": "Номер особового рахунку?",
        "hu": "Kérem az ügyfélszámát.",
        "en": "Your account number, please?",
    }
    for lead, digits in product(("", "да ", "igen ", "yes "), ("44 18 06 92", "4418 0692", "44180692")):
        texts = shown(language, ("operator", asks[language]), ("client", f"{lead}{digits}"))
        assert "[ACCOUNT]" in texts[1] and not re.search(r"\d", texts[1]), texts
