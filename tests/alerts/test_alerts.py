"""Alerts, sent to a real mail server and a real webhook on this machine: each once, again after a failure, and without personal data."""

from __future__ import annotations

import email
import hashlib
import hmac
import json
import socketserver
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import polars as pl
import pytest

from pipelines import alerts
from pipelines.__main__ import main
from pipelines.alerts import conditions, delivery
from pipelines.alerts import rules as rulebook
from pipelines.alerts.rules import Rulebook
from pipelines.app_db import database
from pipelines.core.errors import MisconfiguredError
from pipelines.core.published import Published, open_published
from pipelines.core.settings import Settings
from tests.web.made_calls import Made, load_and_publish
from tests.web.test_care import THREAT, a_hard_day

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OUTAGE = [("operator", "Добрий день."), ("client", "У нас немає світла.")]


class MailServer(socketserver.ThreadingTCPServer):
    """As much of SMTP (RFC 5321) as a client needs to hand over a letter; `refuses` is what it answers to the letter instead."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        self.letters: list[Message] = []
        self.refuses: str | None = None
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Mail)


class _Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.server.connections += 1
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "DATA":
                self.say("354 go on")
                content = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    content += part
                if self.server.refuses is None:
                    self.server.letters.append(email.message_from_bytes(content, policy=default))
                self.say(self.server.refuses or "250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 here" if verb != "STARTTLS" else "502 no")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Hook(BaseHTTPRequestHandler):
    taken: ClassVar[list[tuple[dict[str, Any], dict[str, str], bytes]]] = []
    answers: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.answers.pop(0) if self.answers else 204
        if status == 204:
            self.taken.append((json.loads(content), dict(self.headers), content))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])  # type: ignore[index]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def mail() -> Iterator[tuple[MailServer, int]]:
    server = MailServer()
    with serving(server) as port:
        yield server, port


@pytest.fixture
def hook() -> Iterator[int]:
    Hook.taken, Hook.answers = [], []
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Hook)) as port:
        yield port


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "WAITS_S", (0.0, 0.0))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(NOON.timestamp())))


def days_with_outages() -> list[Made]:
    """Five quiet days with an outage call in the morning, then ten of them in one hour."""
    quiet = [Made(f"k-{n}", "kredo", "ru", OUTAGE, NOON - timedelta(days=n + 4, hours=2), topic="outage") for n in range(5)]
    return quiet + [Made(f"k-now-{n}", "kredo", "ru", OUTAGE, NOON - timedelta(hours=2, minutes=-n), topic="outage") for n in range(10)]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy with two threats, an operator at fault, a hang-up without a warning, and an outage."""
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("alerts") / "alerts.duckdb")
    load_and_publish(
        settings,
        [*a_hard_day(), *days_with_outages(), Made("old", "kyiv", "uk", THREAT, NOON - timedelta(days=9), abuse=[(3, "", "threat")])],
    )
    return settings


@pytest.fixture
def site(published: Settings, tmp_path: Path) -> Iterator[Settings]:
    """That copy with nothing told yet."""
    yield published.with_(alerts=tmp_path / "alerts.yaml")
    for file in published.site.glob("people.sqlite3*"):
        file.unlink()


def write(settings: Settings, rules: str, mail: int = 9, hook: int = 9, more: str = "") -> None:
    assert settings.alerts is not None
    settings.alerts.write_text(
        f"""link: https://calls.example
channels:
  duty: {{email: {{server: 127.0.0.1, port: {mail}, security: none, from: callgrade@example.org, to: [duty@example.org, head@example.org]}}, language: uk}}
  chat: {{webhook: {{url: "http://127.0.0.1:{hook}/hook/very-secret"}}}}
rules:
{rules}
{more}""",
        encoding="utf-8",
    )


EVERYTHING = """  threats: {kind: threat, to: [duty]}
  fault: {kind: operator_at_fault, to: [duty]}
  hung_up: {kind: hang_up_without_warning, to: [duty]}
  outage: {kind: topic_spike, to: [duty]}"""


def test_everything_is_reported_once_and_without_personal_data(site: Settings, mail: tuple[MailServer, int]) -> None:
    server, port = mail
    write(site, EVERYTHING, port)
    told = alerts.run(site)
    assert told is not None and (told.sent, told.waiting, told.problems) == (5, 0, [])
    subjects = sorted(str(letter["subject"]) for letter in server.letters)
    assert subjects == sorted([
        "Callgrade, kyiv: Дзвінків із погрозою клієнта: 1", "Callgrade, odesa: Дзвінків із погрозою клієнта: 1", "Callgrade, kyiv: Дзвінків із грубістю оператора: 1",
        "Callgrade, odesa: Дзвінків, завершених оператором без попередження: 1",
        "Callgrade, kredo: Багато дзвінків на тему «відключення» 02.03.2026 з 13:00: 10 за годину, зазвичай 1,0",
    ])  # fmt: skip
    texts = {str(letter["subject"]): letter.get_content() for letter in server.letters}  # type: ignore[attr-defined]
    threat = texts["Callgrade, odesa: Дзвінків із погрозою клієнта: 1"]
    assert "odesa/2 threat" in threat and "https://calls.example/care/odesa" in threat
    for text in texts.values():
        assert not any(word in text for word in ("приїду", "op-1", "c-1", "PHONE", "телефон"))
    assert {str(letter["to"]) for letter in server.letters} == {"duty@example.org, head@example.org"}
    assert len({letter["message-id"] for letter in server.letters}) == 5
    again = alerts.run(site)
    assert again is not None and again.sent == 0 and len(server.letters) == 5
    kept = database.open_store(site).rows("select body, sent_at from alerts")
    assert all(row["body"] == "" and row["sent_at"] for row in kept)
    assert stat.S_IMODE(database.store_path(site).stat().st_mode) == 0o600


def test_a_webhook_gets_json_that_is_signed_and_goes_nowhere_else(site: Settings, hook: int, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("between us\n", encoding="utf-8")
    write(site, "  threats: {kind: threat, to: [chat], centres: [odesa]}", hook=hook)
    assert site.alerts is not None
    site.alerts.write_text(site.alerts.read_text().replace('very-secret"', 'very-secret", secret_file: secret'), encoding="utf-8")
    told = alerts.run(site)
    assert told is not None and told.sent == 1
    body, headers, content = Hook.taken[0]
    assert (
        body["call_ids"] == ["odesa/2 threat"]
        and body["count"] == 1
        and body["kind"] == "threat"
        and body["link"].startswith("https://calls.example/")
    )
    assert headers["X-Callgrade-Signature"] == "sha256=" + hmac.new(b"between us", content, hashlib.sha256).hexdigest()
    assert headers["Idempotency-Key"] == body["alert_id"]


def test_ids_stay_here_where_the_file_says_so(site: Settings, hook: int) -> None:
    write(site, "  threats: {kind: threat, to: [chat]}", hook=hook, more="with_ids: false")
    alerts.run(site)
    assert len(Hook.taken) == 2 and all("call_ids" not in body and "odesa/2" not in content.decode() for body, _, content in Hook.taken)


def test_a_failed_delivery_is_retried_and_then_reported_once(
    site: Settings, hook: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site, "  threats: {kind: threat, to: [chat], centres: [odesa]}", hook=hook)
    Hook.answers = [503, 503]
    told = alerts.run(site)
    assert told is not None and told.sent == 1 and len(Hook.taken) == 1  # at the third try of the same run
    write(site, "  again: {kind: threat, to: [chat], centres: [odesa]}", hook=hook)
    Hook.answers = [503, 502, 500]
    assert main(["alerts", "--warehouse", str(site.warehouse), "--rules", str(site.alerts)]) == 1
    said = capsys.readouterr()
    assert "0 sent, 1 waiting" in said.out and f"chat: 127.0.0.1:{hook} answers 500" in said.err and "very-secret" not in said.err
    waiting = alerts.run(site)
    assert waiting is not None and (waiting.sent, waiting.waiting) == (0, 1)  # not before its time
    at = database.present()
    monkeypatch.setattr(delivery, "present", lambda: at + delivery.LATER_S[0] + 1)
    later = alerts.run(site)
    assert later is not None and (later.sent, later.waiting) == (1, 0) and len(Hook.taken) == 2


def test_what_nobody_takes_is_given_up_after_two_days_with_its_reason(
    site: Settings, mail: tuple[MailServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, port = mail
    server.refuses = "554 not from you"
    write(site, "  threats: {kind: threat, to: [duty], centres: [odesa]}", port)
    told = alerts.run(site)
    assert (
        told is not None and told.problems == [f"duty: 127.0.0.1:{port} answers 554"] and server.connections == 1
    )  # no use to try at once
    at = database.present()
    monkeypatch.setattr(delivery, "present", lambda: at + delivery.TOO_OLD_S + 1)
    over = alerts.run(site)
    assert over is not None and (over.given_up, over.waiting) == (1, 0) and "given up" in over.problems[0]
    row = database.open_store(site).rows("select body, error from alerts")[0]
    assert row["body"] == "" and "554" in row["error"]


def test_a_missing_channel_is_reported(site: Settings, hook: int) -> None:
    write(site, EVERYTHING, mail=1)
    told = alerts.run(site)
    assert told is not None and told.sent == 0 and all("127.0.0.1:1 cannot be reached (" in problem for problem in told.problems)
    Hook.answers = [302]
    write(site, "  other: {kind: threat, to: [chat], centres: [odesa]}", hook=hook)
    told = alerts.run(site)
    assert told is not None and any("answers 302" in problem for problem in told.problems) and not Hook.taken


def test_two_runs_at_once_tell_it_once(site: Settings, hook: int) -> None:
    write(site, "  threats: {kind: threat, to: [chat]}", hook=hook)
    threads = [threading.Thread(target=alerts.run, args=(site,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Hook.taken) == 2 and len({body["alert_id"] for body, _, _ in Hook.taken}) == 2


def test_every_channel_can_be_tried(site: Settings, mail: tuple[MailServer, int], hook: int, capsys: pytest.CaptureFixture[str]) -> None:
    server, port = mail
    write(site, EVERYTHING, port, hook)
    assert main(["alerts", "--warehouse", str(site.warehouse), "--rules", str(site.alerts), "--test"]) == 0
    assert len(server.letters) == 1 and len(Hook.taken) == 1 and "2 sent" in capsys.readouterr().out


def test_without_a_file_nothing_is_configured(published: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "--warehouse", str(published.warehouse)]) == 0
    assert "No alerts are configured" in capsys.readouterr().out
    with pytest.raises(MisconfiguredError, match="does not exist"):
        alerts.run(published.with_(alerts=published.site / "nothing.yaml"))


WRONG = [
    ("rules: {a: {kind: thread, to: []}}", "kind 'thread' is not known. Did you mean 'threat'"),
    ("rules: {a: {kind: threat, to: [nobody]}}", "to 'nobody' is not known"),
    ("rules: {a: {kind: threat, to: []}}", "notifies nobody"),
    ("rules: {a: {kind: threat, to: [], drop: 1}}", "field 'drop' is not known"),
    ("channels: {a: {}}", "needs either email or webhook"),
    ("channels: {a: {webhook: {url: http://chat.example/x}}}", "must begin with https"),
    ("channels: {a: {webhook: {url: file:///etc/passwd}}}", "must begin with https"),
    ("channels: {a: {webhook: {url: https://x.example, secret_file: nowhere}}}", "is not a file"),
    ('channels: {a: {email: {server: m, from: "a@b.c", to: ["x@y.z\\nBcc: all@y.z"]}}}', "not a plain e-mail address"),
    ("channels: {a: {email: {server: m, from: a@b.c, to: []}}}", "at least one address"),
    ("channels: {a: {email: {server: m, from: a@b.c, to: [d@e.f], user: x}}}", "belong together"),
    ("link: javascript:1", "must begin with https"),
    ("chanels: {}", "Did you mean 'channels'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_mistake_in_the_file_is_reported_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MisconfiguredError) as caught:
        rulebook.read_rulebook(file)
    assert said in str(caught.value) and "line 1" in str(caught.value)


def test_a_password_does_not_travel_in_clear(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hush", encoding="utf-8")
    file = tmp_path / "alerts.yaml"
    text = "channels: {a: {email: {server: mail.example, security: %s, from: a@b.c, to: [d@e.f], user: x, password_file: password}}}"
    file.write_text(text % "none", encoding="utf-8")
    with pytest.raises(MisconfiguredError, match="without encryption"):
        rulebook.read_rulebook(file)
    file.write_text(text % "starttls", encoding="utf-8")
    assert rulebook.read_rulebook(file).channels["a"].email is not None


def rules_of(*rules: dict[str, Any]) -> Rulebook:
    """Rules that tell one channel."""
    channels = {"x": {"webhook": {"url": "https://chat.example"}}}
    return Rulebook.model_validate({"channels": channels, "rules": {str(n): {"to": ["x"], **rule} for n, rule in enumerate(rules)}})


def recognised_calls(before: float, now: float, calls: int) -> Published:
    """Calls of two stretches of days, heard with the certainty that a test asks for."""
    rows = [
        (
            str(n),
            "kyiv",
            "graded",
            NOON - timedelta(days=10 if n < calls else 1, minutes=n),
            (before if n < calls else now) + 0.1 * ((n % 10) - 4.5) / 4.5,
        )
        for n in range(2 * calls)
    ]
    made = pl.DataFrame(rows, schema=["call_id", "centre_id", "status", "started_at", "asr_confidence"], orient="row")
    db = duckdb.connect()
    db.register("made", made)
    db.execute(
        "create table calls as select call_id, centre_id, status, started_at, started_at at time zone 'UTC' as started_local from made"
    )
    db.execute("create table conversation_metrics as select call_id, asr_confidence from made")
    return Published(db)


@pytest.mark.parametrize(
    ("before", "now", "calls", "is_told"), [(0.85, 0.7, 40, True), (0.85, 0.83, 400, False), (0.85, 0.7, 20, False), (0.7, 0.85, 40, False)]
)
def test_recognition_that_got_clearly_worse_is_reported(before: float, now: float, calls: int, is_told: bool) -> None:
    rule = {"kind": "recognition", "least_calls": 30}
    found = conditions.notice(recognised_calls(before, now, calls), rules_of(rule), NOON)
    assert [event.centre_id for event in found] == (["kyiv"] if is_told else [])
    if is_told:
        assert found[0].values["now"] == pytest.approx(70, abs=1)
        assert not conditions.notice(recognised_calls(before, now, calls), rules_of(rule | {"centres": ["odesa"]}), NOON)


def test_a_usual_hour_and_old_calls_are_no_alert(published: Settings) -> None:
    spike = {"kind": "topic_spike", "least_calls": 8}
    threat = {"kind": "threat"}
    with open_published(published) as copy:
        assert conditions.notice(copy, rules_of(spike | {"least_calls": 11}, spike | {"topics": ["tariff"]}), NOON) == []
        assert conditions.notice(copy, rules_of(spike, threat), NOON + timedelta(days=40)) == []
        ids = [event.call_ids for event in conditions.notice(copy, rules_of(threat), NOON)]
    assert ("old",) not in ids and sorted(ids) == [("kyiv-1",), ("odesa/2 threat",)]
