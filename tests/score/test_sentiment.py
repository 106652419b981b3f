"""Sentiment of turns: from words, for both speakers, never from what is masked."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from models.classifier import MODELS_DIR
from models.encoder import SOURCE_NAME
from pipelines.score.sentiment import judge_sentiment
from tests.score.spoken import turns_of


class Remembers:
    """Reads every text as neutral and remembers what it was given."""

    def __init__(self, label: str = "neutral") -> None:
        self.label = label
        self.seen: list[str] = []

    def sentiment(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        self.seen += texts
        return [(self.label, 0.8)] * len(texts)


def test_every_turn_of_both_speakers_is_judged_in_order() -> None:
    turns = turns_of(("operator", "Добрый день."), ("client", "Здравствуйте."), ("operator", "Слушаю вас."))
    assert [s.turn_no for s in judge_sentiment(turns, reader=Remembers())] == [1, 2, 3]


def test_masked_personal_data_is_not_read() -> None:
    reader = Remembers()
    judge_sentiment(turns_of(("client", "Меня зовут [NAME] , счёт [ACCOUNT]")), reader=reader)
    assert reader.seen == ["Меня зовут , счёт"]


def test_abuse_is_negative_whatever_the_model_thinks() -> None:
    turns = turns_of(("client", "Спасибо, сволочь ты такая, урод!"))
    judged = judge_sentiment(turns, reader=Remembers("positive"))[0]
    assert judged.sentiment == "negative" and judged.confidence >= 0.9


def test_a_turn_without_words_is_neutral_and_unsure() -> None:
    judged = judge_sentiment(turns_of(("client", "")), reader=Remembers("positive"))[0]
    assert (judged.sentiment, judged.confidence) == ("neutral", 0.0)


def test_no_turns_need_no_model() -> None:
    assert judge_sentiment([], "offline") == []


def test_an_answer_that_is_no_label_is_refused() -> None:
    with pytest.raises(ValueError, match="'angry'"):
        judge_sentiment(turns_of(("client", "слово")), reader=Remembers("angry"))


@pytest.mark.skipif(
    not (MODELS_DIR / "multilingual-e5-small" / SOURCE_NAME).is_file(), reason="weights are not here: `make setup` brings them"
)
def test_a_call_that_ends_better_than_it_began_is_seen_so() -> None:
    turns = turns_of(
        ("client", "Третий день нет интернета, сколько можно, это безобразие!"),
        ("operator", "Приношу извинения, сейчас проверю."),
        ("client", "Договор сорок, семнадцать."),
        ("client", "О, заработало, спасибо вам большое!"),
    )
    assert [s.sentiment for s in judge_sentiment(turns) if s.turn_no != 2] == ["negative", "neutral", "positive"]
