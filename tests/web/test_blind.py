"""A reviewer of the random sample sees no automatic results, on any page, until the evaluation is submitted."""

from __future__ import annotations

import io
import re
import zipfile
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pipelines.app_db import accounts
from pipelines.core.published import Row
from pipelines.core.settings import Settings
from pipelines.reviews import blind
from pipelines.web.app import make_app
from tests.web.made_calls import Made, load_and_publish, some_calls
from tests.web.people import HOST, PASSWORD, People, Person
from tests.web.test_attacks import crawled

# the texts with which pages show a result, in English
TELLS = re.compile(
    r"\d ?%|critical failure|Undecided|needs review|evaluated by|warned|calmed|hung up|good example|to improve|Automatic verdict|insult",
    re.I,
)


def rows_of(page: str, call_id: str) -> list[str]:
    """The text of each table row and list item that names or links a call."""
    rows = re.findall(r"<(?:tr|li)\b(?:(?!</?(?:tr|li)\b).)*</(?:tr|li)>", page, re.S)
    return [unescape(re.sub(r"<[^>]+>", " ", row)) for row in rows if call_id in row]


def machine_words(people: People, call_id: str) -> set[str]:
    """The quotes and explanations of a call's results."""
    with people.app.state.site.snapshot.read() as published:
        results = published.of_calls("criterion_results", [call_id], "criterion_id")
        findings = published.of_calls("findings", [call_id], "finding_no", more="kind in ('abuse', 'forbidden_phrase')")
    said = [row["quote"] for row in (*results, *findings)] + [row["explanation"] for row in results]
    return {text for text in said if text and len(text) > 6}


def cells(answer: bytes, call_id: str) -> int:
    """How many cells of a call's row in the first sheet of a workbook are filled."""
    with zipfile.ZipFile(io.BytesIO(answer)) as archive:
        strings = re.findall(r"<si>.*?</si>", archive.read("xl/sharedStrings.xml").decode(), re.S)
        number = next(n for n, text in enumerate(strings) if f">{call_id}<" in text)
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    row = next(row for row in re.findall(r"<row .*?</row>", sheet, re.S) if f"<v>{number}</v>" in row.split("</c>")[0])
    return row.count("</c>")


def test_no_page_of_a_reviewer_tells_a_result_of_the_sample(judging: People) -> None:
    reviewer, met = judging.person("second"), 0
    calls = ("kyiv-1", "kyiv-2", "irkutsk-1", "irkutsk-2")
    words = {text for call_id in calls for text in machine_words(judging, call_id)}
    pages = dict(crawled(reviewer)) | {
        path: reviewer.get(path).text
        for path in ("/centres/irkutsk/queue?kind=critical", "/trainer/moments?criterion=greeting", "/trainer/moments?finding=abuse",
                     "/trainer/moments?text=дякую", "/trainer/moments?outcome=calmed", "/trainer/moments?verdict=fail", "/care/kyiv", "/disputes")
    }  # fmt: skip
    for path, text in pages.items():
        assert not path.startswith(("/calls/", "/compared/")), path  # they lead on to the form
        for call_id in calls:
            for row in rows_of(text, call_id):
                assert not TELLS.search(row.replace(call_id, "")), f"{path}: {row}"
                met += 1
        if not path.startswith("/evaluate/"):  # the transcript is there to be judged
            assert not [said for said in words if said in unescape(text)], path
    assert met > 8
    sample = reviewer.get("/centres/kyiv/queue?kind=sample").text
    assert "kyiv-1" in sample and "blind" in sample and "await your blind evaluation: 2" in sample
    assert "kyiv-2" not in reviewer.get("/centres/kyiv/queue").text  # a list that the results selected does not hold it
    assert "kyiv-1" in reviewer.get("/operators/kyiv/op-1").text


@pytest.mark.parametrize("path", ["/calls/kyiv-2", "/compared/kyiv-2"])
def test_the_page_of_a_call_leads_to_its_form_until_it_is_submitted(judging: People, path: str) -> None:
    answer = judging.person("second").get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/evaluate/kyiv-2")
    for name in ("analyst", "trainer", "op-2"):
        assert judging.person(name).get("/calls/kyiv-2").status_code == 200  # who reviews nothing sees what the role sees


def test_an_export_leaves_the_results_of_the_sample_empty(judging: People) -> None:
    analyst, second = (judging.person(name).get("/centres/kyiv/export.xlsx").content for name in ("analyst", "second"))
    assert cells(second, "kyiv-2") < cells(analyst, "kyiv-2")


def test_a_dispute_of_a_withheld_call_waits_for_the_evaluation(judging: People) -> None:
    reason = "It was said in the first turn."
    assert judging.person("op-2").send("/dispute", call_id="irkutsk-2", criterion_id="greeting", reason=reason).status_code == 303
    number = judging.store.rows("select max(dispute_id) as n from disputes")[0]["n"]
    second = judging.person("second")
    assert (
        "irkutsk-2" in second.get("/audit?action=disputed").text and "irkutsk-2 greeting" not in second.get("/audit?action=disputed").text
    )
    page = second.get("/disputes").text
    assert "Greeting" not in page and reason not in page and f"/disputes/{number}" in page
    assert second.get(f"/disputes/{number}").headers["location"] == "/evaluate/irkutsk-2"
    assert second.send(f"/disputes/{number}", decision="reject", reason=reason).headers["location"] == "/evaluate/irkutsk-2"
    assert judging.store.rows("select 1 from dispute_decisions where dispute_id = ?", number) == []


def test_a_moment_of_a_withheld_call_gets_into_no_pack(judging: People) -> None:
    second, key = judging.person("second"), "criterion:abuse_procedure:kyiv-2"
    assert second.send("/trainer/packs", title="x", centre="kyiv", moment=key).status_code == 404
    pack = judging.person("trainer").send("/trainer/packs", title="Lessons", centre="kyiv", moment=key).headers["location"]
    page = second.get(pack).text
    assert "to be evaluated blind" in page and "Прошу без образ" not in page and "Abuse procedure" not in page
    with zipfile.ZipFile(io.BytesIO(second.get(f"{pack}/export.zip").content)) as archive:
        assert "Прошу без образ" not in archive.read("index.html").decode()


def test_submitting_shows_the_results_and_counts_as_blind(judging: People) -> None:
    second = judging.person("second")
    assert second.send("/evaluate", call_id="kyiv-1", verdict_farewell="fail").headers["location"] == "/compared/kyiv-1"
    assert second.get("/calls/kyiv-1").status_code == 200 and "%" in " ".join(rows_of(second.get("/operators/kyiv/op-1").text, "kyiv-1"))
    kept = judging.store.rows("select is_blind from people_evaluations where call_id = 'kyiv-1'")
    assert kept == [{"is_blind": 1}]
    assert judging.person("third").get("/calls/kyiv-1").headers["location"] == "/evaluate/kyiv-1"  # everybody for themselves


def test_who_waives_the_blind_review_is_noted_and_no_longer_counts(judging: People) -> None:
    third = judging.person("third")
    assert third.send("/evaluate/waive", call_id="kyiv-2").headers["location"] == "/calls/kyiv-2"
    assert judging.last_note() == {
        "account_name": "third", "action": "blind_waived", "outcome": "done", "subject": "kyiv-2", "centre_id": "kyiv",
    }  # fmt: skip
    assert third.get("/calls/kyiv-2").status_code == 200
    third.send("/evaluate", call_id="kyiv-2", verdict_greeting="fail")
    assert judging.store.rows("select is_blind from people_evaluations where call_id = 'kyiv-2'") == [{"is_blind": 0}]
    assert third.send("/evaluate/waive", centre="irkutsk").headers["location"] == "/centres/irkutsk/queue?kind=sample"
    assert third.get("/calls/irkutsk-1").status_code == 200
    for centre_id in ("odesa", "nowhere", ""):
        assert third.send("/evaluate/waive", centre=centre_id).status_code == 404


def test_an_evaluation_that_was_begun_blind_stays_blind_when_the_sample_moves_on(judging: People, monkeypatch: pytest.MonkeyPatch) -> None:
    second = judging.person("second")
    assert second.send("/evaluate/draft", call_id="irkutsk-1", note_greeting="begun", verdict_greeting="fail").status_code == 200
    monkeypatch.setattr(blind, "sampled", lambda *_: [])
    assert second.get("/calls/irkutsk-1").headers["location"] == "/evaluate/irkutsk-1"
    assert second.get("/calls/kyiv-2").status_code == 200
    second.send("/evaluate", call_id="irkutsk-1", verdict_greeting="fail")
    assert judging.store.rows("select is_blind from people_evaluations where call_id = 'irkutsk-1'") == [{"is_blind": 1}]


def test_a_call_with_a_threat_is_never_withheld(tmp_path: Path) -> None:
    settings = Settings.from_environment(warehouse=tmp_path / "threat.duckdb")
    lines = [("operator", "Добрий день."), ("client", "Я приїду і вас приб'ю"), ("operator", "До побачення.")]
    threat = Made(
        "kyiv-threat", "kyiv", "uk", lines, abuse=[(2, "", "threat")], outcome="tolerated", verdicts=[("greeting", "pass", 1, "")]
    )
    load_and_publish(settings, [some_calls()[0], threat])
    app = make_app(settings, {HOST})
    accounts.add(app.state.site.store, "manager", "manager", PASSWORD, ["kyiv"])
    with TestClient(app):
        manager: Person = People(app).person("manager")
        assert manager.get("/calls/kyiv-threat").status_code == 200
        assert manager.get("/calls/kyiv-1").status_code == 303


def test_concealed_rows_stand_last_and_hold_no_result() -> None:
    rows: list[Row] = [
        {"call_id": call_id, "started_local": n, "score_pct": 10.0 * n, "auto_fail": n == 1, "unsure": ["greeting"], "people": ["x"]}
        for n, call_id in enumerate("abcd", 1)
    ]
    shown = blind.conceal(rows, {"a", "c"})
    assert [row["call_id"] for row in shown] == ["b", "d", "c", "a"]
    assert [(row["score_pct"], row["auto_fail"], row["unsure"], row["people"]) for row in shown[2:]] == [(None, None, [], [])] * 2
    assert blind.conceal(rows, frozenset()) == [row | {"is_withheld": False} for row in rows]
