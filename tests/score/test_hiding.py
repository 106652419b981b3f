"""Names that recognition joined with their neighbours are found, and what may have been swallowed fails nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipelines.records import Turn
from pipelines.score.hiding import heard_names
from tests.score.spoken import audio_of, turns_of
from tests.score.test_compliance import GOOD, verdicts


def doubted(turns: Sequence[Turn], *words: str) -> list[Turn]:
    """The same turns with some words barely recognised."""
    return [
        replace(turn, tokens=tuple(replace(t, probability=0.5) if t.text.strip(",.").lower() in words else t for t in turn.tokens))
        for turn in turns
    ]


@pytest.mark.parametrize(
    ("language", "text", "name"),
    [
        ("ru", "Здравствуйте, Мотив, операторолег, слушаю.", "операторолег,"),
        ("ru", "Добрый день, специалистмарина, чем помочь?", "специалистмарина,"),
        ("uk", "Добрий день, енергетичні послуги, яоксана, слухаю.", "яоксана,"),
        ("uk", "Добрий день, енергетичні послуги, сетяна. Слухаю.", "сетяна."),
        ("en", "Good morning, Kredo Telecom, operatorsophia, go ahead.", "operatorsophia,"),
    ],
)
def test_a_name_glued_to_its_neighbour_or_misheard_by_a_letter_is_found(language: str, text: str, name: str) -> None:
    (turn,) = turns_of(("operator", text), language=language)
    assert [turn.tokens[act.first].text for act in heard_names(turn, [])] == [name]


@pytest.mark.parametrize(
    "text", ["Добрый день, с операторами свяжемся позже.", "Алло, слушаю вас.", "Здравствуйте, компания, погода, слушаю."]
)
def test_a_plain_word_is_no_name(text: str) -> None:
    assert not heard_names(turns_of(("operator", text))[0], [])


def test_a_title_with_letters_that_may_be_a_name_fails_nobody() -> None:
    said = turns_of(("operator", "Добрый день, Иркутскэнергосбыт, операторолог, слушаю вас."), *GOOD[1:])
    assert verdicts("irkutsk", said)["operator_named"].verdict == "unsure"
    plain = turns_of(("operator", "Добрый день, Иркутскэнергосбыт, слушаю вас."), *GOOD[1:])
    assert verdicts("irkutsk", plain)["operator_named"].verdict == "fail"


def test_a_lone_doubtful_word_in_the_place_of_a_name_fails_nobody() -> None:
    said = turns_of(("operator", "Добрый день, Иркутскэнергосбыт, парил, чем помочь?"), *GOOD[1:])
    assert verdicts("irkutsk", said)["operator_named"].verdict == "unsure"


def test_a_company_that_recognition_broke_into_other_words_fails_nobody() -> None:
    said = turns_of(
        ("operator", "Cray do telecon, hello, Anna speaking."), ("client", "Hello."), ("operator", "How can I help you?"), language="en"
    )
    assert verdicts("kredo", said)["company_named"].verdict != "fail"
    other = turns_of(
        ("operator", "Hello, this is Anna speaking."), ("client", "Hello."), ("operator", "How can I help you?"), language="en"
    )
    assert verdicts("kredo", other)["company_named"].verdict == "fail"


def test_doubtful_words_that_sound_like_the_question_fail_nobody() -> None:
    said = turns_of(*GOOD[:4], ("operator", "Показания приняты. Астались исчо вапросы?"), ("client", "Нет."), GOOD[-1])
    heard = doubted(said, "астались", "исчо", "вапросы?", "вапросы")
    assert verdicts("irkutsk", heard)["anything_else"].verdict != "fail"
    without = turns_of(*GOOD[:4], ("operator", "Показания приняты."), ("client", "Нет."), GOOD[-1])
    assert verdicts("irkutsk", without)["anything_else"].verdict == "fail"


def test_a_greeting_of_far_fewer_letters_than_its_time_holds_fails_nobody() -> None:
    greeting = "Добрый день, слушаю. Добрый день, слушаю."
    said = turns_of(("operator", greeting), *GOOD[1:])
    assert named_company(said) == "fail"
    first, *others = said
    slow = tuple(replace(t, start_s=1 + n * 0.8, end_s=1 + (n + 1) * 0.8) for n, t in enumerate(first.tokens))
    late = [moved(turn, 5.0) for turn in others]
    assert named_company([replace(first, tokens=slow, end_s=slow[-1].end_s), *late]) == "unsure"


def named_company(turns: Sequence[Turn]) -> str:
    """The verdict on the company's name, with the sound of these turns."""
    return str(verdicts("irkutsk", turns, speech=audio_of(turns).speech)["company_named"].verdict)


def moved(turn: Turn, by_s: float) -> Turn:
    """The same turn, said later."""
    tokens = tuple(replace(t, start_s=t.start_s + by_s, end_s=t.end_s + by_s) for t in turn.tokens)
    return replace(turn, tokens=tokens, start_s=turn.start_s + by_s, end_s=turn.end_s + by_s)
