"""No page is wider than a phone, in any language, with the shipped font and with a wide fallback font."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from pipelines.app_db import accounts
from pipelines.i18n.wording import LANGUAGES
from tests.web.browser import PHONE, Observed, is_too_wide, needs_chromium
from tests.web.people import People
from tests.web.served import assert_clean, sign_in

pytestmark = needs_chromium

PAGES = {
    "manager": (
        "/", "/centres/kyiv", "/centres/kyiv/queue", "/centres/kyiv/queue?kind=sample", "/centres/kyiv/operators?period=month", "/calls", "/calls?topic=balance&open=yes", "/new-reasons/kyiv", "/trends/kyiv", "/trends/kyiv?period=custom&from=2026-03-01&to=2026-03-31", "/centres/irkutsk/calibration",
        "/calls/kyiv-2", "/evaluate/irkutsk-1", "/compared/irkutsk-2", "/operators/kyiv/op-2", "/care/kyiv", "/disputes", "/audit", "/me", "/nothing",
        "/scorecards", "/scorecards/kyiv", "/scorecards/kyiv/edit", "/scorecards/kyiv/edit/criteria/empathy_shown", "/scorecards/kyiv/edit/new-criterion",
        "/scorecards/kyiv/edit/topics/outage", "/scorecards/kyiv/regrade",
    ),
    "trainer": ("/trainer", "/trainer/moments?criterion=greeting"),
    "op-1": ("/operators/kyiv/op-1", "/calls/kyiv-1", "/dispute/farewell/kyiv-1", "/my-disputes", "/my-packs"),
    "admin": ("/", "/accounts", "/api-tokens"),
}  # fmt: skip
# DejaVu Sans is the widest font that systems commonly fall back to; where it is not installed, spacing makes any other as wide.
WIDE = "* { font-family: 'DejaVu Sans', Verdana, sans-serif !important; letter-spacing: .03em !important; }"


def too_wide(page: Page, rule: str = "") -> list[str]:
    """The elements that stick out of the window, innermost first; with a style rule that is added to the page."""
    if rule:
        page.evaluate("rule => { document.styleSheets[0].insertRule(rule, document.styleSheets[0].cssRules.length) }", rule)
    if not is_too_wide(page):
        return []
    found: list[str] = page.evaluate(
        f"""[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > {PHONE["width"]} + 0.5 && !e.closest('.scroll')).reverse().slice(0, 3)
            .map(e => e.tagName + '.' + (e.className.baseVal ?? e.className) + ' ' + e.textContent.trim().slice(0, 40))"""
    )
    return found or ["the page"]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_a_phone_whatever_the_font(phone: Page, address: str, people: People, name: str) -> None:
    sign_in(phone, address, name)
    account, found = accounts.named(people.store, name), []
    try:
        for language in LANGUAGES:
            accounts.set_language(people.store, account, language)
            for path in PAGES[name]:
                phone.goto(address + path)
                phone.evaluate("document.fonts.ready.then(() => 0)")
                found += [f"{path} {language}: {what}" for what in too_wide(phone)]
                found += [f"{path} {language}, wide font: {what}" for what in too_wide(phone, WIDE)]
    finally:
        accounts.set_language(people.store, account, None)
    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sign_in_page_fits_a_phone(phone: Page, address: str, language: str) -> None:
    phone.goto(f"{address}/sign-in?language={language}")
    found = too_wide(phone) + too_wide(phone, WIDE)
    assert found == []


def test_pages_that_are_files_fit_a_phone_too(phone: Page, scorecards: Path) -> None:
    found = []
    for page in sorted(scorecards.rglob("*.html")):
        phone.goto(page.as_uri())
        found += [f"{page.name}: {what}" for what in too_wide(phone) + too_wide(phone, WIDE)]
    assert found == []


def test_pages_include_their_font(page: Page, observed: Observed, address: str) -> None:
    sign_in(page, address, "manager")
    page.evaluate("document.fonts.ready.then(() => 0)")
    loaded = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family.replace(/\"/g, '') + ' ' + f.weight)")
    assert sorted(loaded) == ["Source Sans Pro 100 499", "Source Sans Pro 500 900"]
    assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith('"Source Sans Pro"')
    assert_clean(observed, address)
