"""A site published once for all page tests: generated calls, rejected ones, a call with script injection, and clips."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page

from pipelines import warehouse
from pipelines.app_db import accounts
from pipelines.core.profile_files import PACKAGED
from pipelines.core.records import Rejection
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import ROOT, Settings
from pipelines.reports import static_pages
from pipelines.scorecards import drafts
from pipelines.web.app import make_app
from tests.web.browser import DESKTOP, PHONE, Observed, launch_chromium
from tests.web.made_calls import Made, cut_clips, load_and_publish, record, some_calls
from tests.web.people import ACCOUNTS, HOST, LIMITS, PASSWORD, People
from tests.web.served import served

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a run whose pages and clips are there."""
    folder = tmp_path_factory.mktemp("site")
    settings = Settings.from_environment(warehouse=folder / "site.duckdb")
    hostile = Made(
        "odesa/2 <b>", "odesa", "uk", [("operator", "Добрий день."), ("client", f"{HOSTILE} {{{{ 7*7 }}}} <img src=x onerror=alert(1)>")],
        operator_id="../op<3", topic="complaint", verdicts=[("greeting", "pass", 1, "")],
    )  # fmt: skip
    rejected = [
        Rejection.because(Reason(Key.EMPTY, file="kyiv-9.wav"), "intake", "kyiv-9", "kyiv", "kyiv-9.wav", None),
        Rejection("nobody-1", "intake", "quarantined", "The log names the centre 'xyz', which has no profile.", None, "x.wav"),
    ]
    calls = [*some_calls(), hostile]
    recordings = {made.call_id: record(made, folder / "recordings") for made in calls if made is not hostile}
    load_and_publish(settings, calls, rejected, folder / "recordings")
    cut_clips(settings, recordings)
    warehouse.publish(settings)
    static_pages.publish_pages(settings)
    return settings


@pytest.fixture(scope="session")
def scorecards(site: Settings) -> Path:
    return site.scorecards


@pytest.fixture(scope="session")
def people(site: Settings) -> Iterator[People]:
    """The web application on that site, with an account of every role; passwords are hashed as cheaply as can be."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        app = make_app(site, {HOST}, limits=LIMITS)
        for name, (role, centres, operator_id) in ACCOUNTS.items():
            accounts.add(app.state.site.store, name, role, PASSWORD, centres, operator_id, hears_personal_data=name == "whole")
        with TestClient(app):  # its life as a server
            found = People(app)
            found.show_results(*ACCOUNTS)  # blind reviews have a site of their own
            yield found


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a published run that only the machine has judged, to be copied."""
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("judged") / "judged.duckdb")
    load_and_publish(settings, some_calls())
    return settings


@pytest.fixture(scope="module")
def judging(judged: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """The application on a site of its own, where people judge calls and dispute points: other tests keep the machine's scores."""
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("judging") / "judged.duckdb")
    shutil.copy(judged.warehouse, settings.warehouse)
    shutil.copytree(judged.site, settings.site)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        app = make_app(settings, {HOST}, limits=LIMITS)
        more = {name: ("manager", ["kyiv", "irkutsk"], None) for name in ("second", "third")} | {
            "op-2": ("operator", ["kyiv", "irkutsk"], "op-2")
        }
        for name, (role, centres, operator_id) in (ACCOUNTS | more).items():
            accounts.add(app.state.site.store, name, role, PASSWORD, centres, operator_id)
        with TestClient(app):
            yield People(app)


@pytest.fixture
def profiles(judging: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the profile of Kyiv, in which versions of `judging` are activated; no draft is left of an earlier test."""
    monkeypatch.setenv("CALLGRADE_CENTRES", str(tmp_path))
    (tmp_path / "kyiv.yaml").write_bytes((ROOT / PACKAGED / "kyiv.yaml").read_bytes())
    for name in ("kyiv", "irkutsk"):
        drafts.discard_draft(judging.store, name, "manager")
    judging.show_results("manager", "second")
    return tmp_path


@pytest.fixture(scope="module")
def address(site: Settings, people: People) -> Iterator[str]:
    """Where that application is served over HTTP; the accounts are those of `people`."""
    with served(site) as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch_chromium() as launched:
        yield launched


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A desktop window with no cookies and nothing cached."""
    with browser.new_page(viewport=DESKTOP) as opened:
        yield opened


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """The same on a phone."""
    with browser.new_page(viewport=PHONE, is_mobile=True) as opened:
        yield opened


@pytest.fixture
def observed(page: Page) -> Observed:
    return Observed(page)
