"""What a trainer and a manager do with moments, packs and care, in a real browser; an exported pack opened from a folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.web import chromium
from tests.web.browser import Browser
from tests.web.people import People
from tests.web.served import assert_clean, look, sign_in

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason=chromium.MISSING)


def test_a_trainer_takes_a_proposed_pack_plays_it_adds_a_moment_and_takes_it_along(
    browser: Browser, address: str, people: People, tmp_path: Path
) -> None:
    sign_in(browser, address, "trainer")
    browser.go(f"{address}/trainer")
    look(browser, "trainer-packs", whole=True)
    browser.leave_by(".proposals button")
    path = browser.run("location.pathname")
    before = browser.run("document.querySelectorAll('.moments > li').length")
    browser.click("[data-play-all]")
    browser.until("document.querySelector('.moments audio').currentTime > 0.3 && document.querySelector('.moments > li.now')")
    look(browser, "trainer-pack", whole=True)
    browser.click("[data-play-all]")
    browser.leave_by("a[href^='/trainer/moments?pack=']")
    browser.fill("#f-text", "очікування")
    browser.leave_by(".sieve button.main")
    browser.click("a.hear")
    browser.until("document.querySelector('a.hear.playing')")
    browser.click(".found input[type=checkbox]")
    look(browser, "trainer-moments", whole=True)
    browser.leave_by(".keep button.main")
    assert browser.run("location.pathname") == path and browser.run("document.querySelectorAll('.moments > li').length") == before + 1
    for page in ("/trainer", path, "/trainer/moments?criterion=greeting", "/trainer/moments?act=hold_thanks"):
        browser.resize(360, 800)
        browser.go(address + page)
        assert not browser.is_wider_than_its_window(), page
    browser.resize(1280, 900)
    browser.fill("#f-operator", "op-2")  # what was asked for before stays
    browser.leave_by(".sieve button.main")
    assert browser.run("document.querySelector('#f-act').selectedOptions[0].text === document.querySelector('.found b').textContent")
    look(browser, "trainer-moments-by-act", whole=True)
    assert_clean(browser, address)
    with zipfile.ZipFile(io.BytesIO(people.person("trainer").get(f"{path}/export.zip").content)) as book:
        book.extractall(tmp_path)
    browser.requests.clear()
    browser.go((tmp_path / "index.html").as_uri())
    browser.until("Array.from(document.querySelectorAll('audio')).every(a => a.duration > 1)")
    look(browser, "pack-offline", whole=True)
    assert all(url.startswith(("file:", "data:")) for url in browser.requests) and browser.complaints == []
    browser.requests.clear()


def test_a_manager_sees_who_needs_a_rest(browser: Browser, address: str) -> None:
    sign_in(browser, address, "manager")
    browser.go(f"{address}/care/kyiv")
    look(browser, "care", whole=True)
    assert browser.run("document.querySelectorAll('.shifts li').length") >= 1
    browser.resize(360, 800)
    assert not browser.is_wider_than_its_window()
    browser.resize(1280, 900)
    assert_clean(browser, address)
