"""Dictated data is masked in words and in digits, in pieces over turns, after unusual questions, and where the operator reads it back."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from models.languages.language import words_of
from pipelines.redact.step import redact_turns
from tests.spoken import Line, dialogue

ASKS = {
    "ru": {"account": "Какой у вас лицевой?", "phone": "На какой номер вам перезвонить?", "card": "С какой карты платили?", "passport": "Серия и номер паспорта?"},
    "uk": {"account": "Який у вас особовий?", "phone": "На який номер вам передзвонити?", "card": "З якої картки платили?", "passport": "Серія і номер паспорта?"},
    "hu": {"account": "Diktálja a számlaszámot!", "phone": "Milyen számon hívhatjuk vissza?", "card": "Melyik kártyával fizetett?", "passport": "Útlevélszám?"},
    "en": {"account": "What is the contract number?", "phone": "What number can we call you back on?", "card": "Which card did you pay with?", "passport": "Passport number?"},
}  # fmt: skip
DIGITS = {"account": (6, 8, 10, 12), "phone": (10,), "card": (16,), "passport": (9, 10)}
ZERO = {"ru": "ноль", "uk": "нуль", "hu": "nulla", "en": "zero"}
GO_ON = {"ru": "Так, дальше.", "uk": "Так, далі.", "hu": "Igen, tovább.", "en": "Yes, go on."}
AGAIN = {"ru": "Повторю: {}, верно?", "uk": "Повторю: {}, вірно?", "hu": "Megismétlem: {}, jó?", "en": "I repeat: {}, right?"}


def readable(lines: list[Line], language: str, said: str) -> float:
    """The share of the words said that can still be read anywhere in the call."""
    left = Counter(word for turn in redact_turns(dialogue(*lines, language=language))[0] for word in words_of(turn.text))
    words = Counter(word for word in words_of(said) if len(word) > 2)
    return (words & left).total() / max(words.total(), 1)


def spoken(pieces: list[str], language: str) -> list[str]:
    """Groups of digits as people say them: leading zeros one by one, the rest as a number."""
    out = []
    for piece in pieces:
        zeros = len(piece) - len(piece.lstrip("0"))
        number = [num2words(int(piece[zeros:]), lang=language).replace("-", " ")] if piece[zeros:] else []
        out.append(" ".join([ZERO[language]] * zeros + number))
    return out


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_dictated_number_is_never_readable(data: st.DataObject) -> None:
    language, kind = data.draw(st.sampled_from(sorted(ASKS))), data.draw(st.sampled_from(sorted(DIGITS)))
    length = data.draw(st.sampled_from(DIGITS[kind]))
    digits = data.draw(st.text("0123456789", min_size=length, max_size=length))
    size = data.draw(st.sampled_from((1, 2, 3)))
    pieces = [digits[n : n + size] for n in range(0, length, size)]
    said = spoken(pieces, language) if data.draw(st.booleans()) else pieces
    cut = data.draw(st.integers(2, len(said)))
    lines: list[Line] = [("operator", ASKS[language][kind]), ("client", ", ".join(said[:cut]) + ".")]
    if cut < len(said):
        lines += [("operator", GO_ON[language]), ("client", ", ".join(said[cut:]) + ".")]
    if data.draw(st.booleans()):
        lines.append(("operator", AGAIN[language].format(", ".join(said))))
    assert readable(lines, language, ", ".join(said)) <= 0.5


@pytest.mark.parametrize(
    ("language", "question", "said"),
    [
        ("ru", "С кем я говорю?", "Гульнара Ахметова"),
        ("ru", "Куда подъехать мастеру?", "Байкальская двести пятьдесят, квартира восемь"),
        ("ru", "Когда вы родились?", "четырнадцатое марта тысяча девятьсот семьдесят второго"),
        ("ru", "Скажите кодовое слово.", "Черёмуха"),
        ("ru", "Дата рождения?", "14.03.1972"),
        ("uk", "Як до вас звертатися?", "Мар'яна Петренко"),
        ("uk", "Куди приїхати майстру?", "Дерибасівська дванадцять, квартира три"),
        ("uk", "Дата народження?", "сьоме травня тисяча дев'ятсот вісімдесят першого"),
        ("uk", "Кодове слово?", "Волошка"),
        ("hu", "Kivel beszélek?", "Szabó Istvánné"),
        ("hu", "Hová menjen a szerelő?", "Szeged, Tisza Lajos körút kilenc"),
        ("hu", "Mikor született?", "ezerkilencszázhetvenkettő május hetedike"),
        ("hu", "Mi a jelszava?", "szivárvány"),
        ("en", "Who am I speaking with?", "Oliver Grant"),
        ("en", "Where should the engineer come?", "seventeen Maple Avenue"),
        ("en", "What is your date of birth?", "the seventh of May nineteen eighty one"),
        ("en", "What is the password?", "orchard"),
    ],
)
@pytest.mark.parametrize("is_read_back", [False, True])
def test_what_was_asked_for_in_other_words_is_masked_also_where_it_is_read_back(
    language: str, question: str, said: str, is_read_back: bool
) -> None:
    lines: list[Line] = [("operator", question), ("client", said + ".")]
    if is_read_back:
        lines.append(("operator", AGAIN[language].format(said)))
    assert readable(lines, language, said) <= 0.5


def test_an_echo_in_lower_case_is_masked_and_words_of_every_day_are_not() -> None:
    lines: list[Line] = [
        ("operator", "Адрес?"), ("client", "Улица Лермонтова, дом сорок."), ("operator", "записала улица лермонтова дом сорок"),
        ("client", "А на улице когда свет дадут, и в доме?"),
    ]  # fmt: skip
    texts = [t.text for t in redact_turns(dialogue(*lines))[0]]
    assert "лермонтова" not in texts[2] and "[ADDRESS]" in texts[2]
    assert texts[3] == lines[3][1]


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("Кажевнекова Анна", "кажевнекова анна"),
        ("Кажевнекова Анна", "анна кажевнекова"),
        ("Лисовых Пётр Петрович", "лисовых пётр петрович"),
        ("Дзвонік Олена", "дзвонік олена"),
    ],
)
def test_a_family_name_that_no_dictionary_has_is_masked_beside_the_first_name_it_is_read_back_with(name: str, again: str) -> None:
    lines: list[Line] = [("operator", "Фамилия и имя?"), ("client", f"{name}."), ("operator", f"записала {again}, всё верно?")]
    said = redact_turns(dialogue(*lines))[0][2].text.lower()
    assert not any(part in said for part in again.split()) and "записала" in said and "верно" in said


def test_a_word_of_a_name_far_from_any_name_stays_a_word() -> None:
    lines: list[Line] = [("operator", "Фамилия и имя?"), ("client", "Горький Пётр."), ("operator", "Пётр, у вас кофе горький или вода?")]
    assert "горький" in redact_turns(dialogue(*lines))[0][2].text


@pytest.mark.parametrize(
    ("language", "question", "answer"),
    [
        ("ru", "С кем я говорю?", "Да какая разница, что со светом?"),
        ("ru", "Куда вы уже обращались?", "В управляющую компанию, три раза."),
        ("en", "Where does it fail?", "In the kitchen, every evening."),
        ("hu", "Kivel beszélek?", "Miért kérdezi?"),
    ],
)
def test_an_answer_that_gives_nothing_away_stays(language: str, question: str, answer: str) -> None:
    assert redact_turns(dialogue(("operator", question), ("client", answer), language=language))[0][1].text == answer


def test_plain_letters_around_a_mask_stay() -> None:
    text = redact_turns(dialogue(("client", "Лицевой у меня 44 18 06 92, и света нет.")))[0][0].text
    assert re.fullmatch(r"Лицевой у меня \[ACCOUNT\],? и света нет\.", text)
