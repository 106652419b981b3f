"""A trainer and a manager with moments, packs and wellbeing pages, in a real browser; an exported pack opened from a folder."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.browser import DESKTOP, PHONE, Observed, follow, is_too_wide, needs_chromium
from tests.web.people import People
from tests.web.served import assert_clean, look, sign_in

pytestmark = needs_chromium


def test_a_trainer_takes_a_proposed_pack_plays_it_adds_a_moment_and_takes_it_along(
    page: Page, observed: Observed, address: str, people: People, tmp_path: Path
) -> None:
    sign_in(page, address, "trainer")
    page.goto(f"{address}/trainer")
    look(page, "trainer-packs", whole=True)
    follow(page.locator(".proposals button").first)
    pack = page.url
    before = page.locator(".moments > li").count()
    page.click("[data-play-all]")
    page.wait_for_function(
        "() => document.querySelector('.moments audio').currentTime > 0.3 && document.querySelector('.moments > li.now')"
    )
    look(page, "trainer-pack", whole=True)
    page.click("[data-play-all]")
    follow(page.locator("a[href^='/trainer/moments?pack=']").first)
    page.fill("#f-text", "очікування")
    follow(page.locator(".sieve button.main"))
    page.locator("a.hear").first.click()
    page.wait_for_selector("a.hear.playing")
    page.locator(".found input[type=checkbox]").first.check()
    look(page, "trainer-moments", whole=True)
    follow(page.locator(".keep button.main"))
    assert re.sub("[?#].*", "", page.url) == pack and page.locator(".moments > li").count() == before + 1
    page.set_viewport_size(PHONE)
    for url in (f"{address}/trainer", pack, f"{address}/trainer/moments?criterion=greeting", f"{address}/trainer/moments?act=hold_thanks"):
        page.goto(url)
        assert not is_too_wide(page), url
    page.set_viewport_size(DESKTOP)
    page.fill("#f-operator", "op-2")  # what was asked for before stays
    follow(page.locator(".sieve button.main"))
    expect(page.locator(".found b").first).to_have_text(page.locator("#f-act option:checked").inner_text())
    look(page, "trainer-moments-by-act", whole=True)
    assert_clean(observed, address)
    with zipfile.ZipFile(io.BytesIO(people.person("trainer").get(f"{pack.removeprefix(address)}/export.zip").content)) as archive:
        archive.extractall(tmp_path)
    observed.requests.clear()
    page.goto((tmp_path / "index.html").as_uri())
    page.wait_for_function("() => Array.from(document.querySelectorAll('audio')).every(a => a.duration > 1)")
    look(page, "pack-offline", whole=True)
    assert all(url.startswith(("file:", "data:")) for url in observed.requests) and observed.complaints == []


def test_a_manager_sees_who_needs_a_rest(page: Page, observed: Observed, address: str) -> None:
    sign_in(page, address, "manager")
    page.goto(f"{address}/care/kyiv")
    look(page, "care", whole=True)
    assert page.locator(".shifts li").count() >= 1
    page.set_viewport_size(PHONE)
    assert not is_too_wide(page)
    assert_clean(observed, address)
