"""Servers that are gone, slow or hostile: the question is unsure with the reason, and nothing else is lost or delayed."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from pipelines.core import staleness
from pipelines.core.errors import MisconfiguredError
from pipelines.core.remote import is_on_site
from pipelines.core.settings import Settings
from pipelines.questions import step
from tests.questions.asked import ARRIVAL, asked, centre_asking, judged, staged
from tests.questions.model_server import Behaviour, Exchange, honest, serving
from tests.questions.test_questions import FRIDAY, reason, using


def silent(exchange: Exchange) -> None:
    time.sleep(3)


def dripping(exchange: Exchange) -> None:
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Type", "application/json")
    exchange.handler.send_header("Content-Length", "100000")
    exchange.handler.end_headers()
    for _ in range(30):
        exchange.handler.wfile.write(b" ")
        time.sleep(0.1)


def cut_off(exchange: Exchange) -> None:
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Type", "application/json")
    exchange.handler.send_header("Content-Length", "100000")
    exchange.handler.end_headers()
    exchange.handler.wfile.write(b'{"choices": [')
    exchange.handler.close_connection = True


def no_http(exchange: Exchange) -> None:
    exchange.handler.wfile.write(b"220 smtp ready\r\n")
    exchange.handler.close_connection = True


FAILURES: dict[str, tuple[Behaviour, str]] = {
    "silent": (silent, "question_late"),
    "dripping": (dripping, "question_late"),
    "cut off": (cut_off, "question_unreachable"),
    "no http": (no_http, "question_unreachable"),
    "500": (lambda exchange: exchange.send(500, b'{"error": "out of memory"}'), "question_refused"),
    "401": (lambda exchange: exchange.send(401, b"{}"), "question_refused"),
    "another host": (lambda exchange: exchange.send(307, b"", Location="http://192.0.2.1/v1/chat/completions"), "question_refused"),
    "html": (lambda exchange: exchange.send(200, b"<html>Sign in</html>", "text/html"), "question_not_json"),
    "compressed": (lambda exchange: exchange.send(200, b"\x1f\x8b", **{"Content-Encoding": "gzip"}), "question_not_json"),
    "other json": (lambda exchange: exchange.send(200, b'{"choices": []}'), "question_not_json"),
    "deep json": (lambda exchange: exchange.send(200, b"[" * 200_000), "question_not_json"),
    "null": (lambda exchange: exchange.send(200, b'{"choices": [{"message": {"content": null}}]}'), "question_not_json"),
    "huge": (lambda exchange: exchange.send(200, b" " * 3_000_000), "question_too_long"),
    "prose": (lambda exchange: exchange.reply("I cannot help with that."), "question_malformed"),
    "half a character": (lambda exchange: exchange.reply('{"quote": "\\ud800", "turn": "\ud800"}'), "question_malformed"),
    "deep prose": (lambda exchange: exchange.reply('{"a":' * 5_000 + "1" + "}" * 5_000), "question_malformed"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_server_leaves_unsure_with_the_reason(settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    behave, expected = FAILURES[name]
    centre_asking(monkeypatch, ARRIVAL)
    began = time.monotonic()
    with serving(behave) as server:
        verdict = judged(using(settings, server, questions_timeout_s=1.0, questions_retries=int("character" in name)))
    assert (verdict.verdict, reason(verdict), verdict.points) == ("unsure", expected, 0.0)
    assert time.monotonic() - began < 8


def test_a_dead_server_is_tried_a_few_times_and_then_left_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    with serving(lambda exchange: exchange.send(503, b"{}")) as server:
        answers = asked(using(settings, server, questions_concurrency=2, questions_retries=0), calls=12)
        assert len(server.requests) <= 4
        assert asked(using(settings, server), calls=12)[0].problem == "not_asked" and len(server.requests) <= 4  # the next batch
    assert {answer.problem for answer in answers} == {"refused", "not_asked"} and not any(answer.is_final for answer in answers)
    assert sum(answer.requests for answer in answers) == len(server.requests)


def test_questions_are_asked_at_the_same_time_within_the_limit(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now, most = [0], [0]

    def counted(exchange: Exchange) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.05)
        now[0] -= 1
        honest(parcel=FRIDAY)(exchange)

    centre_asking(monkeypatch, ARRIVAL)
    with serving(counted) as server:
        answers = asked(using(settings, server, questions_concurrency=3), calls=9)
    assert [answer.answer for answer in answers] == ["yes"] * 9 and 2 <= most[0] <= 3


def test_the_time_for_a_call_is_bounded_however_the_server_delays(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def delaying(exchange: Exchange) -> None:
        time.sleep(0.7)
        exchange.reply("not yet")

    centre_asking(monkeypatch, ARRIVAL)
    with serving(delaying) as server:
        (answer,) = asked(using(settings, server, questions_timeout_s=1.0, questions_retries=1))
    assert answer.seconds < 2.5


def test_an_unanswered_question_is_asked_again_by_the_next_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    is_down = [True]

    def sometimes(exchange: Exchange) -> None:
        exchange.send(500, b"{}") if is_down[0] else honest(parcel=FRIDAY)(exchange)

    with serving(sometimes) as server:
        chosen = using(settings, server, questions_retries=0)
        batch, _ = staged(chosen)
        step.run(batch, settings)
        assert not staleness.has_open_questions(batch, settings) and staleness.has_open_questions(batch, chosen)
        step.run(batch, chosen)
        assert staleness.has_open_questions(batch, chosen)
        is_down[0] = False
        step.run(batch, chosen)
        assert not staleness.has_open_questions(batch, chosen) and batch.read("answers")[0].answer == "yes"
        assert staleness.has_open_questions(batch, chosen.with_(questions_model="other"))


@pytest.mark.parametrize("host", ["203.0.113.9", "[2001:db8::1]", "[::ffff:8.8.8.8]", "8.8.8.8"])
def test_no_text_leaves_the_site_without_the_switch(settings: Settings, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    verdict = judged(settings.with_(questions_url=f"http://{host}/v1", questions_model="m"))
    assert (verdict.verdict, reason(verdict)) == ("unsure", "question_outside")


def test_every_address_of_a_server_is_tried(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name localhost is ::1 first on many machines, and servers often listen on 127.0.0.1 alone."""
    real = socket.getaddrinfo

    def resolved(host: str, *rest: Any, **more: Any) -> list[Any]:
        if host != "llm.site":
            return real(host, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("8.8.8.8", "127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    centre_asking(monkeypatch, ARRIVAL)
    with serving(honest(parcel=FRIDAY)) as server:
        (answer,) = asked(using(settings, server, questions_url=server.url.replace("127.0.0.1", "llm.site")))
    assert answer.answer == "yes" and server.headers[0]["host"].startswith("llm.site:")


def test_the_private_address_space_is_the_site() -> None:
    inside = ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "::1", "fd00::1", "fe80::1%eth0", "::ffff:10.0.0.1")
    outside = ("8.8.8.8", "172.32.0.1", "100.64.0.1", "2a00:1450::1", "::ffff:8.8.8.8", "203.0.113.9", "0.0.0.0", "::")
    assert all(is_on_site(address) for address in inside)
    assert not any(is_on_site(address) for address in outside)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"URL": "gpu-1:8000/v1", "MODEL": "m"}, "such as http://gpu-1:8000/v1"),
        ({"URL": "http://gpu-1:80000/v1", "MODEL": "m"}, "such as http://gpu-1:8000/v1"),
        ({"URL": "http://[::1/v1", "MODEL": "m"}, "such as http://gpu-1:8000/v1"),
        ({"URL": "http://user:word@gpu-1/v1", "MODEL": "m"}, "without a password"),
        ({"URL": "http://gpu-1:8000/v1"}, "CALLGRADE_QUESTIONS_MODEL is missing"),
        ({"URL": "http://gpu-1/v1", "MODEL": "m", "WEIGHTS": "/models/qwen"}, "not both"),
        ({"CONCURRENCY": "0"}, "CALLGRADE_QUESTIONS_CONCURRENCY is '0'; it must be from 1 to 64"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"CALLGRADE_QUESTIONS_{name}", value)
    with pytest.raises(MisconfiguredError, match=said) as error:
        Settings.from_environment()
    assert "word" not in str(error.value).replace("password", "")
