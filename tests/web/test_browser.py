from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.core.settings import Settings
from tests.web import chromium
from tests.web.chromium import open_page, take_picture, width_of

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason=chromium.MISSING)


def some_pages(scorecards: Path) -> list[Path]:
    return [scorecards / name for name in ("index.html", "centres/kyiv.html", "operators/kyiv/op-2.html", "calls/kyiv-2.html")]


def test_pages_open_from_a_file_without_a_request_or_a_complaint(scorecards: Path) -> None:
    for page in some_pages(scorecards):
        opened = open_page(page.as_uri())
        assert opened.requests == []
        assert opened.complaints == []
        assert re.search(r'<button class="tone" type="button"(?! hidden)', opened.document), "the page's own script ran"


def test_a_hostile_transcript_runs_nothing(scorecards: Path) -> None:
    page = next(p for p in (scorecards / "calls").glob("odesa_2*.html"))
    opened = open_page(page.as_uri())
    assert opened.requests == [] and opened.complaints == []
    assert "&lt;script&gt;alert" in opened.document


def test_a_clip_plays_from_the_file_system(site: Settings) -> None:
    page = site.scorecards / "calls" / "kyiv-2.html"
    eager = page.with_name("eager.html")
    eager.write_text(page.read_text(encoding="utf-8").replace('preload="none"', 'preload="auto"'), encoding="utf-8")
    try:
        opened = open_page(eager.as_uri())
    finally:
        eager.unlink()
    assert 'preload="auto"' in opened.document
    assert opened.complaints == []  # the page's policy lets the clip load


@pytest.mark.parametrize("window", [360, 1280])
def test_pages_fit_a_phone_and_a_desk(scorecards: Path, window: int) -> None:
    for page in some_pages(scorecards):
        wide, room = width_of(page.as_uri(), window)
        assert wide <= room, f"{page.name} is {wide} px wide in {room}"


def test_light_and_dark_look_different(scorecards: Path, tmp_path: Path) -> None:
    page = (scorecards / "index.html").as_uri()
    light, dark = (take_picture(page, tmp_path / f"{tone}.png", 900, 700, dark=tone == "dark") for tone in ("light", "dark"))
    assert light.read_bytes() != dark.read_bytes()
