"""What the text model reads in a call: sentences, what counts as evidence, and what never does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.classifier import ANY, Head
from pipelines.records import Turn
from pipelines.score.abuse import MODEL_CONFIDENCE, MODEL_DETECTOR, find_abuse
from pipelines.score.acts import SURE, find_acts
from pipelines.score.compliance import judge
from pipelines.score.evidence import Case
from pipelines.score.procedure import judge_procedure
from pipelines.score.reading import LONGEST_WORDS, Likely, Reading, read_turns, sentences_of, texts_to_read
from pipelines.score.scorecard import load_centre
from pipelines.score.topic import Ranking
from tests.score.spoken import call_of, turns_of

IRKUTSK = load_centre("irkutsk")
ACTS = ("anything_else", "forbidden", "company", "farewell", "warn_abuse", "identify")


class Says:
    """A reader that takes every sentence with a given word for one label, with a given probability."""

    def __init__(self, **found: tuple[str, float]) -> None:
        self.found = found
        self.asked: list[tuple[str, str]] = []

    def head(self, name: str) -> Head:
        labels = ("none", "profanity", "insult", "threat") if name == "abuse" else ACTS
        limits = {ANY: 0.9} if name == "abuse" else dict.fromkeys(ACTS, 0.9)
        return Head(name, labels, np.zeros((1, 1)), np.zeros(1), name == "abuse", limits, {k: 0.2 for k in limits})

    def read(self, head: str, texts: Sequence[str]) -> NDArray[np.float32]:
        labels = self.head(head).labels
        rows = np.zeros((len(texts), len(labels)), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            self.asked.append((head, text))
            for word, (label, p) in self.found.items():
                if word in text and label in labels:
                    row[labels.index(label)] = p
            if head == "abuse":
                row[0] = 1 - row[1:].sum()
        return rows


def said(*lines: tuple[str, str]) -> list[Turn]:
    return turns_of(*lines)


def acts_of(text: str, reader: Says, who: str = "operator") -> dict[str, float]:
    turns = said(("client", "Алло."), ("operator", "Так."), ("client", "Да."), ("operator", "Так."), (who, text), ("client", "Да."))
    return {a.act: a.confidence for a in find_acts(turns, IRKUTSK, read_turns(turns, reader=reader)) if a.turn_no == 5}


def test_an_act_in_words_that_no_phrase_has_is_evidence_where_the_model_is_sure() -> None:
    turns = said(("operator", "Ну вот. Что там дальше у нас по списку?"), ("client", "Всё."))
    found = [
        a for a in find_acts(turns, IRKUTSK, read_turns(turns, reader=Says(списку=("anything_else", 0.97)))) if a.act == "anything_else"
    ]
    assert len(found) == 1 and found[0].confidence >= SURE
    assert turns[0].quote(found[0].first, found[0].last) == "Что там дальше у нас по списку?"


def test_what_the_model_half_sees_is_a_hint_and_what_it_hardly_sees_is_nothing() -> None:
    text = "Что там дальше по списку?"
    assert 0.5 <= acts_of(text, Says(списку=("anything_else", 0.5)))["anything_else"] < SURE
    assert "anything_else" not in acts_of(text, Says(списку=("anything_else", 0.1)))


@pytest.mark.parametrize("act", ["forbidden", "company"])
def test_blame_and_names_need_words_and_the_model_alone_gives_hints(act: str) -> None:
    turns = said(("operator", "Слушаю."), ("client", "Да."), ("operator", "Тут вот оно как бывает."), ("client", "Да."))
    found = find_acts(turns, IRKUTSK, read_turns(turns, reader=Says(вот=(act, 0.999))))
    assert {a.confidence < SURE for a in found if a.act == act} == {True}


def test_blame_that_the_model_only_suspects_is_not_even_a_hint() -> None:
    assert "forbidden" not in acts_of("Тут вот оно как бывает.", Says(вот=("forbidden", 0.8)))


def test_the_model_is_not_asked_what_acts_a_client_does_nor_whether_an_operator_abuses() -> None:
    reader = Says()
    read_turns(said(("operator", "Слушаю вас внимательно."), ("client", "Хочу узнать баланс.")), reader=reader)
    assert reader.asked == [("acts", "Слушаю вас внимательно."), ("abuse", "Хочу узнать баланс.")]


def test_abuse_that_only_the_model_finds_never_decides_anything() -> None:
    lines = (("client", "Ну и порода же вы, мучители народные."), ("operator", "Разговор закончен."))
    turns = said(("operator", "Добрый день."), *lines)
    reading = read_turns(turns, reader=Says(мучители=("insult", 0.99)))
    (found,) = find_abuse(turns, IRKUTSK, reading)
    assert (found.detector, found.confidence, found.severity, found.role) == (MODEL_DETECTOR, MODEL_CONFIDENCE, "insult", "client")
    assert found.quote == turns[1].quote(0, len(turns[1].tokens))
    call = call_of("irkutsk", disconnect_party="operator")
    outcome = judge_procedure(call, turns, [found], find_acts(turns, IRKUTSK, reading), IRKUTSK.procedure).outcome
    assert outcome not in ("ended_without_warning", "ended_without_notice", "tolerated")


def test_the_model_makes_a_lexicon_finding_surer_and_never_less_sure() -> None:
    turns = said(("client", "Да вы там все жулики, слышите."))
    (alone,) = find_abuse(turns, IRKUTSK)
    (both,) = find_abuse(turns, IRKUTSK, read_turns(turns, reader=Says(жулики=("insult", 0.99))))
    assert alone.confidence < both.confidence <= 1 and both.quote == alone.quote and both.detector == alone.detector
    assert find_abuse(turns, IRKUTSK, read_turns(turns, reader=Says())) == [alone]


@pytest.mark.parametrize("text", ["Он мне крикнул, ироды вы проклятые.", "Я сам как ирод последний поступил."])
def test_quoted_abuse_and_abuse_of_oneself_are_not_found_by_the_model_either(text: str) -> None:
    turns = said(("client", text))
    assert find_abuse(turns, IRKUTSK, read_turns(turns, reader=Says(ирод=("insult", 0.99)))) == []


def test_an_operator_who_warned_in_other_words_is_not_said_to_have_hung_up_without_a_warning() -> None:
    turns = said(
        ("operator", "Добрый день."), ("client", "Вы идиоты!"), ("operator", "Ещё словечко такого рода, и беседы у нас не будет."),
        ("client", "Идиоты вы все!"), ("operator", "Разговор завершаю, до свидания."),
    )  # fmt: skip
    call = call_of("irkutsk", disconnect_party="operator")

    def outcome(p: float) -> str:
        reading = read_turns(turns, reader=Says(словечко=("warn_abuse", p)))
        abuse = find_abuse(turns, IRKUTSK, reading)
        return judge_procedure(call, turns, abuse, find_acts(turns, IRKUTSK, reading), IRKUTSK.procedure).outcome

    assert [outcome(p) for p in (0.0, 0.5, 0.97)] == ["ended_without_warning", "cannot_tell", "ended_after_warning"]


@given(st.lists(st.sampled_from(["да", "нет,", "хорошо.", "[NAME]", "что?", "(верно.)", "…"]), max_size=70))
def test_sentences_cover_a_turn_without_overlap_and_are_short(words: list[str]) -> None:
    (turn,) = turns_of(("operator", " ".join(words)))
    pieces = sentences_of(turn)
    assert all(first < last <= first + LONGEST_WORDS + 1 for first, last, _ in pieces)
    assert all(before[1] <= after[0] for before, after in pairwise(pieces))
    covered = {n for first, last, _ in pieces for n in range(first, last)}
    assert all(n in covered or turn.tokens[n].text == "[NAME]" for n in range(len(turn.tokens)))
    assert not any("[NAME]" in text for *_, text in pieces)


def test_what_is_read_of_a_batch_beforehand_is_what_is_read_of_each_call() -> None:
    turns = said(("operator", "Добрый день. Меня зовут [NAME] ."), ("client", "Вы идиоты! Где свет?"))
    reader = Says()
    read_turns(turns, reader=reader)
    assert {text for _, text in reader.asked} <= set(texts_to_read(turns))


def test_a_question_for_the_account_in_other_words_counts_once_the_client_has_answered_it() -> None:
    asked, answer = ("operator", "Ну и кто же вы у нас по бумагам?"), ("client", "[ACCOUNT] вот.")
    for lines, verdict in (((asked, answer), "pass"), ((asked, ("client", "Не скажу.")), "na")):
        turns = said(("operator", "Слушаю."), ("client", "Света нет."), *lines, ("operator", "Понятно."))
        acts = find_acts(turns, IRKUTSK, read_turns(turns, reader=Says(бумагам=("identify", 0.99))))
        nothing = judge_procedure(call_of("irkutsk"), turns, (), acts, IRKUTSK.procedure)
        topic = Ranking((("outage", 1.0),))
        case = Case(
            call_of("irkutsk"),
            IRKUTSK,
            tuple(turns),
            tuple(acts),
            (),
            nothing,
            (),
            (),
            topic,
            Ranking((("addressed", 1.0),)),
            turns[-1].end_s,
        )
        assert next(v for v in judge(case) if v.criterion_id == "client_identified").verdict == verdict


def test_a_reading_of_nothing_changes_nothing() -> None:
    turns = said(("operator", "Здравствуйте, Иркутскэнергосбыт, оператор Анна."), ("client", "Вы идиоты!"))
    assert find_acts(turns, IRKUTSK) == find_acts(turns, IRKUTSK, Reading())
    assert find_abuse(turns, IRKUTSK) == find_abuse(turns, IRKUTSK, Reading())
    assert Likely("greeting", 0, 1, 0.9, True).is_sure
