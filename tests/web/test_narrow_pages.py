"""No page is wider than a phone, in any language, with the font that is shipped and with a wide one in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.app_db import accounts
from pipelines.i18n.wording import LANGUAGES
from tests.web import chromium
from tests.web.browser import Browser
from tests.web.people import People
from tests.web.served import sign_in

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason=chromium.MISSING)

WIDTH = 360
PAGES = {
    "manager": (
        "/", "/centres/kyiv", "/centres/kyiv/queue", "/centres/kyiv/queue?kind=sample", "/centres/kyiv/operators?by=month", "/centres/irkutsk/calibration",
        "/calls/kyiv-2", "/evaluate/irkutsk-1", "/compared/irkutsk-2", "/operators/kyiv/op-2", "/care/kyiv", "/disputes", "/audit", "/me", "/nothing",
    ),
    "trainer": ("/trainer", "/trainer/moments?criterion=greeting"),
    "op-1": ("/operators/kyiv/op-1", "/calls/kyiv-1", "/dispute/farewell/kyiv-1", "/my-disputes", "/my-packs"),
    "admin": ("/", "/accounts"),
}  # fmt: skip
# DejaVu Sans is the widest font that systems commonly fall back to; where it is not installed, spacing makes any other as wide.
WIDE = "* { font-family: 'DejaVu Sans', Verdana, sans-serif !important; letter-spacing: .03em !important; }"


def too_wide(browser: Browser, rule: str = "") -> list[str]:
    """The elements that stick out of the window, innermost first; with a style rule that is added to the page."""
    if rule:
        browser.run(f"document.styleSheets[0].insertRule({rule!r}, document.styleSheets[0].cssRules.length)")
    if not browser.is_wider_than_its_window():
        return []
    found: list[str] = browser.run(
        f"""[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > {WIDTH} + 0.5 && !e.closest('.scroll')).reverse().slice(0, 3)
            .map(e => e.tagName + '.' + (e.className.baseVal ?? e.className) + ' ' + e.textContent.trim().slice(0, 40))"""
    )
    return found or ["the page"]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_a_phone_whatever_the_font(browser: Browser, address: str, people: People, name: str) -> None:
    sign_in(browser, address, name)
    account, found = accounts.named(people.store, name), []
    browser.resize(WIDTH, 800)
    try:
        for language in LANGUAGES:
            accounts.set_language(people.store, account, language)
            for path in PAGES[name]:
                browser.go(address + path)
                browser.run("document.fonts.ready.then(() => 0)")
                found += [f"{path} {language}: {what}" for what in too_wide(browser)]
                found += [f"{path} {language}, wide font: {what}" for what in too_wide(browser, WIDE)]
    finally:
        accounts.set_language(people.store, account, None)
        browser.resize(1280, 900)
        browser.complaints.clear()  # the browser itself notes the page that is not there
    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sign_in_page_fits_a_phone(browser: Browser, address: str, language: str) -> None:
    browser.call("Network.clearBrowserCookies")
    browser.resize(WIDTH, 800)
    browser.go(f"{address}/sign-in?language={language}")
    found = too_wide(browser) + too_wide(browser, WIDE)
    browser.resize(1280, 900)
    assert found == []


def test_pages_that_are_files_fit_a_phone_too(browser: Browser, scorecards: Path) -> None:
    browser.resize(WIDTH, 800)
    found = []
    for page in sorted(scorecards.rglob("*.html")):
        browser.go(page.as_uri())
        found += [f"{page.name}: {what}" for what in too_wide(browser) + too_wide(browser, WIDE)]
    browser.resize(1280, 900)
    assert found == []


def test_pages_bring_their_font_along(browser: Browser, address: str) -> None:
    sign_in(browser, address, "manager")
    browser.run("document.fonts.ready.then(() => 0)")
    loaded = browser.run("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family.replace(/\"/g, '') + ' ' + f.weight)")
    assert sorted(loaded) == ["Source Sans Pro 100 499", "Source Sans Pro 500 900"]
    assert browser.run("getComputedStyle(document.body).fontFamily").startswith('"Source Sans Pro"')
    assert all(url.startswith((address, "data:", "file:")) for url in browser.requests)
    assert browser.complaints == []
