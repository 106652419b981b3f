"""Reviewers correct the topic, the client type and the findings of a call on its page; everybody else reads who did, and undoes nothing."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from httpx2 import Response

from pipelines import warehouse
from pipelines.app_db import accounts
from pipelines.app_db.database import AppDatabase
from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from pipelines.queries import moments
from pipelines.queries.moment_query import MomentQuery
from pipelines.reports import static_pages
from pipelines.reviews import corrections, human_verdicts, sync
from tests.web.people import People, Person


@pytest.fixture(autouse=True)
def without_corrections(judging: People) -> None:
    """Each test begins with what the machine said, and reviewers have seen it; blind reviews have a test of their own."""
    judging.show_results("manager", "second", "admin")
    with judging.store.writing() as db:
        db.execute("delete from corrections")


def form_of(page: str, kind: str, finding: str = "", button: str = "") -> dict[str, str]:
    """The fields of the form on a page that corrects one thing."""
    for form in re.findall(r'<form method="post" action="/corrections".*?</form>', page, re.S):
        fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
        if fields["kind"] == kind and fields.get("finding", "").startswith(finding) and button in form:
            return fields
    raise AssertionError(f"no form corrects {kind} {finding} {button}")


def correct(person: Person, call_id: str, kind: str, value: str = "", finding: str = "", button: str = "") -> Response:
    """Open the page of a call and send a form of it, as one click does."""
    fields: dict[str, Any] = form_of(person.get(f"/calls/{call_id}").text, kind, finding, button)
    return person.client.post("/corrections", data=fields | ({"value": value} if value else {}))


def main_of(page: str) -> str:
    """The words of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])).split())


def values(store: AppDatabase, call_id: str) -> list[tuple[str, str]]:
    return [(row["kind"], row["value"]) for row in corrections.standing(store, [call_id]).get(call_id, [])]


def test_a_topic_is_corrected_and_stands_at_once(judging: People) -> None:
    manager = judging.person("manager")
    assert '<option value="balance" selected>' in manager.get("/calls/kyiv-1").text
    answer = correct(manager, "kyiv-1", "topic", "debt")
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls/kyiv-1#title")
    assert judging.last_note() == {
        "account_name": "manager", "action": "corrected", "outcome": "done", "subject": "kyiv-1 topic", "centre_id": "kyiv",
    }  # fmt: skip
    page = manager.get("/calls/kyiv-1").text
    assert re.search(r"<h1[^>]*>Debt ", page) and "Topic set by manager" in main_of(page) and "Automatic: balance." in main_of(page)
    assert "debt" in main_of(manager.get("/centres/kyiv").text)  # in lists as well
    assert "corrections by people since these totals were calculated: 1." in manager.get("/centres/kyiv").text
    answer = correct(judging.person("second"), "kyiv-1", "topic", button="Undo correction")
    assert answer.status_code == 303 and judging.last_note()["action"] == "correction_undone"
    page = manager.get("/calls/kyiv-1").text
    assert re.search(r"<h1[^>]*>Balance ", page) and "Topic set by" not in page and "Undo correction" not in page


def test_a_client_type_is_corrected_by_the_types_of_the_centre(judging: People) -> None:
    manager = judging.person("manager")
    page = manager.get("/calls/kyiv-1").text
    options = re.findall(r'<option value="(\w+)"', page.partition('id="f-client_type"')[2].partition("</select>")[0])
    assert options == ["addressed", "venting", "uninformed", "complainer", "opinionated", "rude"]
    correct(manager, "kyiv-1", "client_type", "venting")
    page = main_of(manager.get("/calls/kyiv-1").text)
    assert "Client venting" in page and "Client type set by manager" in page and "Automatic: to the point." in page


def test_a_finding_is_refuted_restored_and_confirmed(judging: People) -> None:
    manager = judging.person("manager")
    assert judging.person("manager").get("/calls/irkutsk-2").text.count('class="mark abuse"') > 1  # on the time line as well
    answer = correct(manager, "irkutsk-2", "finding", finding="abuse", button="Not correct")
    assert answer.headers["location"] == "/calls/irkutsk-2#findings" and judging.last_note()["subject"] == "irkutsk-2 finding"
    page = manager.get("/calls/irkutsk-2").text
    words = main_of(page)
    assert "Marked as not correct by manager" in words and "придурки," in words and page.count('class="mark abuse"') == 1
    assert "Abuse procedure not needed" in words and "was marked as not correct by a person" in words
    assert "Critical failure" not in words and "Automatic verdict: failed." in words
    operators = main_of(judging.person("op-2").get("/calls/irkutsk-2").text)
    assert "Marked as not correct by manager" in operators and "Critical failure" not in operators
    correct(manager, "irkutsk-2", "finding", finding="abuse", button="Undo correction")
    assert "Critical failure" in main_of(manager.get("/calls/irkutsk-2").text)
    correct(manager, "irkutsk-2", "finding", finding="abuse", button="Confirm")
    assert "Confirmed by manager" in main_of(manager.get("/calls/irkutsk-2").text)
    assert values(judging.store, "irkutsk-2") == [("finding", "confirmed")]


def test_the_quote_of_a_finding_is_stored_masked(judging: People) -> None:
    correct(judging.person("manager"), "irkutsk-2", "finding", finding="abuse", button="Not correct")
    (record,) = corrections.everything(judging.store, "irkutsk")
    assert (record["finding_kind"], record["role"], record["quote"], record["severity"]) == ("abuse", "client", "придурки,", "insult")


def test_two_people_do_not_overwrite_each_other(judging: People) -> None:
    manager, second = judging.person("manager"), judging.person("second")
    opened = form_of(second.get("/calls/kyiv-1").text, "topic")
    correct(manager, "kyiv-1", "topic", "debt")
    answer = second.client.post("/corrections", data=opened | {"value": "outage"})
    assert answer.status_code == 409 and "manager has corrected this in the meantime" in answer.text
    assert 'role="alert"' in answer.text and "Topic set by manager" in main_of(answer.text)
    assert values(judging.store, "kyiv-1") == [("topic", "debt")]
    correct(second, "kyiv-1", "topic", "outage")
    assert values(judging.store, "kyiv-1") == [("topic", "outage")]


def test_a_second_click_is_no_second_correction(judging: People) -> None:
    manager = judging.person("manager")
    opened = form_of(manager.get("/calls/kyiv-1").text, "topic") | {"value": "debt"}
    assert [manager.client.post("/corrections", data=opened).status_code for _ in range(2)] == [303, 303]
    assert len(corrections.everything(judging.store, "kyiv")) == 1


@pytest.mark.parametrize("name", ["trainer", "analyst", "op-1"])
def test_who_may_not_review_reads_corrections_and_changes_none(judging: People, name: str) -> None:
    correct(judging.person("manager"), "kyiv-1", "topic", "debt")
    person = judging.person(name)
    page = person.get("/calls/kyiv-1").text
    assert "Topic set by manager" in main_of(page) and "/corrections" not in page
    assert person.send("/corrections", call_id="kyiv-1", kind="topic", value="outage", seen="1").status_code == 403
    assert judging.last_note()["outcome"] == "refused" and values(judging.store, "kyiv-1") == [("topic", "debt")]


def test_forged_and_foreign_forms_change_nothing(judging: People) -> None:
    manager = judging.person("manager")
    for call_id in ("odesa-1", "nothing", "", "../etc", "kyiv-1' or 1=1"):
        assert manager.send("/corrections", call_id=call_id, kind="topic", value="debt", seen="0").status_code == 404
    given = {"call_id": "kyiv-1", "kind": "topic", "value": "debt", "seen": "0"}
    assert manager.send("/corrections", token="0" * 64, **given).status_code == 403
    assert manager.client.post("/corrections", data=given).status_code == 403
    for wrong in ({"value": "splendid"}, {"value": "x" * 2000}, {"kind": "outcome", "value": "calmed"}, {"kind": "client_type"},
                  {"kind": "topic", "value": "refuted"}):  # fmt: skip
        assert manager.send("/corrections", **(given | wrong)).status_code == 400, wrong
    for finding in ("", "abuse client insult 0.0 1.0", "x' or 1=1"):
        answer = manager.send("/corrections", **(given | {"kind": "finding", "value": "refuted", "finding": finding}))
        assert answer.status_code == 409 and "have changed in the meantime" in answer.text
    assert manager.send("/corrections", **(given | {"seen": "-1 or 1"})).status_code == 303  # as if nothing was seen: nothing stood
    assert judging.stranger().client.post("/corrections", data=given).status_code in (303, 403)
    assert values(judging.store, "kyiv-1") == [("topic", "debt")] and corrections.everything(judging.store, "odesa") == []


def test_who_must_judge_blind_neither_sees_nor_corrects(judging: People) -> None:
    correct(judging.person("manager"), "kyiv-1", "topic", "debt")
    with judging.store.writing() as db:
        db.execute("delete from seen_verdicts where account_id = (select account_id from accounts where name = 'third')")
    third = judging.person("third")
    answer = third.send("/corrections", call_id="kyiv-1", kind="topic", value="outage", seen="0")
    assert (answer.status_code, answer.headers["location"]) == (303, "/evaluate/kyiv-1")
    assert values(judging.store, "kyiv-1") == [("topic", "debt")]
    assert "Topic set by" not in third.get("/evaluate/kyiv-1").text
    audit = third.get("/audit?action=corrected").text
    assert "kyiv-1" in audit and "kyiv-1 topic" not in audit
    third_sees = human_verdicts.seen_of(judging.store, accounts.named(judging.store, "third"), ["kyiv-1"])
    assert third_sees == set()  # what the form that was sent led to is no result


def test_corrections_count_everywhere_after_the_next_publication(judging: People) -> None:
    manager, settings = judging.person("manager"), judging.app.state.site.settings
    correct(manager, "irkutsk-2", "finding", finding="abuse", button="Not correct")
    correct(manager, "kyiv-1", "topic", "debt")
    sync.copy_to_warehouse(settings)
    warehouse.publish(settings)
    assert "since these totals were calculated" not in manager.get("/centres/kyiv").text
    assert "debt" in main_of(manager.get("/centres/kyiv").text)
    assert found_by_trainers(settings) == set()
    static_pages.publish_pages(settings, language="en")
    static = {
        name: main_of((settings.scorecards / static_pages.call_href(name)).read_text(encoding="utf-8")) for name in ("kyiv-1", "irkutsk-2")
    }
    assert "Topic set by a person. Automatic: balance." in static["kyiv-1"]
    assert "Marked as not correct by a person." in static["irkutsk-2"] and "manager" not in "".join(static.values())
    # undone after it was published: the pages of the call follow at once
    correct(manager, "irkutsk-2", "finding", finding="abuse", button="Undo correction")
    correct(manager, "kyiv-1", "topic", button="Undo correction")
    page = main_of(manager.get("/calls/irkutsk-2").text)
    assert "Critical failure" in page and "not correct" not in page.replace("Not correct", "")
    assert re.search(r"<h1[^>]*>Balance ", manager.get("/calls/kyiv-1").text)
    sync.copy_to_warehouse(settings)
    warehouse.publish(settings)
    assert found_by_trainers(settings) == {"irkutsk-2"}


def found_by_trainers(settings: Settings) -> set[str]:
    """The calls of Irkutsk whose abuse a search for moments finds."""
    with open_published(settings) as published:
        return {row["call_id"] for row in moments.search(published, MomentQuery(("irkutsk",), finding_kind="abuse"))}
