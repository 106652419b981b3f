"""Sentiment of turns: from the model, negative for abusive turns, neutral where there is no prediction."""

from __future__ import annotations

import pytest

from models.text.e5 import SOURCE_NAME
from models.text.loading import MODELS_DIR
from pipelines.score.abuse import find_abuse
from pipelines.score.sentiment import judge_sentiment
from pipelines.turns.model_reading import ModelReading, read_calls
from tests.score.spoken import turns_of
from tests.turns.test_model_reading import reading_of

needs_weights = pytest.mark.skipif(
    not (MODELS_DIR / "multilingual-e5-small" / SOURCE_NAME).is_file(), reason="weights are not here: `make setup` brings them"
)


def test_every_turn_of_both_speakers_is_judged_in_order() -> None:
    turns = turns_of(("operator", "Добрый день."), ("client", "Здравствуйте."), ("operator", "Слушаю вас."))
    reading = reading_of(turns, sentiment={2: ("positive", 0.7)})

    found = judge_sentiment(turns, reading)

    assert [s.turn_no for s in found] == [1, 2, 3]
    assert (found[1].sentiment, found[1].confidence) == ("positive", 0.7)


def test_what_nothing_read_is_neutral_without_confidence() -> None:
    turns = turns_of(("client", "Спасибо."))
    assert [(s.sentiment, s.confidence) for s in judge_sentiment(turns, ModelReading())] == [("neutral", 0.0)]


def test_abuse_is_negative_whatever_the_model_reads() -> None:
    turns = turns_of(("client", "Вы идиоты!"))
    (found,) = judge_sentiment(turns, reading_of(turns, sentiment={1: ("positive", 0.9)}), find_abuse(turns))
    assert found.sentiment == "negative" and found.confidence >= 0.95


@needs_weights
@pytest.mark.parametrize(
    ("language", "text", "label"),
    [
        ("ru", "Большое вам спасибо, всё заработало!", "positive"),
        ("uk", "Щиро дякую, ви мені дуже допомогли!", "positive"),
        ("hu", "Nagyon köszönöm a segítséget!", "positive"),
        ("en", "Thank you so much, you were a great help!", "positive"),
        ("ru", "Это просто безобразие, неделю жду мастера!", "negative"),
        ("uk", "Це неподобство, тиждень чекаю майстра!", "negative"),
        ("hu", "Ez felháborító, egy hete várok a szerelőre!", "negative"),
        ("en", "This is outrageous, I've been waiting a week!", "negative"),
        ("ru", "Номер договора семнадцать, сорок два.", "neutral"),
        ("uk", "Номер договору сімнадцять, сорок два.", "neutral"),
        ("hu", "A szerződésszám tizenhét, negyvenkettő.", "neutral"),
        ("en", "The contract number is seventeen, forty two.", "neutral"),
    ],
)
def test_plain_turns_are_read_as_a_person_reads_them(language: str, text: str, label: str) -> None:
    turns = turns_of(("client", text), language=language)
    assert judge_sentiment(turns, read_calls([turns])[0])[0].sentiment == label
