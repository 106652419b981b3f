from __future__ import annotations

import numpy as np
import pytest

from models.text.turn_model import KINDS, TurnReading
from pipelines.core.records import Turn
from pipelines.redact.formats import is_card, is_phone
from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.redact.step import RECOGNIZERS, find_spans, redact_turns
from tests.spoken import dialogue


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("4111111111111111", True), ("378282246310005", True), ("4111111111111112", False), ("4111", False), ("0" * 30, False)],
)
def test_a_card_is_known_by_its_check_digit(digits: str, expected: bool) -> None:
    assert is_card(digits) is expected


@pytest.mark.parametrize(
    ("digits", "language", "expected"),
    [
        ("89025550307", "ru", True), ("79025550307", "ru", True), ("0674125509", "uk", True), ("380674125509", "uk", True),
        ("06301234567", "hu", True), ("36301234567", "hu", True), ("07911123456", "en", True), ("12128675309", "en", True),
        ("12345", "ru", False), ("1234567890", "uk", False), ("00000000000", "ru", False),
    ],
)  # fmt: skip
def test_a_phone_is_known_by_the_number_plan(digits: str, language: str, expected: bool) -> None:
    assert is_phone(digits, (language,)) is expected


def ruling_out(turns: list[Turn]) -> dict[int, TurnReading]:
    """What a model says that takes no word of the call for personal data."""
    nothing = {"none": 1.0}
    rows = {t.turn_no: np.tile(np.eye(len(KINDS), dtype=np.float32)[0], (len(t.tokens), 1)) for t in turns}
    empty = np.zeros((0, 0), dtype=np.float32)
    return {number: TurnReading({}, nothing, {}, {}, personal, empty, empty, empty) for number, personal in rows.items()}


@pytest.mark.parametrize(
    ("text", "is_readable"),
    [
        ("Карта четыре один один один, один один один один, один один один один, один один один один.", False),
        ("Телефон восемь, девятьсот два, пятьсот пятьдесят пять, ноль три, ноль семь.", False),
        ("Номер двенадцать, тридцать четыре, пятьдесят шесть.", True),  # no format proves it, and the model rules it out
    ],
)
def test_what_a_format_proves_no_model_rules_out(text: str, is_readable: bool) -> None:
    turns = dialogue(("client", text))
    masked = redact_turns(turns, readings=ruling_out(turns))[0]
    assert (masked[0].text == text) is is_readable


def test_what_the_model_rules_out_stays_ruled_out_when_something_else_is_masked() -> None:
    turns = dialogue(("client", "Номер двенадцать, тридцать четыре, пятьдесят шесть. Почта anna@example.org"))
    assert redact_turns(turns, readings=ruling_out(turns))[0][0].text == "Номер двенадцать, тридцать четыре, пятьдесят шесть. Почта [EMAIL]"


def test_every_recognizer_has_the_same_interface() -> None:
    call = CallContext([])
    for recognizer in RECOGNIZERS:
        assert isinstance(recognizer, Recognizer)
        assert recognizer.recognize(call) == []


def test_spans_never_overlap() -> None:
    call = CallContext([])
    call.taken = [set()]
    call.keep([PersonalSpan(0, 1, 4, "card"), PersonalSpan(0, 3, 5, "account"), PersonalSpan(0, 4, 5, "name")])
    assert call.spans == [PersonalSpan(0, 1, 4, "card"), PersonalSpan(0, 4, 5, "name")]


def test_a_written_address_is_masked_though_the_model_rules_it_out() -> None:
    turns = dialogue(("client", "Моя почта anna@example.org"))
    assert [s.kind for s in find_spans(turns, readings=[ruling_out(turns)[1]])] == ["email"]
