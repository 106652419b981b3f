"""Human evaluations: their verdicts take precedence, are stored permanently beside the automatic ones, and reach the analysts."""

from __future__ import annotations

import re
import sqlite3

import pytest

from pipelines import erasure, warehouse
from pipelines.coaching import clip_extraction
from pipelines.core.published import Published, open_published
from pipelines.core.settings import now
from pipelines.reviews import human_verdicts, sync
from pipelines.warehouse.forgetting import ForgottenCall
from tests.web.people import People, title_of

HOSTILE = '<script>alert("x")</script>'


def fill(people: People, name: str, call_id: str, **answers: str) -> int:
    """Send somebody's form; the status of the answer."""
    return people.person(name).send("/evaluate", call_id=call_id, **answers).status_code


def score_on(page: str) -> str:
    found = re.search(r'<output aria-label="Score">(.*?)</output>', page)
    assert found
    return found[1]


def test_a_form_hides_the_automatic_verdicts_until_they_were_seen(judging: People) -> None:
    manager = judging.person("manager")
    before = manager.get("/evaluate/kyiv-1").text
    assert "Automatic verdict:" not in before and "Why it was judged so" not in before and "Its automatic result is hidden" in before
    order = re.findall(r'name="turn_(\w+)"', before)
    assert len(order) == len(set(order)) == 6 and {"greeting", "farewell", "hold_announced"} <= set(order)
    assert manager.send("/evaluate/waive", call_id="kyiv-1").headers["location"] == "/calls/kyiv-1"
    after = manager.get("/evaluate/kyiv-1").text
    assert "Automatic verdict: failed." in after and "does not count towards calibration" in after
    assert "Its automatic result is hidden" in judging.person("second").get("/evaluate/kyiv-1").text


def test_a_persons_verdict_wins_and_the_score_follows_by_the_machines_formula(judging: People) -> None:
    judging.show_results("manager")
    manager = judging.person("manager")
    assert score_on(manager.get("/calls/kyiv-1").text) == "75%"  # three of four decided
    answer = manager.send(
        "/evaluate", call_id="kyiv-1", verdict_farewell="pass", turn_farewell="3", quote_farewell="дякую на вашому рахунку",
        note_farewell=f"He says it. {HOSTILE} Call 067 123 45 67", verdict_anything_else="fail",
    )  # fmt: skip
    assert answer.status_code == 303 and answer.headers["location"] == "/compared/kyiv-1"
    assert judging.last_note() == {
        "account_name": "manager",
        "action": "evaluated",
        "outcome": "done",
        "subject": "kyiv-1",
        "centre_id": "kyiv",
    }
    page = manager.get("/calls/kyiv-1").text
    weights = {c.criterion_id: c for c in people_verdict_criteria()}
    assert {"farewell", "anything_else"} <= set(weights)
    assert score_on(page) == "80%"  # four of five
    assert "Decided by manager" in page and "Automatic verdict: failed." in page and "Automatic verdict: needs review." in page
    assert HOSTILE not in page and "&lt;script&gt;" in page and "123 45 67" not in page
    for where in ("/centres/kyiv", "/centres/kyiv/queue", "/operators/kyiv/op-1"):
        text = manager.get(where).text
        assert ("evaluated by manager" in text and "80%" in text) or where.endswith("queue"), (
            where
        )  # nothing is left to decide in the queue
    assert "/calls/kyiv-1" not in manager.get("/centres/kyiv/queue").text
    assert "since these totals were calculated: 2. Call pages" in manager.get("/centres/kyiv").text
    own = judging.person("op-1").get("/calls/kyiv-1").text
    assert "Decided by manager" in own and "/evaluate/" not in own and "/compared/" not in own


def people_verdict_criteria() -> list[object]:
    from pipelines.centres.profile import load_centre

    return [c for c in load_centre("kyiv").scorecard.criteria if c.criterion_id in ("farewell", "anything_else")]


def test_several_people_stand_side_by_side_and_the_latest_that_decides_counts(judging: People) -> None:
    assert fill(judging, "second", "kyiv-2", verdict_company_named="pass", turn_company_named="1") == 303
    assert fill(judging, "third", "kyiv-2", verdict_company_named="na") == 303
    assert fill(judging, "manager", "kyiv-2", verdict_company_named="unsure") == 303
    page = judging.person("second").get("/compared/kyiv-2").text
    line = page[page.index("Company") :] if "Company" in page else page
    for name in ("second", "third", "manager"):
        assert name in line
    stands = human_verdicts.standing(judging.store, ["kyiv-2"])["kyiv-2"]["kyiv", "company_named"]
    assert (stands["person"], stands["verdict"], stands["machine_verdict"]) == ("third", "na", "fail")
    assert title_of(judging.person("second").get("/compared/kyiv-2")).startswith("Compare verdicts")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "no criterion has an answer"),
        ({"verdict_greeting": "pass"}, "needs a quote"),
        ({"verdict_greeting": "splendid", "turn_greeting": "1"}, "Choose an answer"),
        ({"note_greeting": "no verdict"}, "Choose an answer"),
        ({"verdict_greeting": "pass", "turn_greeting": "99"}, "number of a turn"),
        ({"verdict_greeting": "pass", "turn_greeting": "1 or 1=1"}, "number of a turn"),
        ({"verdict_greeting": "pass", "quote_greeting": "Добрый"}, "number of a turn"),
        ({"verdict_greeting": "pass", "turn_greeting": "1", "quote_greeting": "что вы сказали"}, "are not in that turn"),
        ({"verdict_greeting": "pass", "turn_greeting": "1", "quote_greeting": "!!!"}, "are not in that turn"),
        ({"verdict_greeting": "pass", "turn_greeting": "1", "note_greeting": "x" * 401}, "Too long"),
        ({"verdict_greeting": "pass", "turn_greeting": "1", "quote_greeting": "x" * 201}, "Too long"),
    ],
)
def test_an_answer_without_its_evidence_is_reported_and_nothing_is_kept(judging: People, fields: dict[str, str], said: str) -> None:
    manager, before = judging.person("manager"), human_verdicts.everything(judging.store, ["irkutsk-1"])
    answer = manager.send("/evaluate", call_id="irkutsk-1", **fields)
    assert answer.status_code == 400 and said in answer.text
    assert human_verdicts.everything(judging.store, ["irkutsk-1"]) == before
    if fields.get("note_greeting"):
        assert fields["note_greeting"][:300] in answer.text  # what was typed is not lost


def test_who_may_not_evaluate_is_refused_and_noted(judging: People) -> None:
    for name in ("trainer", "analyst", "op-1"):
        for path in ("/evaluate/kyiv-1", "/compared/kyiv-1"):
            assert judging.person(name).get(path).status_code == 403
            assert judging.last_note()["outcome"] == "refused"
        assert fill(judging, name, "kyiv-1", verdict_greeting="fail") == 403
    manager = judging.person("manager")
    for call_id in ("odesa-1", "nothing", "", "../etc", "kyiv-1' or 1=1"):
        assert manager.get(f"/evaluate/{call_id}").status_code == 404
        assert manager.get(f"/compared/{call_id}").status_code == 404
        assert manager.send("/evaluate", call_id=call_id, verdict_greeting="fail").status_code == 404
        assert judging.last_note()["outcome"] == "refused"
    assert manager.send("/evaluate", token="0" * 64, call_id="kyiv-1", verdict_greeting="fail").status_code == 403
    assert manager.client.post("/evaluate", data={"call_id": "kyiv-1", "verdict_greeting": "fail"}).status_code == 403
    assert manager.send("/evaluate", call_id="kyiv-1", note_greeting="я" * 40_000).status_code == 413
    assert judging.stranger().get("/evaluate/kyiv-1").status_code == 303
    assert not any(v["criterion_id"] == "greeting" for v in human_verdicts.everything(judging.store, ["kyiv-1"]))


def test_human_verdicts_cannot_be_rewritten(judging: People) -> None:
    fill(judging, "second", "irkutsk-2", verdict_greeting="fail")
    for table in ("people_verdicts", "people_evaluations"):
        with pytest.raises(sqlite3.IntegrityError, match="append only"), judging.store.writing() as db:
            db.execute(f"update {table} set at = 0")


def test_analysts_find_peoples_verdicts_beside_the_machines_and_every_check_holds(judging: People) -> None:
    fill(judging, "second", "irkutsk-2", verdict_abuse_procedure="na", verdict_greeting="pass", turn_greeting="1")
    settings = judging.app.state.site.settings
    with open_published(settings) as published:
        assert ("irkutsk-2", "abuse_procedure") in clips_planned(published)
    said = human_verdicts.standing(judging.store)
    assert sync.copy_to_warehouse(settings) == sum(len(one) for one in said.values())
    assert not [result for result in warehouse.publish(settings) if result.failed]
    with open_published(settings) as published:
        rows = published.rows("select * from criterion_results where call_id = 'irkutsk-2' order by criterion_id, judge")
        assert [(r["criterion_id"], r["judge"], r["verdict"]) for r in rows] == [
            ("abuse_procedure", "human", "na"), ("abuse_procedure", "machine", "fail"), ("greeting", "human", "pass"), ("greeting", "machine", "fail"),
        ]  # fmt: skip
        assert ("irkutsk-2", "abuse_procedure") not in clips_planned(published)  # no clip of a fail that was overturned
        facts = published.rows("select score_pct, auto_fail, needs_review from call_facts where call_id = 'irkutsk-2'")
        assert facts == [{"score_pct": 100.0, "auto_fail": False, "needs_review": False}]
    assert "since these totals were calculated" not in judging.person("manager").get("/centres/kyiv").text
    before = settings.snapshot.stat().st_mtime_ns
    sync.copy_to_warehouse(settings)
    warehouse.publish(settings)
    assert settings.snapshot.stat().st_mtime_ns == before  # nothing new, nothing written


def clips_planned(published: Published) -> set[tuple[str, str | None]]:
    return {(planned.clip.call_id, planned.clip.criterion_id) for planned in clip_extraction.plan(published, 45, now())}


def test_everything_recorded_about_a_call_is_forgotten_with_it(judging: People) -> None:
    fill(judging, "second", "irkutsk-1", verdict_greeting="fail")

    erasure.forget(judging.app.state.site.settings, [ForgottenCall("irkutsk-1", None)], on_request=False)
    assert human_verdicts.everything(judging.store, ["irkutsk-1"]) == []
    assert judging.store.rows("select 1 from people_evaluations where call_id = 'irkutsk-1'") == []
