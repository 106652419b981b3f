"""The page of new reasons: who reads it, who decides, and what becomes of a reason."""

from __future__ import annotations

from datetime import date

import pytest

from pipelines.app_db import accounts
from pipelines.discovery import reasons
from pipelines.discovery.reasons import FoundReason
from pipelines.i18n.wording import LANGUAGES
from pipelines.scorecards import drafts
from tests.web.people import People

pytestmark = pytest.mark.usefixtures("profiles")
PAGE = "/new-reasons/kyiv"


@pytest.fixture
def reason_id(judging: People) -> int:
    """A reason of the centre in Kyiv, with two of its calls."""
    with judging.app.state.site.snapshot.read() as published:
        turns = published.rows(
            "select call_id, min(turn_no) as turn_no from turns join calls using (call_id) where centre_id = 'kyiv' and role = 'client' group by all order by 1 limit 2"
        )
    found = FoundReason(("fraud", "message"), tuple((t["call_id"], t["turn_no"]) for t in turns), 60, 0, 400, 0.001)
    with judging.store.writing() as db:
        db.execute("delete from new_reasons")
    reasons.replace_week(judging.store, "kyiv", date(2026, 3, 2), date(2026, 3, 8), [found])
    return int(reasons.listed(judging.store, "kyiv")[0]["reason_id"])


def test_readers_of_numbers_see_the_reason_with_quotes_that_lead_to_their_turn(judging: People, reason_id: int) -> None:
    for name in ("manager", "trainer", "analyst"):
        answer = judging.person(name).get(PAGE)
        assert answer.status_code == 200 and "Fraud, message" in answer.text and "3.3" in answer.text and "new this week" in answer.text
        assert answer.text.count("<q") == 2 and "#turn-" in answer.text
        assert ("Make a topic" in answer.text) == (name == "manager")
    assert judging.person("op-1").get(PAGE).status_code == 403
    assert judging.person("trainer").get("/new-reasons/irkutsk").status_code == 404
    assert judging.person("trainer").get("/new-reasons").headers["location"] == PAGE
    assert "to decide: 1" in judging.person("manager").get("/new-reasons").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_told_in_every_language(judging: People, reason_id: int, language: str) -> None:
    person = judging.person("manager")
    accounts.set_language(judging.store, accounts.named(judging.store, "manager"), language)
    text = person.get(PAGE).text
    assert f'<html lang="{language}"' in text and "nr_" not in text


def test_a_manager_dismisses_a_reason_once(judging: People, reason_id: int) -> None:
    person = judging.person("manager")
    assert person.send(f"{PAGE}/{reason_id}", decision="dismiss").headers["location"] == f"{PAGE}?done=dismissed"
    note = judging.last_note()
    assert (note["action"], note["subject"], note["centre_id"]) == ("new_reason_dismissed", f"kyiv {reason_id}", "kyiv")
    assert "dismissed by manager" in person.get(PAGE).text and "No new reason is waiting" in person.get(PAGE).text
    again = judging.person("second").send(f"{PAGE}/{reason_id}", decision="dismiss")
    assert again.status_code == 409 and "manager has already decided" in again.text


def test_a_manager_makes_a_topic_and_names_it_in_its_form(judging: People, reason_id: int) -> None:
    person = judging.person("manager")
    answer = person.send(f"{PAGE}/{reason_id}", decision="topic")
    place = answer.headers["location"].partition("?")[0]
    assert place == f"/scorecards/kyiv/edit/topics/reason_{reason_id}"
    form = person.get(place)
    assert form.status_code == 200 and "fraud, message" in form.text
    draft = drafts.load_draft(judging.store, "kyiv")
    assert draft is not None and draft.edited_by == "manager"
    assert judging.last_note()["action"] == "new_reason_accepted"
    assert person.send(f"{PAGE}/{reason_id}", decision="topic").status_code == 409


@pytest.mark.parametrize(
    ("name", "path", "decision", "status"),
    [("trainer", "{id}", "dismiss", 403), ("analyst", "{id}", "topic", 403), ("manager", "{id}", "burn", 400), ("manager", "999999", "dismiss", 404),
     ("manager", "٣", "dismiss", 404), ("manager", "1" * 30, "dismiss", 404)],
)  # fmt: skip
def test_nothing_else_decides(judging: People, reason_id: int, name: str, path: str, decision: str, status: int) -> None:
    assert judging.person(name).send(f"{PAGE}/{path.format(id=reason_id)}", decision=decision).status_code == status
    assert judging.last_note()["outcome"] == "refused"
    assert reasons.listed(judging.store, "kyiv")[0]["status"] == "new"


def test_quotes_vanish_with_their_calls(judging: People, reason_id: int) -> None:
    with judging.store.writing() as db:
        db.execute("update new_reason_calls set call_id = call_id || '-gone'")
    text = judging.person("manager").get(PAGE).text
    assert "The calls are no longer stored." in text and "Fraud, message" in text
