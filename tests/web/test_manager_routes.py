"""Pages of a quality manager: calls to review, operators in groups, and a workbook."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core.confidence import share_interval
from pipelines.queries import trends
from pipelines.reports import excel
from pipelines.reviews import evaluations
from tests.web.people import People, title_of


def week(day: date, score: float, half: float, calls: int = 100, bad: int = 5) -> dict[str, object]:
    return {
        "period_start": day, "score_pct": score, "score_low_pct": score - half, "score_high_pct": score + half, "calls": calls, "graded": calls,
        "scored_calls": calls, "abusive_calls": bad, "auto_fails": bad, "needs_review": bad,
    }  # fmt: skip


@settings(deadline=None)  # the first interval imports scipy
@given(st.integers(0, 400), st.integers(0, 400))
def test_the_interval_of_a_share_holds_it_and_narrows_with_more_calls(part: int, more: int) -> None:
    whole = part + more
    low, high = share_interval(part, whole)
    assert 0 <= low <= high <= 1
    if whole:
        assert low - 1e-9 <= part / whole <= high + 1e-9
        wide, narrow = high - low, share_interval(part * 4, whole * 4)
        assert narrow[1] - narrow[0] < wide


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 100), st.floats(0, 60)), max_size=12, unique_by=lambda w: w[0]))
def test_weeks_are_drawn_inside_the_picture_in_order(made: list[tuple[int, float, float]]) -> None:
    shown = [week(date.fromordinal(738_000 + 7 * n), score, half) for n, score, half in sorted(made)]
    for w in shown:
        w["score_low_pct"], w["score_high_pct"] = max(w["score_low_pct"], 0.0), min(w["score_high_pct"], 100.0)  # type: ignore[type-var]
    drawing = trends.draw(shown)
    assert len(drawing.dots) == len(shown)
    assert all(trends.TOP - 0.1 <= d.top <= d.y + 0.1 and d.y <= d.bottom + 0.1 <= trends.HEIGHT for d in drawing.dots)
    assert [d.x for d in drawing.dots] == sorted(d.x for d in drawing.dots) and all(0 < d.x < trends.WIDTH for d in drawing.dots)


def test_a_centre_shows_what_needs_a_person_and_what_was_not_graded(people: People) -> None:
    page = people.person("manager").get("/centres/kyiv")
    assert title_of(page) == "Київські енергетичні послуги"
    assert "Needs review" in page.text and "kyiv-9.wav is empty" in page.text and "/centres/kyiv/queue" in page.text
    trainer = people.person("trainer").get("/centres/kyiv").text
    assert "/centres/kyiv/queue" not in trainer and "export.xlsx" not in trainer


def test_the_queue_has_its_three_kinds_and_remembers_who_reviewed(people: People) -> None:
    manager = people.person("manager")
    assert "kyiv-2" in manager.get("/centres/kyiv/queue").text
    critical = manager.get("/centres/irkutsk/queue?kind=critical").text
    assert "irkutsk-2" in critical and "irkutsk-1" not in critical
    assert title_of(manager.get("/centres/kyiv/queue?kind=<script>")) == "To review"
    answer = manager.send("/reviewed", "/calls/kyiv-2", call_id="kyiv-2")
    assert answer.headers["location"] == "/centres/kyiv/queue"
    assert people.last_note() == {
        "account_name": "manager",
        "action": "reviewed",
        "outcome": "done",
        "subject": "kyiv-2",
        "centre_id": "kyiv",
    }
    assert "Reviewed by manager" in manager.get("/centres/kyiv/queue").text and "Reviewed by manager" in manager.get("/calls/kyiv-2").text
    for call_id in ("odesa-1", "nothing", "kyiv-9", ""):
        assert manager.send("/reviewed", call_id=call_id).status_code == 404
        assert people.last_note()["action"] == "reviewed" and people.last_note()["outcome"] == "refused"


def test_the_sample_is_the_same_for_everybody_and_no_bigger_than_stated(people: People) -> None:
    with people.app.state.site.snapshot.read() as published:
        drawn = [evaluations.sample(published, people.store, "kyiv", date(2026, 3, 2), size) for size in (1, 1, 2)]
        assert evaluations.sample(published, people.store, "kyiv", date(2026, 3, 9)) == []
    ids = [[row["call_id"] for row in rows] for rows in drawn]
    assert ids[0] == ids[1] == ids[2][:1] and len(ids[2]) == 2


def test_operators_stand_in_groups_and_in_no_order_of_merit_within_one(people: People) -> None:
    page = people.person("analyst").get("/centres/kyiv/operators").text
    assert page.index("op-1") < page.index("Trainees") < page.index("op-2")
    for by in ("week", "month"):
        assert people.person("analyst").get(f"/centres/kyiv/operators?by={by}").status_code == 200
    assert people.person("analyst").get("/centres/kyiv/operators?start=yesterday").status_code == 400


def test_what_is_taken_out_is_a_workbook_and_is_noted(people: People) -> None:
    answer = people.person("analyst").get("/centres/kyiv/export.xlsx")
    assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
    assert people.last_note() == {
        "account_name": "analyst",
        "action": "exported",
        "outcome": "done",
        "subject": "kyiv.xlsx",
        "centre_id": "kyiv",
    }
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        words = archive.read("xl/sharedStrings.xml").decode()
    assert "kyiv-1" in words and "kyiv-9" in words and "irkutsk" not in words
    for name, path in (
        ("trainer", "/centres/kyiv/export.xlsx"),
        ("analyst", "/centres/odesa/export.xlsx"),
        ("analyst", "/centres/../kyiv/export.xlsx"),
    ):
        assert people.person(name).get(path).status_code in (403, 404)
        assert people.last_note()["outcome"] == "refused"


def test_a_workbook_never_runs_the_words_of_a_client() -> None:
    said = ["=cmd|' /C calc'!A0", "+1+1", "@SUM(1)", "-1", "https://evil.example", "\x00\x0b"]
    made = excel.workbook({"a": (("text", "at", "day", "number", "no"), [
        {"text": text, "at": datetime(2026, 3, 2, tzinfo=UTC), "day": date(2026, 3, 2), "number": 1.5, "no": None} for text in said
    ])})  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert not any("rels" in name and "worksheets" in name for name in archive.namelist())
        styles = archive.read("xl/styles.xml").decode()
    assert "<f>" not in sheet and "hyperlink" not in sheet
    quoted = [n for n, style in enumerate(re.findall(r"<xf .*?>", styles.split("<cellXfs")[1])) if 'quotePrefix="1"' in style]
    assert len(re.findall(rf'<c r="A\d+" s="{quoted[0]}" t="s"', sheet)) == 4  # as text when somebody edits the cell, too
    assert len(re.findall(r't="s"', sheet)) == len(said) + 5
