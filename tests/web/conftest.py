"""A site published once for all tests of pages: the made-up calls, what was put aside, a call that tries to be a script, and clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import warehouse
from pipelines.records import PutAside
from pipelines.settings import Settings
from pipelines.web import pages
from tests.web.made_calls import Made, cut_clips, load_and_publish, record, some_calls

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a run whose pages and clips are there."""
    folder = tmp_path_factory.mktemp("site")
    settings = Settings.from_environment(warehouse=folder / "made.duckdb")
    hostile = Made(
        "odesa/2 <b>", "odesa", "uk", [("operator", "Добрий день."), ("client", f"{HOSTILE} {{{{ 7*7 }}}} <img src=x onerror=alert(1)>")],
        operator_id="../op<3", topic="complaint", verdicts=[("greeting", "pass", 1, "")],
    )  # fmt: skip
    put_aside = [
        PutAside("kyiv-9", "intake", "quarantined", "kyiv-9.wav is empty (0 bytes).", "kyiv", "kyiv-9.wav"),
        PutAside("nobody-1", "intake", "quarantined", "The log names the centre 'xyz', which has no profile.", None, "x.wav"),
    ]
    calls = [*some_calls(), hostile]
    load_and_publish(settings, calls, put_aside)
    cut_clips(settings, {made.call_id: record(made, folder / "recordings") for made in calls if made is not hostile})
    warehouse.publish(settings)
    pages.publish_pages(settings)
    return settings


@pytest.fixture(scope="session")
def scorecards(site: Settings) -> Path:
    return site.scorecards
