"""Form data is never lost: drafts on the server, forms carried through signing in, and a failed save that preserves everything."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from pipelines import erasure
from pipelines.warehouse.forgetting import ForgottenCall
from tests.web.people import PASSWORD, People, Person, title_of, token_of

NOTE = "Слушал дважды, приветствия нет."


class Fields(HTMLParser):
    """The fields of a page: what they hold, and the attributes of each by name or id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.given: list[dict[str, str]] = []
        self.texts: dict[str, str] = {}
        self._inside: str | None = None
        self.feed(page.partition("<template")[0])  # without the dialog to sign in again, which is not shown

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.given.append({"tag": tag} | {name: value or "" for name, value in attrs})
        if "id" in self.given[-1]:
            self._inside = self.given[-1]["id"]

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside] = self.texts.get(self._inside, "") + data

    def named(self, name: str) -> dict[str, str]:
        return next(field for field in self.given if field.get("name") == name)

    def chosen(self, name: str) -> str | None:
        return next((f["value"] for f in self.given if f.get("name") == name and "checked" in f), None)

    @property
    def focused(self) -> list[str]:
        return [field["name"] for field in self.given if "autofocus" in field and field.get("name")]


@pytest.fixture(autouse=True)
def no_drafts(judging: People) -> None:
    with judging.store.writing() as db:
        db.execute("delete from evaluation_drafts")


def end_session(person: Person) -> None:
    """What happens after two hours without use."""
    person.client.cookies.delete("callgrade")


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the sign-in form."""
    form = page[page.index('action="/sign-in') :].partition("</form>")[0]
    return {unescape(name): unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)}


def test_a_draft_is_saved_for_its_reviewer_alone_and_restored(judging: People) -> None:
    second = judging.person("second")
    answer = second.send(
        "/evaluate/draft", call_id="irkutsk-1", verdict_greeting="fail", note_greeting=NOTE, turn_night_rule="3", current="night_rule"
    )
    assert answer.status_code == 200 and answer.json()["saved_at"] > 0
    fields = Fields(second.get("/evaluate/irkutsk-1").text)
    assert (
        fields.chosen("verdict_greeting") == "fail"
        and NOTE in fields.texts["n-greeting"]
        and fields.named("turn_night_rule")["value"] == "3"
    )
    assert fields.named("current")["value"] == "night_rule"
    assert "Your draft was restored" in second.get("/evaluate/irkutsk-1").text
    for name in ("third", "admin"):
        assert NOTE not in judging.person(name).get("/evaluate/irkutsk-1").text
    assert NOTE not in second.get("/evaluate/irkutsk-2").text


def test_a_draft_goes_when_it_is_submitted_discarded_emptied_or_its_call_forgotten(judging: People) -> None:
    def count() -> int:
        return int(judging.store.rows("select count(*) as n from evaluation_drafts")[0]["n"])

    third = judging.person("third")
    given = {"call_id": "irkutsk-1", "verdict_greeting": "fail", "note_greeting": NOTE}
    third.send("/evaluate/draft", **given)
    assert count() == 1 and third.send("/evaluate", **given).status_code == 303 and count() == 0
    third.send("/evaluate/draft", **given)
    assert third.send("/evaluate/discard", call_id="irkutsk-1").headers["location"] == "/evaluate/irkutsk-1" and count() == 0
    third.send("/evaluate/draft", **given)
    third.send("/evaluate/draft", call_id="irkutsk-1")
    assert count() == 0
    third.send("/evaluate/draft", **given)

    erasure.forget(judging.app.state.site.settings, [ForgottenCall("irkutsk-1", None)], on_request=False)
    assert count() == 0


def test_a_draft_holds_no_personal_data_and_nothing_that_no_form_holds(judging: People) -> None:
    second = judging.person("second")
    second.send(
        "/evaluate/draft", call_id="kyiv-1", verdict_greeting="splendid", quote_greeting="Подзвоніть 067 123 45 67", note_greeting="Номер 067 123 45 67 " + "x" * 3000,
        turn_farewell="3", quote_farewell="дякую на вашому рахунку", current="nothing", note_nothing="x", evil="x",
    )  # fmt: skip
    kept = json.loads(judging.store.rows("select answers_json from evaluation_drafts")[0]["answers_json"])
    assert set(kept) == {"quote_greeting", "note_greeting", "turn_farewell", "quote_farewell"}
    assert "123" not in kept["quote_greeting"] and "123" not in kept["note_greeting"] and len(kept["note_greeting"]) <= 400
    assert kept["quote_farewell"] == "дякую на вашому рахунку"  # text in a turn is masked already
    for name in ("trainer", "analyst", "op-1"):
        assert judging.person(name).send("/evaluate/draft", call_id="kyiv-1", note_greeting="x").status_code == 403
    assert second.send("/evaluate/draft", call_id="odesa-1", note_greeting="x").status_code == 404
    assert second.send("/evaluate/draft", token="0" * 64, call_id="kyiv-1", note_greeting="x").status_code == 403


def test_an_evaluation_sent_after_the_session_ended_becomes_a_draft_of_who_signs_in(judging: People) -> None:
    second = judging.person("second")
    given = {"call_id": "irkutsk-2", "verdict_greeting": "fail", "note_greeting": NOTE, "verdict_abuse_procedure": "pass"}
    token = token_of(second.get("/me").text)
    end_session(second)
    page = second.client.post("/evaluate", data=given | {"token": token})
    assert page.status_code == 403 and "Your session has ended and the form has not been sent" in page.text
    assert judging.store.rows("select 1 from evaluation_drafts") == []  # nothing is stored for a client without a session
    carried = hidden(page.text)
    assert carried["resend.note_greeting"] == NOTE and token not in page.text
    wrong = second.client.post("/sign-in", data=carried | {"name": "second", "password": "not this one"})
    assert wrong.status_code == 401 and hidden(wrong.text).items() >= {("resend.note_greeting", NOTE), ("resend_path", "/evaluate")}
    right = second.client.post("/sign-in", data=hidden(wrong.text) | {"name": "second", "password": PASSWORD})
    assert (right.status_code, right.headers["location"]) == (303, "/evaluate/irkutsk-2")
    form = second.get("/evaluate/irkutsk-2").text
    assert Fields(form).chosen("verdict_greeting") == "fail" and NOTE in form
    again = second.send("/evaluate", "/evaluate/irkutsk-2", **(given | {"turn_abuse_procedure": "3"}))
    assert again.status_code == 303 and again.headers["location"] == "/compared/irkutsk-2"


def test_any_form_that_people_write_in_is_offered_to_be_sent_after_signing_in(judging: People) -> None:
    operator = judging.person("op-2")
    reason = "Я назвал компанию, <послушайте> первую реплику."
    given = {"call_id": "kyiv-2", "criterion_id": "company_named", "reason": reason, "turn": "1"}
    end_session(operator)
    page = operator.client.post("/dispute", data=given)
    offered = operator.client.post("/sign-in", data=hidden(page.text) | {"name": "op-2", "password": PASSWORD})
    assert (
        offered.status_code == 200 and title_of(offered) == "The form has not been sent yet" and "You are signed in as op-2" in offered.text
    )
    assert 'action="/dispute"' in offered.text
    fields = Fields(offered.text)
    sent = operator.client.post("/dispute", data={name: fields.named(name)["value"] for name in (*given, "token")})
    assert sent.status_code == 303 and sent.headers["location"] == "/my-disputes"
    assert reason in unescape(operator.get("/my-disputes").text)


def test_who_signed_in_in_another_window_goes_on_with_the_form(judging: People) -> None:
    third = judging.person("third")
    session = third.client.cookies["callgrade"]
    end_session(third)
    carried = hidden(third.client.post("/evaluate", data={"call_id": "irkutsk-2", "note_greeting": NOTE}).text)
    waiting = third.client.post("/sign-in", data=carried | {"signed_in_elsewhere": "1"})
    assert waiting.status_code == 401 and hidden(waiting.text)["resend.note_greeting"] == NOTE
    third.client.cookies.set("callgrade", session, domain="127.0.0.1")
    assert (
        third.client.post("/sign-in", data=hidden(waiting.text) | {"signed_in_elsewhere": "1"}).headers["location"] == "/evaluate/irkutsk-2"
    )
    assert NOTE in third.get("/evaluate/irkutsk-2").text


def test_forms_with_passwords_or_rights_are_never_carried(judging: People) -> None:
    stranger = judging.stranger()
    for path in (
        "/me/password",
        "/accounts",
        "/accounts/1",
        "/me/language",
        "/reviewed",
        "/evaluate/draft",
        "/evaluate/waive",
        "/evaluate/x",
    ):
        page = stranger.client.post(path, data={"old": "my old password", "name": "x", "call_id": "kyiv-1"})
        assert page.status_code in (403, 405) and "my old password" not in page.text and "resend" not in page.text, path
    for path in ("/me/password", "//evil.example", "https://evil.example/evaluate", "/accounts"):
        form = stranger.get("/sign-in")
        data = {"token": token_of(form.text), "name": "second", "password": PASSWORD, "resend_path": path, "resend.old": "x"}
        assert stranger.client.post("/sign-in", data=data).headers["location"] == "/"
    assert stranger.client.post("/evaluate", data={"note_greeting": "x"}, headers={"origin": "https://evil.example"}).status_code == 403


def test_a_page_learns_whose_session_it_has(judging: People) -> None:
    second = judging.person("second")
    found = second.get("/sign-in/session").json()
    assert found == {"account": "second", "token": token_of(second.get("/me").text)}
    assert "You are signed in" in second.get("/sign-in/done").text
    end_session(second)
    assert second.get("/sign-in/session").status_code == 303


@pytest.mark.parametrize(
    ("fields", "wrong", "said"),
    [
        ({"verdict_night_rule": "pass"}, "turn_night_rule", "needs a quote"),
        ({"verdict_night_rule": "pass", "turn_night_rule": "99"}, "turn_night_rule", "number of a turn"),
        ({"verdict_night_rule": "pass", "turn_night_rule": "1", "quote_night_rule": "что вы"}, "quote_night_rule", "are not in that turn"),
        ({"verdict_night_rule": "fail", "note_night_rule": "x" * 401}, "note_night_rule", "Too long"),
        ({"note_night_rule": "why"}, "verdict_night_rule", "Choose an answer"),
    ],
)
def test_a_failed_save_keeps_everything_and_leads_to_the_field(judging: People, fields: dict[str, str], wrong: str, said: str) -> None:
    given = {"verdict_greeting": "fail", "note_greeting": NOTE, "current": "greeting"}
    answer = judging.person("second").send("/evaluate", call_id="irkutsk-1", **given, **fields)
    page = Fields(answer.text)
    assert answer.status_code == 400 and page.focused == [wrong]
    marked = [field for field in page.given if field.get("aria-invalid") == "true"]
    assert len(marked) == 1 and (marked[0].get("name") == wrong or marked[0]["id"] == "v-night_rule")
    assert said in page.texts[marked[0]["aria-describedby"]]
    assert page.chosen("verdict_greeting") == "fail" and NOTE in page.texts["n-greeting"]
    assert page.named("current")["value"] == "night_rule"  # where the next quote is needed


def test_an_empty_form_leads_to_the_criterion_that_was_worked_on(judging: People) -> None:
    page = Fields(judging.person("second").send("/evaluate", call_id="irkutsk-1", current="night_rule").text)
    assert page.focused == ["verdict_night_rule"] and page.named("current")["value"] == "night_rule"


def test_a_dispute_that_is_not_taken_leads_to_its_field(judging: People) -> None:
    answer = judging.person("op-2").send("/dispute", call_id="irkutsk-2", criterion_id="greeting", reason="no", turn="1")
    page = Fields(answer.text)
    assert answer.status_code == 400 and page.focused == ["reason"] and page.named("reason")["aria-invalid"] == "true"
    assert "at least 10" in page.texts[page.named("reason")["aria-describedby"].split()[0]] and page.named("turn")["value"] == "1"


def test_the_longest_form_is_carried_whole(judging: People) -> None:
    """A whole form in Cyrillic letters fits the server's limit, also with the fields of signing in."""
    second = judging.person("second")
    end_session(second)
    given = {f"{field}_c{n}": "я" * length for n in range(16) for field, length in (("quote", 200), ("note", 400))}
    page = second.client.post("/evaluate", data=given | {"call_id": "irkutsk-1"})
    assert page.status_code == 403
    assert second.client.post("/sign-in", data=hidden(page.text) | {"name": "second", "password": "x"}).status_code == 401


def test_where_people_come_in_by_openid_the_dialog_opens_the_provider_in_a_new_window(
    judging: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = judging.person("second")
    provider = SimpleNamespace(rules=SimpleNamespace(button="Example staff"))
    monkeypatch.setattr(judging.app.state, "site", replace(judging.app.state.site, openid=provider))
    end = '<a class="button" target="_blank" rel="noopener" href="/sign-in/openid?next=%2Fsign-in%2Fdone">Sign in with Example staff</a>'
    assert end in second.get("/evaluate/irkutsk-1").text
    end_session(second)
    page = second.client.post("/evaluate", data={"call_id": "irkutsk-1", "note_greeting": NOTE}).text
    assert end in page and 'name="signed_in_elsewhere"' in page
