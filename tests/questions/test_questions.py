"""A question of a scorecard, asked of a real HTTP server: what counts as an answer, and what a model is told."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.core.settings import Settings
from pipelines.questions import step
from tests.questions.asked import ARRIVAL, PARCEL, asked, centre_asking, judged, staged
from tests.questions.model_server import INJECTION, Exchange, Given, ModelServer, honest, obedient, serving

FRIDAY = Given("yes", 3, "the parcel will arrive on friday")


def using(settings: Settings, server: ModelServer, **changes: Any) -> Settings:
    """Settings with that server."""
    chosen = {"questions_url": server.url, "questions_model": "qwen3-4b", "questions_retries": 1, "questions_timeout_s": 5.0}
    return settings.with_(**chosen | changes)


class Fenced(Exchange):
    """A model that reasons first and writes Markdown."""

    def reply(self, content: str) -> None:
        super().reply(f"<think>{{}}</think>\n```json\n{content}\n```")


def reason(verdict: Any) -> str:
    """The key of the reason."""
    why = json.loads(verdict.explanation_json)
    return str(why.get("reason", why)["key"])


def test_an_answer_counts_with_its_quote_in_the_turns_own_words(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    with serving(honest(parcel=FRIDAY)) as server:
        verdict = judged(using(settings, server))

    assert (verdict.verdict, verdict.points, verdict.role, verdict.turn_no) == ("pass", 10.0, "operator", 3)
    assert verdict.quote == "The parcel will arrive on Friday,"
    why = json.loads(verdict.explanation_json)
    assert why["reason"] == {"key": "question_answered", "answer": "yes"} and why["model"] == "qwen3-4b"
    assert re.fullmatch(r"[0-9a-f]{8}", why["prompt"]) and re.fullmatch(r"[0-9a-f]{8}", why["question"])
    assert "Model: qwen3-4b" in verdict.explanation and len(server.requests) == 3


@pytest.mark.parametrize(
    ("fields", "given", "expected"),
    [
        ({}, Given("no", 3, "It is on its way."), "fail"),
        ({"answers": {"yes": "fail", "no": "pass"}}, FRIDAY, "fail"),
        ({"answers": {"yes": "unsure"}}, FRIDAY, "unsure"),
        ({"asks": "client"}, Given("yes", 4, "Will it arrive on Friday?"), "pass"),
        ({"applies_if": {"en": "The client complains."}}, Given("not_applicable", 2, "where is my parcel"), "na"),
        ({"applies": {"lines": ["technical"]}}, None, "na"),
    ],
)
def test_the_profile_says_what_an_answer_means(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], given: Given | None, expected: str
) -> None:
    centre_asking(monkeypatch, ARRIVAL | fields)
    with serving(honest(parcel=given, complains=given) if given else honest()) as server:
        assert judged(using(settings, server)).verdict == expected
        assert bool(server.requests) == (given is not None)  # what the log rules out is not asked


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Given("yes"), "question_no_quote"),
        (Given("yes", 4, "Will it arrive on Friday?"), "question_no_quote"),  # of the other speaker
        (Given("yes", 3, "The parcel arrives tomorrow"), "question_no_quote"),  # nobody said so
        (Given("yes", 3, "on its way. Hello"), "question_no_quote"),  # not in one turn
        (Given("yes", 1, "[NAME]"), "question_no_quote"),
        (Given("unsure"), "question_undecided"),
        (Given("not_applicable", 2, "where is my parcel"), "question_malformed"),  # was not offered
        (Given("perhaps", 3, "The parcel will arrive on Friday"), "question_malformed"),
    ],
)
def test_an_answer_without_a_quote_of_the_right_speaker_is_unsure(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, given: Given, expected: str
) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    with serving(honest(parcel=given)) as server:
        verdict = judged(using(settings, server))
    assert (verdict.verdict, reason(verdict), verdict.quote) == ("unsure", expected, None)


def test_a_quote_that_proves_nothing_without_its_call_is_unsure(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def credulous(exchange: Exchange) -> None:
        exchange.reply('{"result": "not_proven"}' if exchange.is_proof else '{"quote": "Good afternoon", "turn": 1, "answer": "yes"}')

    centre_asking(monkeypatch, ARRIVAL)
    with serving(credulous) as server:
        verdict = judged(using(settings, server))
    assert (verdict.verdict, reason(verdict)) == ("unsure", "question_unproven")


@pytest.mark.parametrize("speaker", ["operator", "client"])
@pytest.mark.parametrize("asks", ["operator", "client"])
@pytest.mark.parametrize("answer", ["yes", "no", "not_applicable"])
@pytest.mark.parametrize("quoting", [INJECTION, "answer yes", "Good afternoon", "where is my parcel"])
def test_an_instruction_that_is_spoken_in_a_call_changes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, speaker: str, asks: str, answer: str, quoting: str
) -> None:
    centre_asking(monkeypatch, ARRIVAL | {"asks": asks, "applies_if": {"en": "There is a parcel."}})
    with serving(obedient(quoting, answer)) as server:
        verdict = judged(using(settings, server, questions_retries=0), [*PARCEL, (speaker, INJECTION)])
    assert verdict.verdict == "unsure"
    assert reason(verdict) in ("question_no_quote", "question_unproven", "question_steered")


def test_a_model_is_given_the_masked_words_and_nothing_about_people_or_scores(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    with serving(honest(parcel=FRIDAY)) as server:
        asked(using(settings, server, questions_key="secret-key"), calls=2)

    first = server.said[0]
    assert "[1] operator: Good afternoon, this is [NAME] speaking." in first and "[2] client: Hello, where is my parcel [ACCOUNT]?" in first
    everything = json.dumps(server.requests)
    for hidden in ("op-4711", "client-17", "c-1", "irkutsk", "Иркутск", "2025", "12:00", "score", "criterion", "secret-key"):
        assert hidden not in everything, hidden
    sent = [{name.lower(): value for name, value in headers.items()} for headers in server.headers]
    assert {(one["authorization"], one["accept-encoding"]) for one in sent} == {("Bearer secret-key", "identity")}
    marks = [set(re.findall(r"=== [0-9a-f]{16} ===", said)) for said in server.said]
    assert all(len(mark) == 1 for mark in marks) and len(set().union(*marks)) == len(server.requests)
    quotes_alone = [said for said in server.said if "Claim: " in said]
    assert quotes_alone and not any("Good afternoon" in said for said in quotes_alone)


def test_a_response_in_the_wrong_form_is_asked_for_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = honest(parcel=FRIDAY)

    def fenced_at_last(exchange: Exchange) -> None:
        if exchange.is_proof or len(exchange.request["messages"]) > 2:
            answer(Fenced(exchange.request, exchange.handler))
        else:
            exchange.reply("Yes, the operator said so.")

    centre_asking(monkeypatch, ARRIVAL)
    with serving(fenced_at_last) as server:
        (found,) = asked(using(settings, server))
    assert (found.answer, found.requests) == ("yes", 4)
    assert (found.prompt_tokens, found.completion_tokens, found.seconds > 0) == (400, 80, True)
    assert "That was not the JSON object" in server.said[1]


def test_a_server_that_does_not_know_schemas_is_asked_without_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = honest(parcel=FRIDAY)

    def plain(exchange: Exchange) -> None:
        if "response_format" in exchange.request:
            exchange.send(400, b'{"error": {"message": "response_format is not supported", "code": 400}}')
        else:
            answer(exchange)

    centre_asking(monkeypatch, ARRIVAL)
    with serving(plain) as server:
        (found,) = asked(using(settings, server))
    assert found.answer == "yes"
    assert ["response_format" in request for request in server.requests] == [True, False, False, False]


RECORDED = {
    "llama.cpp": {
        "choices": [{"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": "CONTENT"}}],
        "created": 1764547200, "model": "qwen3-4b", "system_fingerprint": "b7000-1a2b3c4d", "object": "chat.completion",
        "usage": {"completion_tokens": 21, "prompt_tokens": 310, "total_tokens": 331}, "id": "chatcmpl-x", "timings": {"prompt_n": 310, "prompt_ms": 52.1},
    },
    "ollama": {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1764547200, "model": "qwen3:4b", "system_fingerprint": "fp_ollama",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "CONTENT", "reasoning": "The operator said so."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 310, "completion_tokens": 21, "total_tokens": 331},
    },
    "without usage": {"choices": [{"message": {"content": "CONTENT"}}], "usage": {"prompt_tokens": -1, "completion_tokens": "21"}},
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_responses_as_other_servers_send_them_are_read(settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    class Recorded(Exchange):
        def reply(self, content: str) -> None:
            body = json.dumps(RECORDED[name]).replace('"CONTENT"', json.dumps(content))
            self.send(200, body.encode(), "application/json; charset=utf-8")

    centre_asking(monkeypatch, ARRIVAL)
    with serving(lambda exchange: honest(parcel=FRIDAY)(Recorded(exchange.request, exchange.handler))) as server:
        (found,) = asked(using(settings, server))
    counted = (0, 0) if name == "without usage" else (930, 63)
    assert (found.answer, found.prompt_tokens, found.completion_tokens) == ("yes", *counted)


def test_only_what_changed_is_asked_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {"id": "name", "question": {"en": "Did the operator give a name?"}}
    spoke = Given("yes", 1, "this is [NAME] speaking")
    given = {"parcel": FRIDAY, "give a name": spoke, "give a first name": spoke}
    with serving(honest(**given)) as server:
        chosen = using(settings, server)
        batch, _ = staged(chosen)

        def newly_asked(settings: Settings, *criteria: dict[str, Any]) -> list[str]:
            centre_asking(monkeypatch, *criteria)
            before = len(server.requests)
            step.run(batch, settings)
            assert all(one.answer == "yes" for one in batch.read("answers"))
            return [said.rpartition("call: ")[2].splitlines()[0] for said in server.said[before:] if "Claim: " not in said]

        assert len(newly_asked(chosen, ARRIVAL, name)) == 2
        assert newly_asked(chosen, ARRIVAL, name) == []
        assert newly_asked(chosen, ARRIVAL | {"answers": {"yes": "fail"}}, name) == []  # the verdict changes, the question does not
        reworded = name | {"question": {"en": "Did the operator give a first name?"}}
        assert newly_asked(chosen, ARRIVAL, reworded) == ["Did the operator give a first name?"]
        assert len(newly_asked(chosen.with_(questions_model="other"), ARRIVAL, reworded)) == 2
        assert newly_asked(settings, ARRIVAL, reworded) == []  # answers stand when the server is gone from the settings


def test_without_a_model_nothing_is_connected_to_and_the_question_is_unsure(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[object] = []
    is_on = [True]
    sys.addaudithook(
        lambda event, values: watched.append(values) if is_on[0] and event in ("socket.connect", "socket.getaddrinfo") else None
    )
    centre_asking(monkeypatch, ARRIVAL)
    try:
        verdict = judged(settings)
    finally:
        is_on[0] = False
    assert (verdict.verdict, reason(verdict), watched) == ("unsure", "question_not_set_up", [])


def test_without_a_model_the_phrases_of_a_criterion_answer_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    centre_asking(monkeypatch, ARRIVAL | {"phrases": {"en": ["parcel ... arrive"]}})
    verdict = judged(settings)
    assert (verdict.verdict, verdict.turn_no) == ("pass", 3)


def test_the_key_is_never_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    caplog.set_level(logging.DEBUG)
    with serving(lambda exchange: exchange.send(401, b"{}")) as server:
        chosen = using(settings, server, questions_key="secret-key")
        asked(chosen)
    assert "secret-key" not in repr(chosen) + caplog.text and "Friday" not in caplog.text


def test_a_folder_without_a_model_leaves_unsure(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    verdict = judged(settings.with_(questions_weights=tmp_path / "qwen"))
    assert (verdict.verdict, reason(verdict)) == ("unsure", "question_unreachable")
