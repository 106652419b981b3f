"""Predictions of the turn model with phrases and lexicon: evidence, quotes, and what is never held against anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.turn_model import ACTS, KINDS, SENTIMENTS, SEVERITIES, TARGETS, TurnReading
from pipelines.centres.profile import load_centre
from pipelines.core.records import Turn
from pipelines.score.abuse import MODEL_DETECTOR, find_abuse
from pipelines.score.procedure import judge_procedure
from pipelines.score.quotes import LONGEST_WORDS, sentences_of
from pipelines.score.speech_acts import SURE, find_acts
from pipelines.turns.model_reading import ModelReading
from tests.score.spoken import call_of, turns_of

IRKUTSK = load_centre("irkutsk")


def reading_of(
    turns: Sequence[Turn],
    acts: Mapping[int, tuple[str, float, str]] | None = None,
    abuse: Mapping[int, tuple[str, float, str]] | None = None,
    sentiment: Mapping[int, tuple[str, float]] | None = None,
) -> ModelReading:
    """A reading in which turns do one act each with a probability, because of one word; and likewise abuse and sentiment."""
    return ModelReading({turn.turn_no: _turn(turn, acts or {}, abuse or {}, sentiment or {}) for turn in turns})


def _turn(
    turn: Turn,
    acts: Mapping[int, tuple[str, float, str]],
    abuse: Mapping[int, tuple[str, float, str]],
    sentiment: Mapping[int, tuple[str, float]],
) -> TurnReading:
    act, act_p, act_word = acts.get(turn.turn_no, ("", 0.0, ""))
    severity, severity_p, bad_word = abuse.get(turn.turn_no, ("", 0.0, ""))
    mood, mood_p = sentiment.get(turn.turn_no, ("neutral", 0.9))
    words = [token.text for token in turn.tokens]
    personal = np.zeros((len(words), len(KINDS)), np.float32)
    personal[:, 0] = 1

    def logits(labels: Sequence[str], label: str, word: str) -> np.ndarray:
        return np.array([[3.0 if name == label and word and word in w else -6.0 for name in labels] for w in words], np.float32)

    return TurnReading(
        acts={name: act_p if name == act else 0.001 for name in ACTS},
        severity={name: severity_p if name == severity else 1 - severity_p if name == "none" else 0.0 for name in SEVERITIES},
        target={name: 1.0 if name == "operator" else 0.0 for name in TARGETS},
        sentiment={name: mood_p if name == mood else (1 - mood_p) / 2 for name in SENTIMENTS},
        personal=personal,
        act_logits=logits(ACTS, act, act_word),
        severity_logits=logits(SEVERITIES, severity, bad_word),
        vector=np.zeros(8, np.float32),
    )


def test_an_act_in_words_that_no_phrase_has_is_quoted_with_the_sentence_that_does_it() -> None:
    turns = turns_of(("client", "Алло."), ("operator", "Ну вот. Что там дальше у нас по списку?"), ("client", "Всё."))
    found = [a for a in find_acts(turns, IRKUTSK, reading_of(turns, {2: ("anything_else", 0.995, "списку")})) if a.act == "anything_else"]
    assert len(found) == 1 and found[0].confidence >= SURE
    assert turns[1].quote(found[0].first, found[0].last) == "Что там дальше у нас по списку?"


def test_the_surer_the_model_the_likelier_the_act_and_a_phrase_makes_it_likelier_still() -> None:
    def chance(text: str, p: float) -> float:
        small_talk = (("operator", "Да."), ("client", "Да.")) * 3
        turns = turns_of(*small_talk, ("operator", text), *small_talk)
        acts = find_acts(turns, IRKUTSK, reading_of(turns, {7: ("hold_ask", p, "")}))
        return max((a.confidence for a in acts if a.act == "hold_ask"), default=0.0)

    rising = [chance("Секундочку одну.", p) for p in (0.01, 0.2, 0.6, 0.95)]
    assert rising == sorted(rising) and rising[0] < 0.5 < rising[-1]
    assert chance("Оставайтесь, пожалуйста, на линии.", 0.3) > chance("Кот сидит в окне.", 0.3)


def test_abuse_in_words_that_no_lexicon_has_is_found_and_quoted() -> None:
    turns = turns_of(("operator", "Добрый день."), ("client", "Мне всё понятно. Ну и порода же вы, мучители народные."))
    (found,) = find_abuse(turns, IRKUTSK, reading_of(turns, abuse={2: ("insult", 0.995, "мучители")}))
    assert (found.detector, found.severity, found.role) == (MODEL_DETECTOR, "insult", "client")
    assert found.quote == "Ну и порода же вы, мучители народные."


def test_a_word_of_the_lexicon_that_the_model_takes_for_harmless_is_no_abuse() -> None:
    turns = turns_of(("client", "Да вы там все жулики, слышите."))
    assert find_abuse(turns, IRKUTSK)
    assert not find_abuse(turns, IRKUTSK, reading_of(turns, abuse={1: ("insult", 0.0005, "")}))


def test_no_operator_is_accused_of_words_that_only_the_model_takes_for_abuse() -> None:
    turns = turns_of(("client", "Алло."), ("operator", "Ну и порода же вы, мучители народные."))
    reading = reading_of(turns, {2: ("operator_abuse", 0.999, "мучители")})
    abuse = find_abuse(turns, IRKUTSK, reading)
    assert not abuse
    call, rule = call_of("irkutsk", disconnect_party="client"), IRKUTSK.procedure
    assert judge_procedure(call, turns, abuse, find_acts(turns, IRKUTSK, reading), rule).outcome == "cannot_tell"  # a person decides
    assert judge_procedure(call, turns, abuse, find_acts(turns, IRKUTSK), rule).outcome == "not_needed"


def test_an_operator_who_warned_in_other_words_did_not_hang_up_without_a_warning() -> None:
    turns = turns_of(
        ("operator", "Добрый день."), ("client", "Вы идиоты!"), ("operator", "Ещё словечко такого рода, и беседы у нас не будет."),
        ("client", "Идиоты вы все!"), ("operator", "Разговор завершаю, до свидания."),
    )  # fmt: skip
    call = call_of("irkutsk", disconnect_party="operator")
    abuse = find_abuse(turns)

    def outcome(p: float) -> str:
        acts = find_acts(turns[2:3], IRKUTSK, reading_of(turns, {3: ("warn_abuse", p, "словечко")})) + find_acts(turns[4:], IRKUTSK)
        return judge_procedure(call, turns, abuse, acts, IRKUTSK.procedure).outcome

    assert [outcome(p) for p in (0.001, 0.6, 0.998)] == ["ended_without_warning", "cannot_tell", "ended_after_warning"]


@given(st.lists(st.sampled_from(["да", "нет,", "хорошо.", "[NAME]", "что?", "(верно.)", "…"]), max_size=70))
def test_sentences_cover_a_turn_without_overlap_and_are_short(words: list[str]) -> None:
    (turn,) = turns_of(("operator", " ".join(words)))
    pieces = sentences_of(turn)
    assert all(first < last <= first + LONGEST_WORDS + 1 for first, last in pieces)
    assert all(before[1] <= after[0] for before, after in pairwise(pieces))
    covered = {n for first, last in pieces for n in range(first, last)}
    assert all(n in covered or turn.tokens[n].text == "[NAME]" for n in range(len(turn.tokens)))


@pytest.mark.parametrize("turn_no", [1, 2])
def test_a_reading_of_nothing_leaves_phrases_and_lexicon_alone(turn_no: int) -> None:
    turns = turns_of(("operator", "Здравствуйте, Иркутскэнергосбыт, оператор Анна."), ("client", "Вы идиоты!"))
    some = [turns[turn_no - 1]]
    assert find_acts(some, IRKUTSK) == find_acts(some, IRKUTSK, ModelReading())
    assert find_abuse(some, IRKUTSK) == find_abuse(some, IRKUTSK, ModelReading())
