"""PDF reports, read back: in every language, access-checked and recorded like every other export, and a centre always on one page."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any

import pypdf
import pytest

from pipelines.i18n.wording import LANGUAGES, wording
from pipelines.queries import trends
from pipelines.queries.scorecards import QuestionCard
from pipelines.reports import pdf
from pipelines.trends.week_changes import WeekChange
from tests.web.people import People
from tests.web.test_manager_routes import week


def read(content: bytes) -> tuple[int, str]:
    """How many pages there are, and their words with single spaces."""
    document = pypdf.PdfReader(io.BytesIO(content))
    return len(document.pages), " ".join(" ".join(page.extract_text() for page in document.pages).replace("\u00a0", " ").split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_centre_and_an_operator_can_be_taken_along_on_paper(people: People, language: str) -> None:
    w, analyst = wording(language), people.person("analyst")
    analyst.client.headers["accept-language"] = language
    pages, words = read(analyst.get("/centres/kyiv/export.pdf").content)
    assert pages == 1
    assert "Київські енергетичні послуги" in words and w.pct(75).replace("\u00a0", " ") in words
    assert w("week_title") in words and w("centre_asks") in words and w("criteria_title") in words
    assert people.last_note() == {"account_name": "analyst", "action": "exported", "outcome": "done", "subject": "kyiv.pdf", "centre_id": "kyiv"}  # fmt: skip
    answer = analyst.get("/operator-scorecards/kyiv/op-2")
    pages, words = read(answer.content)
    assert pages == 1 and f"{w('operator')} op-2" in words and "kyiv-2" in words and "kyiv-1" not in words and "op-1" not in words
    assert answer.headers["content-disposition"] == 'attachment; filename="callgrade-kyiv-op-2.pdf"'
    assert people.last_note()["subject"] == "kyiv/op-2.pdf"


def test_an_operators_moments_stand_there_with_their_words(people: People) -> None:
    words = read(people.person("manager").get("/operator-scorecards/kyiv/op-2").content)[1]
    assert "Прошу без образ" in words and "good example" in words


def test_what_is_not_theirs_is_refused_and_noted(people: People) -> None:
    for name, path, status in (
        ("trainer", "/centres/kyiv/export.pdf", 403), ("op-1", "/operator-scorecards/kyiv/op-1", 403), ("analyst", "/centres/odesa/export.pdf", 404),
        ("analyst", "/operator-scorecards/irkutsk/op-1", 404), ("analyst", "/operator-scorecards/kyiv/nobody", 404), ("analyst", "/operator-scorecards/kyiv/../../etc/passwd", 404),
    ):  # fmt: skip
        assert people.person(name).get(path).status_code == status, path
        assert people.last_note()["outcome"] == "refused", path


def test_a_hostile_name_is_nothing_but_a_name(people: People) -> None:
    answer = people.person("admin").get("/operator-scorecards/odesa/..%2Fop%3C3")
    assert "../op<3" in read(answer.content)[1]
    assert answer.headers["content-disposition"] == 'attachment; filename="callgrade-odesa-___op_3.pdf"'


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_centre_is_one_page_however_much_it_has_and_the_same_bytes_each_time(language: str) -> None:
    w = wording(language)
    weeks: list[Any] = [week(date.fromordinal(739_000 + 7 * n), 60 + n, 6) for n in range(trends.WEEKS_SHOWN)]
    counts = {"passed": 41, "failed": 7, "unsure": 3}
    changes = [
        WeekChange("score", 61.2, 70.3, "worse"),
        *(WeekChange(f"n_{n}", 6.0, 5.0, "same", (6, 100, 5, 100)) for n in ("critical", "abusive", "review")),
    ]
    values = {
        "centre": {"name": "Nagyon hosszú nevű kapcsolati központ, Üzemviteli és Űrügyi Osztály"}, "period": "2026", "weeks": weeks,
        "total": {
            "operators": 12_345, "score_pct": 71.2, "score_low_pct": 70.1, "score_high_pct": 72.3, "scored": 99_999, "graded": 99_999, "received": 123_456,
            "needs_review": 4_321, "auto_fails": 77, "abusive_calls": 1_234, "coverage_pct": 88.8, "aht_s": 321,
        },
        "criteria": [counts | {"title": f"{w('n_abusive_heard')} {n}"} for n in range(30)],
        "answers": [QuestionCard(w("q_exposure"), w("q_nobody_upset"), [(w("n_coverage"), "12")] * 6) for _ in range(12)],
        "topics": [{"topic": w("q_callbacks"), "calls": n} for n in range(20, 1, -1)], "drawing": trends.draw(weeks),
        "changed": {"rows": changes, "criteria": [(w("q_rest_none"), c) for c in changes]},
    }  # fmt: skip
    ledger = [{"status": status, "status_reason": "x"} for status in ("quarantined", "unscoreable") for _ in range(9)]
    made = pdf.centre_page(values, ledger, date(2026, 4, 1), w)
    pages, words = read(made)
    assert pages == 1 and "Űrügyi" in words and w.date(datetime(2026, 4, 1)) in words and f"{w('n_abusive_heard')} 29" in words
    assert made == pdf.centre_page(values, ledger, date(2026, 4, 1), w)
