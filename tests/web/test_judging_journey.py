"""A manager evaluates a call blind, an operator disputes a point, the manager upholds it: in a real browser."""

from __future__ import annotations

import pytest

from tests.web import chromium
from tests.web.browser import Browser
from tests.web.people import People
from tests.web.served import assert_clean, look, served, sign_in

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason=chromium.MISSING)


def test_from_a_blind_form_to_an_upheld_dispute(judging: People) -> None:
    with served(judging.app.state.site.settings) as address, Browser() as browser:
        sign_in(browser, address, "third", "en")
        browser.go(f"{address}/centres/irkutsk/calibration")
        browser.leave_by(".queue a[href='/evaluate/irkutsk-2'], .queue a[href^='/evaluate/']")
        browser.click("input[name=verdict_greeting][value=pass]")
        browser.click("#turn-1 .pick")  # the quote goes to the criterion that is worked on
        assert browser.run("document.querySelector('[name=turn_greeting]').value") == "1"
        assert browser.run("document.querySelector('[data-count]').textContent.startsWith('Answered 1 /')")
        look(browser, "manager-evaluate", whole=True)
        browser.leave_by("form .actions button.main")
        said = browser.run("[...document.querySelectorAll('.said-by > div')].map(line => line.className)")
        assert said == ["", "counts"]  # the machine, then the person
        look(browser, "manager-compared", whole=True)
        browser.go(f"{address}/centres/irkutsk/calibration")
        look(browser, "manager-calibration", whole=True)
        for path in ("/centres/irkutsk/calibration", "/evaluate/irkutsk-1", "/compared/irkutsk-1", "/disputes"):
            browser.resize(360, 800)
            browser.go(address + path)
            assert not browser.is_wider_than_its_window(), path
        look(browser, "manager-disputes-phone")
        browser.resize(1280, 900)

        sign_in(browser, address, "op-1", "ru")
        browser.go(f"{address}/calls/kyiv-1")
        browser.leave_by("#criterion-farewell a[href^='/dispute/']")
        browser.fill("#f-reason", "Попрощался, послушайте последние слова.")
        look(browser, "operator-dispute", whole=True)
        browser.leave_by("form.fields button.main")
        assert browser.run("location.pathname") == "/my-disputes"

        judging.show_results("second")
        sign_in(browser, address, "second", "uk")
        assert browser.run("document.querySelector('.rooms .count').textContent") == "1"
        browser.leave_by(".rooms a[href='/disputes']")
        browser.leave_by(".queue a.strong")
        browser.click("input[name=decision][value=uphold]")
        browser.fill("#f-turn", "3")
        browser.fill("#f-reason", "Почуто, справді попрощався.")
        look(browser, "manager-dispute", whole=True)
        browser.leave_by("form.fields button.main")

        sign_in(browser, address, "op-1", "hu")
        assert browser.run("document.querySelector('.rooms .count').textContent") == "1"
        browser.leave_by(".rooms a[href='/my-disputes']")
        look(browser, "operator-disputes")
        browser.go(f"{address}/calls/kyiv-1")
        assert "second" in browser.run("document.querySelector('#criterion-farewell .person').textContent")
        look(browser, "operator-call-upheld", whole=True)
        assert_clean(browser, address)
