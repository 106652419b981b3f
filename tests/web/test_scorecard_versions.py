"""From a draft to a version: its preview, activation from a day, undo, and regrading with the approval of somebody else."""

from __future__ import annotations

import re
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.app_db import accounts
from pipelines.centres.profile import load_centre
from pipelines.core.settings import now
from pipelines.scorecards import activation, drafts
from tests.web.people import PASSWORD, People, Person
from tests.web.test_scorecards import fields_of

pytestmark = pytest.mark.usefixtures("profiles")
CARD = "/scorecards/kyiv"


def today() -> date:
    return now().astimezone(load_centre("kyiv").timezone).date()


def history(judging: People) -> list[activation.Version]:
    return activation.history(judging.app.state.site.settings, "kyiv")


def only_on_second_line(person: Person) -> None:
    """Make a draft by which a greeting is asked for on the second line alone: no call that was made is on it."""
    form = {
        "weight": "5",
        "title_en": "Greeting",
        "description_en": "The operator says hello.",
        "severity": "minor",
        "where": "opening",
        "lines": "second",
    }
    assert person.send(f"{CARD}/edit/criteria/greeting", **form).status_code == 303


def previewed(person: Person) -> str:
    assert person.send(f"{CARD}/preview").headers["location"] == f"{CARD}/preview"
    until = time.monotonic() + 120
    while (found := person.get(f"{CARD}/preview/progress").json())["state"] in ("waiting", "running"):
        assert time.monotonic() < until, found
        time.sleep(0.1)
    assert found["state"] == "done", person.get(f"{CARD}/preview").text
    return " ".join(person.get(f"{CARD}/preview").text.split())


def activated(person: Person, page: str, **more: Any) -> Any:
    return person.send(f"{CARD}/activate", page, text=text_of(person.get(page).text), **more)


def text_of(page: str) -> str:
    return page.split('name="text" value="')[1].split('"')[0]


def test_a_preview_says_which_verdicts_change_in_whose_scores_with_quotes(judging: People) -> None:
    person = judging.person("manager")
    assert person.get(f"{CARD}/preview").headers["location"] == f"{CARD}/edit"  # without a draft there is nothing to preview
    only_on_second_line(person)
    assert "Start preview" in person.get(f"{CARD}/preview").text
    text = previewed(person)
    assert "Greeting</b>" in text and "passed → N/A" in text
    assert 'href="/operators/kyiv/op-1"' in text and 'href="/calls/kyiv-1' in text
    assert "calls tried" in text and "agreement with people now" in text
    assert drafts.load_draft(judging.store, "kyiv") is not None and load_centre("kyiv").scorecard.version == "1"  # nothing else happened
    person.send(f"{CARD}/edit", weight_farewell="6", was_farewell="5")
    assert "Start preview" in person.get(f"{CARD}/preview").text  # of another text


def test_calls_that_a_reviewer_must_judge_blind_are_not_disclosed(judging: People) -> None:
    only_on_second_line(judging.person("manager"))
    shown = previewed(judging.person("manager"))
    with judging.app.state.site.snapshot.read() as published:
        from pipelines.reviews import blind

        withheld = blind.withheld(published, judging.store, accounts.named(judging.store, "third"), ["kyiv"])
    assert withheld
    hidden = previewed(judging.person("third"))
    for call_id in withheld:
        assert f'href="/calls/{call_id}' in shown or "kyiv" not in call_id
        assert f"/{call_id}" not in hidden


def test_a_version_applies_from_a_day_that_is_not_past(judging: People, profiles: Path) -> None:
    person = judging.person("manager")
    only_on_second_line(person)
    person.send(f"{CARD}/edit", weight_farewell="8", was_farewell="5")
    page = f"{CARD}/activate"
    assert "From " in person.get(page).text and "earlier calls keep version 1." in person.get(page).text
    assert "This draft has not been tried on past calls." in person.get(page).text
    for typed, said in (("", "Enter a day."), ("2020-01-01", "The nearest possible day is"), ("tomorrow", "Enter a day.")):
        answer = activated(person, page, start=typed)
        assert answer.status_code == 400 and said in answer.text, typed
    assert person.send(page, page, start=today().isoformat(), text="0" * 16).status_code == 400  # somebody changed the draft meanwhile
    assert load_centre("kyiv").scorecard.version == "1"
    start = today() + timedelta(days=1)
    answer = activated(person, page, start=start.isoformat())
    assert answer.headers["location"] == f"{CARD}?done=activated", answer.text
    new = load_centre("kyiv").scorecard
    assert new.version != "1" and new.criteria[0].applies.lines == ("second",)
    assert judging.last_note() | {"subject": None} == {
        "account_name": "manager", "action": "scorecard_activated", "outcome": "done", "subject": None, "centre_id": "kyiv",
    }  # fmt: skip
    assert new.version in judging.last_note()["subject"] and start.isoformat() in judging.last_note()["subject"]
    assert drafts.load_draft(judging.store, "kyiv") is None
    listed = person.get(CARD).text
    assert f"Version {new.version} applies from" in listed and "Until then: version 1" in listed  # from tomorrow on
    assert f">{new.version}</a>" in listed and ">1</a>" in listed and "manager" in listed
    assert person.get(f"{CARD}?version=1").headers["location"] == f"{CARD}/versions/1"
    past = person.get(f"{CARD}/versions/1")
    assert past.status_code == 200 and "In effect since" in past.text and "Only on lines" not in past.text
    assert "Only on lines" in listed
    assert judging.person("op-1").get(f"{CARD}/versions/1").status_code == 200  # operators read how they were judged


def test_rows_of_one_call_name_criteria_by_the_version_that_judged_it(judging: People) -> None:
    person = judging.person("manager")
    form = fields_of(person.get(f"{CARD}/edit/criteria/greeting").text) | {"title_en": "Says hello"}
    assert person.send(f"{CARD}/edit/criteria/greeting", **form).status_code == 303
    assert activated(person, f"{CARD}/activate", start=(today() + timedelta(days=1)).isoformat()).status_code == 303
    page = judging.person("trainer").get("/trainer/moments?centre=kyiv&criterion=greeting").text
    rows = re.sub(r"<option.*?</option>", "", page, flags=re.S)
    assert "Says hello" in page and "Says hello" not in rows and "Greeting" in rows  # the filter is by the newest titles


def test_a_draft_is_compared_again_when_the_file_was_changed_meanwhile(judging: People, profiles: Path) -> None:
    person = judging.person("manager")
    only_on_second_line(person)
    file = profiles / "kyiv.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("{id: farewell, weight: 5}", "{id: farewell, weight: 4}"), encoding="utf-8")
    answer = activated(person, f"{CARD}/activate", start=today().isoformat())
    assert answer.status_code == 400 and "changed after this draft was begun" in answer.text
    assert "Weight: 4 → 5" in " ".join(answer.text.split())  # what the draft would set back
    assert person.send(f"{CARD}/edit/keep").headers["location"] == f"{CARD}/activate"
    answer = activated(person, f"{CARD}/activate", start=today().isoformat())
    assert answer.status_code == 303
    assert "calls are judged by version 2; earlier calls keep version 1." in " ".join(person.get(answer.headers["location"]).text.split())


def test_an_activation_is_undone(judging: People) -> None:
    person = judging.person("manager")
    assert "There is no earlier version" in person.get(f"{CARD}/undo").text
    assert person.send(f"{CARD}/undo").status_code == 400
    only_on_second_line(person)
    assert activated(person, f"{CARD}/activate", start=today().isoformat()).status_code == 303
    second = history(judging)[0].version
    assert f"Version 1 is activated again in place of version {second}." in person.get(f"{CARD}/undo").text
    assert person.send(f"{CARD}/undo").headers["location"] == f"{CARD}?done=undone"
    assert judging.last_note()["action"] == "scorecard_undone"
    assert load_centre("kyiv").scorecard.criteria[0].applies.lines == ()
    assert len(history(judging)) >= 3 and history(judging)[0].is_current


def test_days_are_regraded_once_somebody_else_approves(judging: People) -> None:
    person, other = judging.person("manager"), judging.person("second")
    only_on_second_line(person)
    activated(person, f"{CARD}/activate", start=today().isoformat())
    page = f"{CARD}/regrade"
    for first, last, said in (
        ("2026-03-09", "2026-03-01", "the nearest possible day is"),
        ("", "2026-03-01", "Enter a day."),
        ("2020-01-01", "2026-03-01", "At most a year"),
    ):
        answer = person.send(page, first=first, last=last)
        assert answer.status_code == 400 and said in answer.text
    assert person.send(page, first="2026-03-01", last="2026-03-07").headers["location"] == f"{page}?done=requested"
    assert judging.last_note()["action"] == "regrade_requested"
    request = activation.regrade_requests(judging.store, "kyiv")[0]
    assert (request.first_day, request.last_day, request.requested_by) == (date(2026, 3, 1), date(2026, 3, 7), "manager")
    own = person.get(page).text
    assert "Another manager must approve it." in own and 'value="approve"' not in own
    assert person.send(f"{page}/{request.request_id}", decision="approve").status_code == 403  # not one's own
    assert judging.last_note()["outcome"] == "refused"
    assert other.send(f"{page}/{request.request_id}", decision="nothing").status_code == 404
    assert other.send(f"{page}/99999", decision="approve").status_code == 404
    assert other.send(f"{page}/{request.request_id}", decision="approve").headers["location"] == f"{page}?done=approved"
    assert judging.last_note()["action"] == "regrade_approved"
    assert other.send(f"{page}/{request.request_id}", decision="decline").status_code == 404  # decided already
    person.send(page, first="2026-02-01", last="2026-02-02")
    again = next(one for one in activation.regrade_requests(judging.store, "kyiv") if one.approved_at is None)
    assert person.send(f"{page}/{again.request_id}", decision="decline").status_code == 303  # one's own may be withdrawn
    assert judging.last_note()["action"] == "regrade_declined"
    states = re.findall(r'<span class="badge \w*">\s*(\w+)', person.get(page).text)
    assert states[:2] == ["declined", "approved"]


def test_the_only_manager_approves_alone(judging: People) -> None:
    accounts.add(judging.store, "alone", "manager", PASSWORD, ["motiv"])
    closed = [one for one in accounts.everybody(judging.store) if one.name == "admin"]
    with judging.store.writing() as db:
        db.execute("update accounts set is_active = 0 where account_id = ?", [closed[0].account_id])
    try:
        alone = judging.person("alone")
        assert alone.send("/scorecards/motiv/regrade", first="2026-03-01", last="2026-03-07").status_code == 303
        assert 'value="approve"' in alone.get("/scorecards/motiv/regrade").text
    finally:
        with judging.store.writing() as db:
            db.execute("update accounts set is_active = 1 where account_id = ?", [closed[0].account_id])
