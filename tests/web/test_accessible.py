"""Pages that keep nobody out: in the dark, in every language, on a narrow phone. The journeys ask the same of each of their steps in the light."""

from __future__ import annotations

import pytest

from pipelines.app_db import accounts
from pipelines.i18n.wording import LANGUAGES
from tests.web import chromium
from tests.web.accessible import barriers
from tests.web.browser import Browser
from tests.web.people import People
from tests.web.served import sign_in

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason=chromium.MISSING)

# by role: the pages that are seen in all four languages, light and dark in turn, and the others, which take turns in all of that
PAGES = {
    "manager": (
        ("/centres/kyiv", "/calls/kyiv-2", "/care/kyiv"),
        ("/centres/kyiv/queue", "/centres/kyiv/queue?kind=sample", "/centres/kyiv/operators?by=month", "/centres/irkutsk/calibration", "/evaluate/irkutsk-1",
         "/compared/irkutsk-2", "/disputes", "/operators/kyiv/op-2", "/audit", "/me", "/nothing"),
    ),
    "trainer": (("/trainer",), ("/trainer/moments?criterion=greeting",)),
    "op-1": (("/operators/kyiv/op-1",), ("/calls/kyiv-1", "/dispute/farewell/kyiv-1", "/my-disputes", "/my-packs")),
    "admin": ((), ("/", "/accounts", "/accounts/1", "/accounts/2")),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_pages_keep_nobody_out(browser: Browser, address: str, people: People, name: str) -> None:
    main, others = PAGES[name]
    sign_in(browser, address, name)
    account = accounts.named(people.store, name)
    asked = [(path, n) for path in main for n in range(4)] + list(zip(others, range(1, 99), strict=False))
    found = []
    try:
        for path, n in asked:
            language = LANGUAGES[n % 4]
            accounts.set_language(people.store, account, language)
            browser.dress(dark=n % 2 == 1)
            browser.resize(360, 800)
            browser.go(address + path)
            assert browser.run("document.documentElement.lang") == language
            if browser.is_wider_than_its_window():
                found.append(f"{path} {language}: wider than a phone")
            browser.resize(1280, 900)
            found += [f"{path} {language} {line}" for line in barriers(browser)]
    finally:
        browser.dress(dark=False)
        accounts.set_language(people.store, account, None)
        browser.complaints.clear()  # the browser itself notes the page that is not there
    assert found == []


def test_a_barrier_would_be_found(browser: Browser, address: str) -> None:
    sign_in(browser, address, "manager")
    browser.run(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<p class=\"grey\">Nobody reads this</p><input type=\"text\">')"
    )
    browser.run("document.querySelector('.grey').style.color = '#bbb', 0")
    assert [line.split(":")[0] for line in barriers(browser)] == ["serious color-contrast", "critical label"]
