"""Criteria and client types that a centre teaches by example sentences."""

from __future__ import annotations

import numpy as np
import pytest

from models.text.example_matcher import FEATURES, Examples, clauses, features, get_example_matcher
from models.text.loading import MODELS_DIR
from pipelines.centres.profile import Centre, load_centre
from pipelines.centres.scorecard import Criterion
from pipelines.centres.vocabulary import ClientType
from pipelines.core.records import Verdict
from pipelines.score import example_matching
from pipelines.score.example_matching import NO_MATCHES, match_examples, match_with
from pipelines.score.step import score_call
from tests.score.spoken import audio_of, call_of, sentiments_of, turns_of

needs_encoder = pytest.mark.skipif(
    not (MODELS_DIR / "multilingual-e5-small").is_dir(), reason="the text encoder is not installed: make setup"
)
CODE_SENT = Criterion(
    id="code_sent",
    rule="said",
    weight=10,
    title={"en": "Code sent"},
    description={"en": "The operator says that the pick-up code was sent."},
    said_like=("I have just sent you the pick-up code", "The code is on its way to your phone", "Код получения я вам отправила", "Код вже надіслано вам на телефон"),
    not_like=("You will need the code at the counter", "Назовите, пожалуйста, код получения"),
)  # fmt: skip


def with_criterion(criterion: Criterion = CODE_SENT) -> Centre:
    centre = load_centre("general")
    return centre.model_copy(
        update={"scorecard": centre.scorecard.model_copy(update={"criteria": (*centre.scorecard.criteria, criterion)})}
    )


def verdict_on(turns: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, criterion: Criterion = CODE_SENT) -> Verdict:
    monkeypatch.setattr("pipelines.score.step.centre_of", lambda _: with_criterion(criterion))
    spoken = turns_of(*turns)
    scored = score_call(call_of("general"), audio_of(spoken), spoken, sentiments=sentiments_of(spoken))
    return next(v for v in scored.verdicts if v.criterion_id == criterion.criterion_id)


@needs_encoder
def test_a_criterion_of_examples_passes_in_other_words_with_the_sentence_as_its_quote(monkeypatch: pytest.MonkeyPatch) -> None:
    said = verdict_on(
        [
            ("operator", "Здравствуйте, пункт выдачи, меня зовут Анна."),
            ("client", "Добрый день, где моя посылка?"),
            ("operator", "Она у нас. Код для получения я вам отправила на телефон."),
            ("client", "Спасибо."),
        ],
        monkeypatch,
    )
    assert (said.verdict, said.points, said.turn_no) == ("pass", 10.0, 3)
    assert said.quote == "Код для получения я вам отправила на телефон."


@needs_encoder
def test_a_near_miss_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    said = verdict_on(
        [
            ("operator", "Здравствуйте, пункт выдачи, меня зовут Анна."),
            ("client", "Добрый день, где моя посылка?"),
            ("operator", "Назовите, пожалуйста, код получения."),
            ("client", "Сорок два."),
        ],
        monkeypatch,
    )
    assert said.verdict != "pass" and said.points == 0


@needs_encoder
def test_what_must_not_be_said_is_found_by_examples_too(monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden = CODE_SENT.model_copy(update={"rule": "not_said"})
    greeting, question = ("operator", "Hello, this is Anna at the depot."), ("client", "Hello, where is my parcel?")
    assert (
        verdict_on([greeting, question, ("operator", "It is on the shelf here, come before eight.")], monkeypatch, forbidden).verdict
        == "pass"
    )
    said = verdict_on([greeting, question, ("operator", "I have just sent you the pick-up code.")], monkeypatch, forbidden)
    assert said.verdict == "fail" and said.quote == "I have just sent you the pick-up code."


@needs_encoder
def test_a_type_of_client_is_taught_by_what_such_clients_say(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = ClientType(id="sender", said_like=("I would like to send a parcel", "Хочу отправить посылку", "How much to post this box"))
    centre = load_centre("general").model_copy(update={"client_types": (ClientType(id="addressed"), ClientType(id="rude"), sender)})
    monkeypatch.setattr("pipelines.score.step.centre_of", lambda _: centre)
    for words, kind in (("Добрый день, мне надо посылку отправить.", "sender"), ("Добрый день, до скольки вы работаете?", "addressed")):
        turns = turns_of(("operator", "Слушаю вас."), ("client", words))
        metrics = score_call(call_of("general"), audio_of(turns), turns, sentiments=sentiments_of(turns)).metrics
        assert metrics.client_type == kind and 0 < metrics.client_type_confidence <= 1


def test_no_model_is_loaded_where_nothing_is_taught_by_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_matching, "get_example_matcher", lambda *_: pytest.fail("loaded"))
    turns = turns_of(("operator", "Здравствуйте."))
    assert match_examples([turns], [load_centre("kyiv")]) == [NO_MATCHES]


@needs_encoder
def test_the_result_of_a_call_does_not_depend_on_the_calls_beside_it() -> None:
    matcher = get_example_matcher()
    calls = [turns_of(("operator", text)) for text in ("I have sent the code to your phone.", "Нет, код я не отправляла.", "Good morning.")]
    together = match_examples(calls, [with_criterion()] * 3)
    assert together == [match_with(matcher, turns, with_criterion()) for turns in calls]


def test_a_clause_that_does_it_counts_for_its_sentence() -> None:
    assert clauses("Посылка Экспресс, это Анна, код я вам отправила.") == [
        "Посылка Экспресс, это Анна, код я вам отправила.", "Посылка Экспресс", "это Анна", "код я вам отправила.",
    ]  # fmt: skip
    assert clauses("Да, хорошо.") == ["Да, хорошо."] and clauses("Код отправлен") == ["Код отправлен"]


def test_features_are_similarities_to_the_nearest_examples() -> None:
    examples = Examples(np.eye(3, dtype=np.float32), np.zeros((0, 3), np.float32))
    (found,) = features(np.array([[1.0, 0.0, 0.0]], np.float32), examples)
    assert dict(zip(FEATURES, found.round(3).tolist(), strict=True)) == {"nearest": 1.0, "near": 0.333, "unlike": 0.0}
    nearer = Examples(np.eye(3, dtype=np.float32)[:1], np.eye(3, dtype=np.float32)[1:2])
    assert features(np.array([[0.0, 1.0, 0.0]], np.float32), nearer)[0, 2] == 1  # a counter-example is nearer


@needs_encoder
def test_a_counter_example_never_matches() -> None:
    matcher = get_example_matcher()
    assert matcher.chances(list(CODE_SENT.not_like), matcher.examples(CODE_SENT.said_like, CODE_SENT.not_like)).tolist() == [0.0, 0.0]


def test_without_a_company_name_naming_it_is_not_judged() -> None:
    turns = turns_of(("operator", "Good morning, Anna speaking."), ("client", "Hello."))
    scored = score_call(call_of("general"), audio_of(turns), turns, sentiments=sentiments_of(turns))
    named = next(v for v in scored.verdicts if v.criterion_id == "company_named")
    assert (named.verdict, named.max_points) == ("na", 0.0) and "names no company" in named.explanation
