"""Signing in and sessions, and attempts to get around them: refused, and recorded in the audit log."""

from __future__ import annotations

import io
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from pipelines.__main__ import main
from pipelines.app_db import accounts, database, sessions
from pipelines.core.settings import Settings
from pipelines.web import request_context
from pipelines.web.routes import ROUTES
from pipelines.web.security import LARGEST_BODY_BYTES
from tests.web.people import HOST, PASSWORD, People, Person, title_of, token_of

OPEN_TO_ALL = {"/sign-in", "/sign-in/openid", "/sign-in/openid/back", "/static/{version}/{name}"}


def calls_in(dependant: Dependant) -> set[object]:
    return {dependant.call} | {call for part in dependant.dependencies for call in calls_in(part)}


def routes(people: People) -> list[APIRoute]:

    return [route for module in ROUTES for route in module.router.routes if isinstance(route, APIRoute)]


def test_every_route_asks_who_it_is_and_every_form_carries_a_token(people: People) -> None:
    assert len(routes(people)) > 8
    for route in routes(people):
        asked = calls_in(route.dependant)
        assert route.path in OPEN_TO_ALL or {request_context._session, request_context._form} <= asked, route.path
        assert route.methods <= {"GET", "POST"}, route.path


def test_a_stranger_is_led_to_the_sign_in_page_and_back(people: People) -> None:
    stranger = people.stranger()
    for route in routes(people):
        if route.path not in OPEN_TO_ALL and "GET" in route.methods:
            answer = stranger.get(route.path.replace("{", "").replace("}", "").replace(":path", ""))
            assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in"), route.path
    form = stranger.get("/sign-in?next=/me")
    answer = stranger.send("/sign-in", token=token_of(form.text), name=" Manager ", password=PASSWORD, next="/me")
    assert answer.headers["location"] == "/me"
    assert title_of(stranger.get("/me")) == "manager"


@pytest.mark.parametrize(
    "aim", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "me"]
)
def test_signing_in_never_leads_to_another_site(people: People, aim: str) -> None:
    stranger = people.stranger()
    answer = stranger.send("/sign-in", "/sign-in", name="manager", password=PASSWORD, next=aim)
    assert answer.headers["location"] == "/"


def test_a_session_is_a_new_one_and_its_cookie_is_safe(people: People) -> None:
    person = people.person("manager")
    first = person.client.cookies["callgrade"]
    answer = person.send("/sign-in", "/sign-in", name="manager", password=PASSWORD)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("callgrade="))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie
    assert person.client.cookies["callgrade"] != first
    old = people.stranger()
    old.client.cookies.set("callgrade", first)
    assert old.get("/me").status_code == 303  # the one before has ended
    kept = b"".join(file.read_bytes() for file in people.store.path.parent.glob("people.sqlite3*"))
    assert person.client.cookies["callgrade"].encode() not in kept and PASSWORD.encode() not in kept
    assert stat.S_IMODE(people.store.path.stat().st_mode) == 0o600


def test_sessions_end_by_themselves_and_by_signing_out(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    person = people.person("analyst")
    assert person.get("/me").status_code == 200
    at = database.present()
    with monkeypatch.context() as later:
        later.setattr(sessions, "present", lambda: at + sessions.IDLE_S + 60)
        assert person.get("/me").status_code == 303
    with monkeypatch.context() as busy:
        for hours in (1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 10.5, 11.9):
            busy.setattr(sessions, "present", lambda hours=hours: at + hours * 3600)
            assert person.get("/me").status_code == 200
        busy.setattr(sessions, "present", lambda: at + sessions.LONGEST_S + 60)
        assert person.get("/me").status_code == 303
    token = token_of(person.get("/me").text)
    held = person.client.cookies["callgrade"]
    assert person.send("/sign-out", token=token).status_code == 303
    person.client.cookies.set("callgrade", held)
    assert person.get("/me").status_code == 303
    assert sessions.find_session(people.store, "x" * 5000) is None


def test_forms_without_the_token_of_their_session_are_refused(people: People) -> None:
    one, other = people.person("manager"), people.person("trainer")
    foreign = token_of(other.get("/me").text)
    for token in ("", "0" * 64, foreign):
        assert one.send("/me/language", token=token, language="hu", back="/me").status_code == 403
        assert people.last_note() == {
            "account_name": "manager",
            "action": "sent_form",
            "outcome": "refused",
            "subject": "/me/language",
            "centre_id": None,
        }
    assert people.stranger().send("/sign-in", token=foreign, name="manager", password=PASSWORD).status_code == 403
    assert people.stranger().send("/me/language", token=foreign, language="hu").status_code == 403
    good = token_of(one.get("/me").text)
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        assert one.client.post("/me/language", data={"token": good, "language": "hu"}, headers=headers).status_code == 403
    assert one.send("/me/language", language="hu", back="/me").status_code == 303
    assert 'lang="hu"' in one.get("/me").text
    one.send("/me/language", language="en", back="//evil.example")


def test_guessing_a_password_is_slowed_down_for_the_name_and_for_the_address(people: People) -> None:
    stranger = people.stranger()
    tries = [stranger.send("/sign-in", "/sign-in", name="Analyst", password=f"wrong {n}") for n in range(sessions.TRIES_PER_NAME + 1)]
    assert [t.status_code for t in tries] == [401] * sessions.TRIES_PER_NAME + [429]
    assert people.last_note() | {"centre_id": None} == {
        "account_name": "", "action": "sign_in", "outcome": "refused", "subject": "analyst", "centre_id": None,
    }  # fmt: skip
    right = stranger.send("/sign-in", "/sign-in", name="analyst", password=PASSWORD)
    assert right.status_code == 429 and int(right.headers["retry-after"]) > 60
    codes = {
        stranger.send("/sign-in", "/sign-in", name=f"nobody{n}", password="wrong").status_code for n in range(sessions.TRIES_PER_ADDRESS)
    }
    assert codes == {401, 429}
    with people.store.writing() as db:
        db.execute("delete from sign_in_attempts")


def test_a_hundred_guesses_at_once_count_as_a_hundred(people: People) -> None:
    def guess(n: int) -> bool:
        try:
            return sessions.sign_in(people.store, "trainer", f"guess {n}", "10.0.0.1") is None
        except sessions.TooManySignInsError:
            return False

    with ThreadPoolExecutor(8) as pool:
        checked = sum(pool.map(guess, range(40)))
    assert checked == sessions.TRIES_PER_NAME
    with people.store.writing() as db:
        db.execute("delete from sign_in_attempts")


def test_a_name_that_does_not_exist_is_answered_like_a_wrong_password(people: People) -> None:
    known, unknown = (
        people.stranger().send("/sign-in", "/sign-in", name=name, password="wrong password") for name in ("manager", "nobody")
    )
    assert known.status_code == unknown.status_code == 401
    assert known.text.replace("manager", "").split('name="token"')[0] == unknown.text.replace("nobody", "").split('name="token"')[0]


def test_what_a_role_may_not_do_is_refused_and_noted(people: People) -> None:
    for name in ("op-1", "analyst", "trainer", "manager"):
        person = people.person(name)
        assert person.get("/accounts").status_code == 403
        assert people.last_note()["outcome"] == "refused" and people.last_note()["subject"] == "/accounts"
        assert person.send("/accounts", name="intruder", role="administrator", centre="*").status_code == 403
        assert (person.get("/audit").status_code == 200) is (name == "manager")
    assert "intruder" not in [a.name for a in accounts.everybody(people.store)]


def test_every_answer_carries_its_headers_whatever_it_is(people: People) -> None:
    person = people.person("manager")
    asset = person.get("/me").text.split('href="/static/')[1].split('"')[0]
    for path in ("/me", "/", "/none", "/accounts", "/sign-in", f"/static/{asset}"):
        headers = person.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script-src 'self';" in policy
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
        assert ("no-store" in headers["cache-control"]) is not path.startswith("/static")
    text = person.get("/me").text
    assert "<script>" not in text and " onclick" not in text and "<style" not in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8750", "127.0.0.1", "127.0.0.1:80", ""])
def test_a_name_of_somebody_else_is_not_answered(people: People, host: str) -> None:
    assert people.stranger().get("/sign-in", headers={"host": host}).status_code == 400


def test_bodies_that_are_too_large_are_not_read(people: People) -> None:
    person = people.person("manager")
    token = token_of(person.get("/me").text)
    assert person.send("/me/language", token=token, language="x" * LARGEST_BODY_BYTES).status_code == 413
    assert people.last_note()["outcome"] == "refused"
    pieces = (b"token=" + token.encode() + b"&language=" if n == 0 else b"x" * 4096 for n in range(20))
    answer = person.client.post("/me/language", content=pieces, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 411
    many = person.client.post("/me/language", data={f"f{n}": "1" for n in range(2000)} | {"token": token})
    assert many.status_code == 400
    upload = person.client.post("/me/language", data={"token": token}, files={"file": ("x.txt", b"hello")})
    assert upload.status_code == 400


@pytest.mark.parametrize("path", ["/static/x/style.css", "/static/..%2f..%2fpages.py", "/static/x/../../people.sqlite3", "/people.sqlite3", "/published/site.duckdb",
                                  "/scorecards/index.html", "/clips.parquet", "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/openapi.json", "/docs"])  # fmt: skip
def test_no_file_is_found_by_its_path(people: People, path: str) -> None:
    person = people.person("admin")
    assert person.get(path).status_code in (404, 307)
    assert people.last_note()["outcome"] == "refused"


def test_an_administrator_lets_people_in_and_out(people: People) -> None:
    admin = people.person("admin")
    page = admin.send("/accounts", "/accounts", name="New.Person", role="trainer", centre=["odesa", "kyiv"])
    password = page.text.split("<code>")[1].split("</code>")[0]
    made = accounts.named(people.store, "new.person")
    assert made.centres == {"odesa", "kyiv"} and len(password) > 20
    person = people.person("new.person", password)
    for name in ("", "-", "a b", "x" * 65):
        wrong = admin.send("/accounts", "/accounts", name=name, role="trainer", centre="odesa")
        assert wrong.status_code == 400 and "2 to 64 letters" in wrong.text
    assert "at least one centre" in admin.send("/accounts", "/accounts", name="nowhere", role="trainer").text
    again = admin.send("/accounts", "/accounts", name="NEW.person", role="trainer", centre="odesa")
    assert again.status_code == 400 and "already" in again.text
    assert admin.send(f"/accounts/{made.account_id}", "/accounts", centre="kyiv", is_active="0").status_code == 303
    assert person.get("/me").status_code == 303  # signed out at once
    answer = people.stranger().send("/sign-in", "/sign-in", name="new.person", password=password)
    assert answer.status_code == 401
    own = accounts.named(people.store, "admin")
    last = admin.send(f"/accounts/{own.account_id}", "/accounts", centre="*", is_active="0")
    assert last.status_code == 400 and accounts.named(people.store, "admin").is_active
    assert [a.name for a in accounts.everybody(people.store) if not a.is_active] == ["new.person"]


def test_a_new_password_ends_every_other_session(people: People) -> None:
    accounts.add(people.store, "careful", "trainer", PASSWORD, ["kyiv"])
    one, other = people.person("careful"), people.person("careful")
    better = "another seven lamps"
    for fields in (
        {"old": "wrong"},
        {"new": "short", "again": "short"},
        {"again": "different lamps"},
        {"new": "careful careful", "again": "careful careful"},
    ):
        assert one.send("/me/password", **({"old": PASSWORD, "new": better, "again": better} | fields)).status_code == 400
    assert one.send("/me/password", old=PASSWORD, new=better, again=better).status_code == 303
    assert one.get("/me").status_code == 200 and other.get("/me").status_code == 303
    people.person("careful", better)


def test_the_audit_cannot_be_rewritten_and_shows_a_manager_his_centres_only(people: People) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append only"), people.store.writing() as db:
        db.execute("delete from audit")
    with pytest.raises(sqlite3.IntegrityError, match="append only"), people.store.writing() as db:
        db.execute("update audit set account_name = 'somebody else'")
    trainer, manager = people.person("trainer"), people.person("manager")
    trainer.get("/centres/irkutsk")
    trainer.get("/centres/motiv")
    assert "irkutsk" in manager.get("/audit?name=trainer").text and "motiv" not in manager.get("/audit?name=trainer").text
    assert "motiv" in people.person("admin").get("/audit?name=trainer&action=opened").text


def test_accounts_are_made_from_the_command_line_without_a_password_in_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*words: str, typed: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return main(["accounts", *words, "--warehouse", str(settings.warehouse)])

    assert command("add", "Chief", "--role", "administrator", typed=f"{PASSWORD}\n") == 0
    assert command("add", "anna", "--role", "operator", "--centre", "kyiv", typed=PASSWORD) == 2
    assert "--operator-id" in capsys.readouterr().err
    operator = ("add", "anna", "--role", "operator", "--centre", "kyiv", "--operator-id", "op-1")
    assert command(*operator, "--new-operator", typed="short") == 2
    assert command(*operator, "--new-operator", typed=PASSWORD) == 0
    assert command("close", "chief") == 2  # otherwise no administrator would be left
    assert command("close", "anna") == 0 and command("list") == 0
    said = capsys.readouterr().out
    assert "chief" in said and "all centres" in said and "op-1" in said and "(closed)" in said and PASSWORD not in said
    opened = database.open_store(settings)
    assert sessions.sign_in(opened, "chief", PASSWORD, "x") is not None and sessions.sign_in(opened, "anna", PASSWORD, "x") is None


def test_pages_speak_the_language_of_the_browser_until_one_is_chosen(people: People) -> None:
    hungarian = Person(people.app, "fr, hu;q=0.8")
    assert 'lang="hu"' in hungarian.get("/sign-in").text
    assert 'lang="uk"' in hungarian.get("/sign-in?language=uk").text
    assert 'lang="en"' in Person(people.app, "fr").get("/sign-in").text
    accounts.add(people.store, "polyglot", "trainer", PASSWORD, ["kyiv"])
    assert hungarian.send("/sign-in?language=uk", "/sign-in?language=uk", name="polyglot", password=PASSWORD).status_code == 303
    assert 'lang="uk"' in hungarian.get("/me").text and accounts.named(people.store, "polyglot").language == "uk"
    assert HOST in str(hungarian.client.base_url)
