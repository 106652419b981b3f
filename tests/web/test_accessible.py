"""Accessible pages: in dark mode, in every language, on a narrow phone.

The journeys check each of their steps in light mode.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from pipelines.app_db import accounts
from pipelines.i18n.wording import LANGUAGES
from tests.web.accessible import barriers
from tests.web.browser import DESKTOP, PHONE, is_too_wide, needs_chromium
from tests.web.people import People
from tests.web.served import sign_in

pytestmark = needs_chromium

# by role: the pages that are seen in all four languages, light and dark in turn, and the others, which take turns in all of that
PAGES = {
    "manager": (
        ("/centres/kyiv", "/calls/kyiv-2", "/care/kyiv", "/scorecards/kyiv", "/scorecards/kyiv/edit/criteria/empathy_shown"),
        ("/centres/kyiv/queue", "/centres/kyiv/queue?kind=sample", "/centres/kyiv/operators?period=month", "/trends/kyiv", "/calls", "/calls?topic=balance", "/new-reasons/kyiv", "/centres/irkutsk/calibration", "/evaluate/irkutsk-1",
         "/compared/irkutsk-2", "/disputes", "/operators/kyiv/op-2", "/audit", "/me", "/nothing", "/scorecards", "/scorecards/kyiv/edit", "/scorecards/kyiv/undo",
         "/scorecards/kyiv/edit/new-criterion", "/scorecards/kyiv/edit/topics/outage", "/scorecards/kyiv/edit/new-topic", "/scorecards/kyiv/regrade"),
    ),
    "trainer": (("/trainer",), ("/trainer/moments?criterion=greeting",)),
    "op-1": (("/operators/kyiv/op-1",), ("/calls/kyiv-1", "/dispute/farewell/kyiv-1", "/my-disputes", "/my-packs", "/scorecards/kyiv")),
    "admin": ((), ("/", "/accounts", "/api-tokens", "/accounts/1", "/accounts/2")),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_pages_keep_nobody_out(page: Page, address: str, people: People, name: str) -> None:
    main, others = PAGES[name]
    sign_in(page, address, name)
    account = accounts.named(people.store, name)
    asked = [(path, n) for path in main for n in range(4)] + list(zip(others, range(1, 99), strict=False))
    found = []
    try:
        for path, n in asked:
            language = LANGUAGES[n % 4]
            accounts.set_language(people.store, account, language)
            page.emulate_media(color_scheme="dark" if n % 2 else "light")
            page.set_viewport_size(PHONE)
            page.goto(address + path)
            assert page.get_attribute("html", "lang") == language
            if is_too_wide(page):
                found.append(f"{path} {language}: wider than a phone")
            page.set_viewport_size(DESKTOP)
            found += [f"{path} {language} {line}" for line in barriers(page)]
    finally:
        accounts.set_language(people.store, account, None)
    assert found == []


def test_a_barrier_would_be_found(page: Page, address: str) -> None:
    sign_in(page, address, "manager")
    page.locator("main").evaluate(
        "main => main.insertAdjacentHTML('beforeend', '<p class=\"grey\">Nobody reads this</p><input type=\"text\">')"
    )
    page.locator(".grey").evaluate("line => line.style.color = '#bbb'")
    assert [line.split(":")[0] for line in barriers(page)] == ["serious color-contrast", "critical label"]
