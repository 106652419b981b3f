"""Operator wellbeing: rests due, considerate clients, threats; who may see them, and that they affect no score."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from playwright.sync_api import Page

from pipelines.app_db import accounts
from pipelines.core.settings import ROOT, Settings
from pipelines.reports import wellbeing
from pipelines.web.app import make_app
from tests.web.accessible import barriers
from tests.web.browser import Observed, needs_chromium
from tests.web.made_calls import Made, load_and_publish, record
from tests.web.people import ACCOUNTS, HOST, PASSWORD, People
from tests.web.served import assert_clean, look, served, sign_in
from tests.web.test_call_routes import share_of_tone

MORNING = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)  # eight o'clock in Odesa
PLAIN = [("operator", "Добрий день, чим можу допомогти?"), ("client", "Підкажіть графік роботи.")]
KIND = [("operator", "Добрий день, слухаю вас."), ("client", "Дякую вам, ви дуже мені допомогли, [NAME]")]
THREAT = [
    ("operator", "Добрий день, слухаю."), ("client", "Мій телефон [PHONE] і я"), ("client", "приїду і вас приб'ю, <b>зрозуміли</b>"),
    ("operator", "Я завершую розмову. До побачення."),
]  # fmt: skip


def a_hard_day(start: datetime = MORNING) -> list[Made]:
    """One operator of Odesa hears abuse twice in a row, then takes three more calls; another hears it once and takes none; one of Kyiv is threatened."""
    insult = [("operator", "Добрий день."), ("client", "Ідіоти ви всі!"), ("operator", "Прошу без образ.")]
    at = {n: start + timedelta(minutes=2 * n) for n in range(10)}
    return [
        Made("odesa-1", "odesa", "uk", insult, at[0], "op-1", abuse=[(2, "Ідіоти ви всі!", "insult")], outcome="calmed", client_type="rude"),
        Made("odesa/2 threat", "odesa", "uk", THREAT, at[1], "op-1", abuse=[(3, "", "threat")], outcome="ended_without_warning", disconnect_party="operator"),
        Made("odesa-3", "odesa", "uk", PLAIN, at[2], "op-1"), Made("odesa-4", "odesa", "uk", KIND, at[3], "op-1", sentiment=(0.0, 0.9)),
        Made("odesa-5", "odesa", "uk", PLAIN, start + timedelta(minutes=20), "op-1"),
        Made("odesa-6", "odesa", "uk", insult, start + timedelta(hours=1), "op-2", abuse=[(2, "Ідіоти ви всі!", "insult")], outcome="tolerated"),
        Made("kyiv-1", "kyiv", "uk", THREAT, at[4], "op-1", abuse=[(3, "", "threat")], outcome="operator_at_fault"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def hard_site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("hard")
    settings = Settings.from_environment(warehouse=folder / "hard.duckdb")
    for made in a_hard_day():
        if "/" not in made.call_id:
            record(made, folder / "recordings")
    threat = a_hard_day()[1]
    (folder / "recordings" / "odesa").mkdir()
    record(threat, folder / "recordings")
    load_and_publish(settings, a_hard_day(), recordings=folder / "recordings")
    return settings


@pytest.fixture(scope="module")
def carers(hard_site: Settings) -> Iterator[People]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        app = make_app(hard_site, {HOST})
        centres = {"manager": ["odesa"], "whole": ["odesa"]}
        for name, (role, seen, operator_id) in ACCOUNTS.items():
            accounts.add(
                app.state.site.store, name, role, PASSWORD, centres.get(name, seen), operator_id, hears_personal_data=name == "whole"
            )
        with TestClient(app):
            yield People(app)


THREATENING = "odesa%2F2%20threat"


def test_exposure_is_reported_by_person_and_shift_with_a_rest_by_the_centres_rule(carers: People) -> None:
    with carers.app.state.site.snapshot.read() as published:
        rule = wellbeing.rule(published, "odesa")
        shifts = wellbeing.shifts(published, "odesa")
    assert rule is not None
    one, other = (next(s for s in shifts if s["operator_id"] == name) for name in ("op-1", "op-2"))
    assert (one["abusive_calls"], one["abusive_in_a_row"], one["calls_straight_on"]) == (2, 2, 3)  # the fifth came after a pause
    assert (one["rest_due_local"] is not None) == (rule["abusive_in_a_row"] <= 2)
    assert (other["abusive_calls"], other["calls_straight_on"], other["rest_due_local"]) == (1, 0, None)
    people = wellbeing.by_person(shifts)
    assert [p["operator_id"] for p in people] == ["op-1", "op-2"] and people[0]["abuse_exposure_s"] > people[1]["abuse_exposure_s"]
    page = carers.person("manager").get("/care/odesa").text
    assert f"after {rule['abusive_in_a_row']} abusive calls in a row" in page and "never counts in a score" in page
    if one["calls_after_rest_due"]:
        assert f"Break due at {one['rest_due_local']:%H:%M}" in page and f"calls taken after that: {one['calls_after_rest_due']}" in page


def test_kind_words_are_passed_on_masked(carers: People) -> None:
    with carers.app.state.site.snapshot.read() as published:
        published.rows("select 1")
        thanks = wellbeing.considerate(published, "odesa")
    assert {t["call_id"] for t in thanks} <= {"odesa-4"}  # an abusive client is not among them
    assert "[NAME]" not in carers.person("manager").get("/care/odesa").text


def test_the_evidence_of_a_threat_has_its_words_and_times_and_is_noted(carers: People, tmp_path: Path) -> None:
    manager = carers.person("manager")
    assert f'href="/care/threats/{THREATENING}"' in manager.get("/care/odesa").text
    page = manager.get(f"/care/threats/{THREATENING}").text
    assert carers.last_note() == {"account_name": "manager", "action": "evidence_opened", "outcome": "done", "subject": "odesa/2 threat", "centre_id": "odesa"}  # fmt: skip
    assert "приб&#39;ю" in page and "<b>зрозуміли" not in page and '<span class="chip" lang="en">phone</span>' in page
    for name, is_whole in (("manager", False), ("whole", True)):
        answer = carers.person(name).get(f"/care/evidence/{THREATENING}")
        assert answer.headers["content-disposition"] == 'attachment; filename="callgrade-evidence-odesa_2_threat.zip"'
        action = "exported_unmasked" if is_whole else "exported"
        assert (carers.last_note()["action"], carers.last_note()["account_name"]) == (action, name)
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        assert archive.namelist() == ["index.html", "evidence.json", "call.ogg"]
        said = json.loads(archive.read("evidence.json"))
        assert said["is_whole"] is is_whole and said["recording_sha256"] and said["operator_id"] == "op-1"
        threat = next(f for f in said["findings"] if f["severity"] == "threat")
        assert threat["quote"].startswith("приїду") and threat["end_s"] > threat["start_s"] > 0
        offline = archive.read("index.html").decode()
        assert "<script" not in offline and "<b>зрозуміли" not in offline and "http://" not in offline.replace("http://www.w3.org", "")
        before = said["turns"][1]  # where the telephone number is said
        covered = share_of_tone(archive.read("call.ogg"), tmp_path, before["start_s"] + 0.8, before["start_s"] + 1.15)
        assert (covered < 0.1) if is_whole else (covered > 0.9)


@pytest.mark.parametrize("path", ["/care/odesa", f"/care/threats/{THREATENING}", f"/care/evidence/{THREATENING}", "/care"])
def test_who_has_no_right_to_it_does_not_see_it(carers: People, path: str) -> None:
    for name in ("trainer", "analyst", "op-1"):
        assert carers.person(name).get(path).status_code == 403, name
        assert carers.last_note()["outcome"] == "refused"
    assert carers.stranger().get(path).status_code == 303


@pytest.mark.parametrize("path", [
    "/care/kyiv", "/care/threats/kyiv-1", "/care/evidence/kyiv-1", "/care/threats/odesa-1", "/care/evidence/odesa-3", "/care/evidence/..%2f..%2fpeople.sqlite3",
    "/care/threats/%00", "/care/threats/x' or '1'='1", "/care/..%2f", "/care/evidence/",
])  # fmt: skip
def test_other_peoples_calls_are_answered_as_if_they_were_not_there(carers: People, path: str) -> None:
    manager = carers.person("manager")
    answer, nothing = manager.get(path), manager.get("/care/threats/no-such-call")
    assert answer.status_code == 404 and carers.last_note()["outcome"] == "refused"
    strip = re.compile(r'value="/care[^"]*"')
    assert strip.sub("", answer.text) == strip.sub("", nothing.text)


def test_no_score_is_made_of_exposure_or_rest() -> None:
    """Nothing that adds up to a score reads the views of care."""
    scores = [
        file
        for name in ("operator_scores", "mix_effects", "evaluations", "criterion_results")
        for file in (ROOT / "sql").rglob(f"{name}.sql")
    ]
    assert len(scores) >= 4
    for file in scores:
        assert not re.search(r"operator_shifts|rest_rules|abuse_exposure", re.sub(r"--.*", "", file.read_text(encoding="utf-8"))), file


@needs_chromium
def test_the_page_of_a_threat_can_be_read_light_and_dark(page: Page, observed: Observed, carers: People) -> None:
    with served(carers.app.state.site.settings) as address:
        sign_in(page, address, "manager")
        page.goto(f"{address}/care/odesa")
        look(page, "care-hard-day", whole=True)
        page.goto(f"{address}/care/threats/{THREATENING}")
        look(page, "care-threat", whole=True)
        page.emulate_media(color_scheme="dark")  # a colour on itself is seen by axe in one of the two only
        assert barriers(page) == []
        assert_clean(observed, address)
