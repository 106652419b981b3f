from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipelines.core.settings import Settings
from tests.web.browser import Observed, is_too_wide, needs_chromium

pytestmark = needs_chromium


def some_pages(scorecards: Path) -> list[Path]:
    return [scorecards / name for name in ("index.html", "centres/kyiv.html", "operators/kyiv/op-2.html", "calls/kyiv-2.html")]


def open_file(page: Page, observed: Observed, file: Path) -> None:
    """Open a page from a file, let its own script run and its requests end: none goes anywhere, and nothing is complained about."""
    observed.requests.clear()
    page.goto(file.as_uri(), wait_until="networkidle")
    expect(page.locator("button.tone")).to_be_visible()
    assert observed.complaints == [] and page.console_messages() == []
    assert {url for url in observed.requests if not url.startswith("file:")} == set()


def test_pages_open_from_a_file_without_a_request_or_a_complaint(page: Page, observed: Observed, scorecards: Path) -> None:
    for file in some_pages(scorecards):
        open_file(page, observed, file)
        assert observed.requests == [file.as_uri()]


def test_a_hostile_transcript_runs_nothing(page: Page, observed: Observed, scorecards: Path) -> None:
    open_file(page, observed, next((scorecards / "calls").glob("odesa_2*.html")))
    assert "&lt;script&gt;alert" in page.content()


def test_a_clip_plays_from_the_file_system(page: Page, observed: Observed, site: Settings) -> None:
    file = site.scorecards / "calls" / "kyiv-2.html"
    eager = file.with_name("eager.html")
    eager.write_text(file.read_text(encoding="utf-8").replace('preload="none"', 'preload="auto"'), encoding="utf-8")
    try:
        open_file(page, observed, eager)
        page.wait_for_function(
            "() => document.querySelector('audio[preload=auto]').readyState === 4"
        )  # the page's policy lets the clip load
    finally:
        eager.unlink()
    assert observed.complaints == []


@pytest.mark.parametrize("window", [360, 1280])
def test_pages_fit_a_phone_and_a_desk(page: Page, scorecards: Path, window: int) -> None:
    page.set_viewport_size({"width": window, "height": 900})
    for file in some_pages(scorecards):
        page.goto(file.as_uri())
        assert not is_too_wide(page), file.name


def test_light_and_dark_look_different(page: Page, scorecards: Path) -> None:
    page.goto((scorecards / "index.html").as_uri())
    light = page.screenshot()
    page.emulate_media(color_scheme="dark")
    assert page.screenshot() != light
