"""Operators dispute points of their own calls, managers decide, and an upheld dispute becomes a regression case for the rules."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from pathlib import Path

import pytest
import yaml

from pipelines import erasure
from pipelines.__main__ import main
from pipelines.reviews import disputes, human_verdicts, regression_cases
from pipelines.warehouse.forgetting import ForgottenCall
from tests.web.people import People

HOSTILE = '<img src=x onerror=alert(1)><script>alert("x")</script>'
REASON = "The operator said it in the third turn, please listen."


@pytest.fixture(autouse=True)
def unblinded(judging: People) -> None:
    """Blind reviews have tests of their own: who decides disputes here has judged the sample."""
    judging.show_results("manager", "second", "third")


def dispute(people: People, name: str, call_id: str, criterion_id: str, reason: str = REASON, **more: str) -> int:
    return people.person(name).send("/dispute", call_id=call_id, criterion_id=criterion_id, reason=reason, **more).status_code


def count_beside(page: str, path: str) -> int:
    found = re.search(rf'href="{path}"[^>]*>[^<]*(?:<b class="count">(\d+))?', page)
    assert found, f"{path} is not in the navigation"
    return int(found[1] or 0)


def find(people: People, call_id: str, criterion_id: str) -> dict[str, object]:
    return people.store.rows("select * from disputes where call_id = ? and criterion_id = ?", call_id, criterion_id)[0]


def test_a_disputed_point_is_upheld_and_counts_from_then_on(judging: People) -> None:
    operator, manager = judging.person("op-2"), judging.person("manager")
    assert "/dispute/company_named/kyiv-2" in operator.get("/calls/kyiv-2").text
    form = operator.get("/dispute/company_named/kyiv-2").text
    assert "within 14 days" in form and "Why it was judged so." in form
    answer = operator.send(
        "/dispute", "/dispute/company_named/kyiv-2", call_id="kyiv-2", criterion_id="company_named", turn="1", reason=f"{REASON} {HOSTILE} 067 123 45 67"
    )  # fmt: skip
    assert answer.status_code == 303 and answer.headers["location"] == "/my-disputes"
    assert judging.last_note() == {
        "account_name": "op-2", "action": "disputed", "outcome": "done", "subject": "kyiv-2 company_named", "centre_id": "kyiv",
    }  # fmt: skip
    own = operator.get("/my-disputes").text
    assert "waiting for a decision" in own and HOSTILE not in own and "&lt;img src=x" in own and "123 45 67" not in own
    assert count_beside(manager.get("/me").text, "/disputes") == 1
    number = find(judging, "kyiv-2", "company_named")["dispute_id"]
    page = manager.get(f"/disputes/{number}").text
    assert "op-2 disagrees" in page and HOSTILE not in page and 'name="turn" value="1"' in page
    answer = manager.send(
        f"/disputes/{number}",
        decision="uphold",
        verdict="pass",
        turn="1",
        reason="It was said, the recording is clear.",
        quote="слухаю вас",
    )
    assert answer.status_code == 303 and judging.last_note()["action"] == "dispute_decided"
    assert count_beside(manager.get("/me").text, "/disputes") == 0
    assert count_beside(operator.get("/me").text, "/my-disputes") == 1
    told = operator.get("/my-disputes").text
    assert "upheld" in told and "the recording is clear" in told and ">new<" in told
    assert count_beside(operator.get("/me").text, "/my-disputes") == 0
    call = operator.get("/calls/kyiv-2").text
    assert "Decided by manager" in call and "after a dispute" in call and "Automatic verdict: failed." in call
    assert judging.person("second").send("/evaluate", call_id="kyiv-2", verdict_company_named="fail").status_code == 303
    standing = human_verdicts.standing(judging.store, ["kyiv-2"])["kyiv-2"]["kyiv", "company_named"]
    assert (standing["verdict"], standing["person"], standing["quote"]) == (
        "pass",
        "manager",
        "слухаю вас",
    )  # a decision outlasts a later form


def test_a_rejected_dispute_changes_nothing_and_cannot_be_repeated(judging: People) -> None:
    assert dispute(judging, "op-2", "irkutsk-2", "greeting") == 303
    assert dispute(judging, "op-2", "irkutsk-2", "greeting") == 400
    number = find(judging, "irkutsk-2", "greeting")["dispute_id"]
    manager = judging.person("manager")
    before = len(human_verdicts.everything(judging.store))
    for given, said in (({}, "Choose whether"), ({"decision": "reject", "reason": "no"}, "at least 10"), ({"decision": "reject", "reason": "x" * 1001}, "too long"),
                        ({"decision": "uphold", "verdict": "fail"}, "Choose an answer"), ({"decision": "uphold", "verdict": "pass"}, "needs a quote"),
                        ({"decision": "uphold", "verdict": "pass", "turn": "77"}, "number of a turn")):  # fmt: skip
        answer = manager.send(f"/disputes/{number}", **({"reason": "Listened to it again."} | given))
        assert answer.status_code == 400 and said in answer.text
    assert manager.send(f"/disputes/{number}", decision="reject", reason="The greeting is missing.").status_code == 303
    again = judging.person("second").send(f"/disputes/{number}", decision="uphold", verdict="na", reason="I think otherwise.")
    assert again.status_code == 400 and "already been decided" in again.text
    assert len(human_verdicts.everything(judging.store)) == before
    assert "rejected" in judging.person("op-2").get("/my-disputes").text
    assert "/dispute/greeting/irkutsk-2" not in judging.person("op-2").get("/calls/irkutsk-2").text


def test_only_own_failed_points_within_the_window_can_be_disputed(judging: People, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dispute(judging, "op-1", "irkutsk-2", "abuse_procedure") == 404  # a colleague's at another centre
    assert judging.last_note()["outcome"] == "refused"
    assert dispute(judging, "op-1", "kyiv-2", "empathy_shown") == 404  # a colleague's
    assert judging.person("op-1").get("/dispute/company_named/kyiv-2").status_code == 404
    for criterion in ("greeting", "anything_else", "hold_announced", "nothing", "' or 1=1"):  # passed, unsure, did not apply
        assert dispute(judging, "op-1", "kyiv-1", criterion) == 404
        assert judging.person("op-1").get(f"/dispute/{criterion}/kyiv-1").status_code == 404
    operator = judging.person("op-2")
    for reason, said in (("short", "at least 10"), ("x" * 1001, "too long")):
        answer = operator.send("/dispute", call_id="irkutsk-2", criterion_id="abuse_procedure", reason=reason)
        assert answer.status_code == 400 and said in answer.text
    monkeypatch.setattr(disputes, "present", lambda: time.time() + 15 * 86400)
    assert operator.send("/dispute", call_id="irkutsk-2", criterion_id="abuse_procedure", reason=REASON).status_code in (400, 404)
    assert "/dispute/" not in operator.get("/calls/irkutsk-2").text
    assert judging.store.rows("select 1 from disputes where criterion_id = 'abuse_procedure'") == []


def test_who_may_not_dispute_or_decide_is_refused_and_noted(judging: People) -> None:
    dispute(judging, "op-2", "irkutsk-2", "abuse_procedure")
    number = find(judging, "irkutsk-2", "abuse_procedure")["dispute_id"]
    for name in ("op-1", "op-2", "trainer", "analyst"):
        person = judging.person(name)
        assert person.get("/disputes").status_code == person.get(f"/disputes/{number}").status_code == 403
        assert person.send(f"/disputes/{number}", decision="uphold", verdict="na", reason=REASON).status_code == 403
        assert judging.last_note()["outcome"] == "refused"
    for name in ("manager", "trainer", "analyst"):
        assert judging.person(name).get("/my-disputes").status_code == dispute(judging, name, "kyiv-1", "farewell") == 403
    whole = judging.person("whole")  # a manager of another centre
    assert whole.get(f"/disputes/{number}").status_code == 404
    assert whole.send(f"/disputes/{number}", decision="uphold", verdict="na", reason=REASON).status_code == 404
    assert "irkutsk-2" not in whole.get("/disputes").text
    manager = judging.person("manager")
    for wrong in ("999", "-1", "abc", "99999999999999999999999"):
        assert manager.get(f"/disputes/{wrong}").status_code in (400, 404)
    assert manager.send(f"/disputes/{number}", token="0" * 64, decision="reject", reason=REASON).status_code == 403
    assert judging.person("op-2").client.post("/dispute", data={"call_id": "irkutsk-2"}).status_code == 403
    assert manager.send(f"/disputes/{number}", decision="reject", reason="я" * 40_000).status_code == 413
    assert judging.stranger().get("/disputes").status_code == 303
    assert judging.store.rows("select 1 from dispute_decisions where dispute_id = ?", number) == []
    with pytest.raises(sqlite3.IntegrityError, match="append only"), judging.store.writing() as db:
        db.execute("update disputes set reason = ''")


def test_an_upheld_dispute_is_a_case_without_anybody_in_it_that_the_rules_must_meet(
    judging: People, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with judging.app.state.site.snapshot.read() as published:
        call = published.rows("select * from calls where call_id = 'kyiv-1'")[0]
        kept = regression_cases.freeze(published, b"key", call, "company_named", "pass", "fail")
        wrong = regression_cases.freeze(published, b"key", call, "farewell", "pass", "fail")
    text = kept["case_json"]
    for personal in ("kyiv-1", "op-1", "c-1", "Олена", "2026", ".wav", call["recording_sha256"]):
        assert personal not in text, personal
    assert "[ACCOUNT]" in text and "Марія" in text
    case = json.loads(text)
    assert regression_cases.replay(case).is_met and regression_cases.replay(case).verdict == "pass"
    with judging.store.writing() as db:
        db.execute("delete from regression_cases")
        for one in (kept, wrong):
            db.execute("insert into regression_cases values (?, 0, ?)", [one["case_id"], one["case_json"]])
    warehouse = str(judging.app.state.site.settings.warehouse)
    assert main(["cases", str(tmp_path / "cases"), "--warehouse", warehouse]) == 1  # one expects a verdict that no rule gives
    said = capsys.readouterr().out
    assert said.count("new: ") == 2 and f"not met: {wrong['case_id']} kyiv farewell: expected pass, the rules say" in said
    assert "2 cases" in said and "1 met, 1 not met" in said
    (tmp_path / "cases" / f"{wrong['case_id']}.yaml").unlink()
    file = tmp_path / "cases" / f"{kept['case_id']}.yaml"
    assert yaml.safe_load(file.read_text(encoding="utf-8")) == case
    with judging.store.writing() as db:
        db.execute("delete from regression_cases where case_id = ?", [wrong["case_id"]])
    assert main(["cases", str(tmp_path / "cases"), "--warehouse", warehouse]) == 0
    assert "new: " not in capsys.readouterr().out
    file.write_text("format: 7\n", encoding="utf-8")
    assert main(["cases", str(tmp_path / "cases"), "--warehouse", warehouse]) == 2


CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.yaml"))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_rules_meet_every_case_that_was_upheld(file: Path) -> None:
    outcome = regression_cases.replay(next(case for case in regression_cases.read_cases(file.parent) if case["case_id"] == file.stem))
    assert outcome.is_met, outcome


def test_a_dispute_is_forgotten_with_its_call_and_the_case_stays(judging: People) -> None:
    kept = len(judging.store.rows("select * from regression_cases"))
    erasure.forget(judging.app.state.site.settings, [ForgottenCall("kyiv-2", None)], on_request=False)
    assert (
        judging.store.rows("select 1 from disputes where call_id = 'kyiv-2'")
        == judging.store.rows("select 1 from dispute_decisions where call_id = 'kyiv-2'")
        == []
    )
    assert len(judging.store.rows("select * from regression_cases")) == kept
