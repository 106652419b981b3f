"""A manager evaluates a call blind, an operator disputes a point, the manager upholds it: in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.web.browser import DESKTOP, PHONE, Observed, follow, is_too_wide, needs_chromium
from tests.web.people import People
from tests.web.served import assert_clean, look, served, sign_in

pytestmark = needs_chromium


def test_from_a_blind_form_to_an_upheld_dispute(page: Page, observed: Observed, judging: People) -> None:
    with served(judging.app.state.site.settings) as address:
        sign_in(page, address, "third", "en")
        page.goto(f"{address}/centres/irkutsk/calibration")
        follow(page.locator(".queue a[href^='/evaluate/']").first)
        page.check("input[name=verdict_greeting][value=pass]")
        page.click("#turn-1 .pick")  # the quote goes to the criterion that is worked on
        expect(page.locator("[name=turn_greeting]")).to_have_value("1")
        expect(page.locator("[data-count]")).to_have_text(re.compile("^Answered: 1 /"))
        look(page, "manager-evaluate", whole=True)
        follow(page.locator("form .actions button.main"))
        said = page.eval_on_selector_all(".verdict-source > div", "lines => lines.map(line => line.className)")
        assert said == ["", "counts"]  # the automatic verdict, then the human one
        look(page, "manager-compared", whole=True)
        page.goto(f"{address}/centres/irkutsk/calibration")
        look(page, "manager-calibration", whole=True)
        page.set_viewport_size(PHONE)
        for path in ("/centres/irkutsk/calibration", "/evaluate/irkutsk-1", "/compared/irkutsk-1", "/disputes"):
            page.goto(address + path)
            assert not is_too_wide(page), path
        look(page, "manager-disputes-phone")
        page.set_viewport_size(DESKTOP)

        sign_in(page, address, "op-1", "ru")
        page.goto(f"{address}/calls/kyiv-1")
        follow(page.locator("#criterion-farewell a[href^='/dispute/']"))
        page.fill("#f-reason", "Попрощался, послушайте последние слова.")
        look(page, "operator-dispute", whole=True)
        follow(page.locator("form.fields button.main"))
        expect(page).to_have_url(re.compile("/my-disputes$"))

        judging.show_results("second")
        sign_in(page, address, "second", "uk")
        expect(page.locator(".main-menu .count")).to_have_text("1")
        follow(page.locator(".main-menu a[href='/disputes']"))
        follow(page.locator(".queue a.strong").first)
        page.check("input[name=decision][value=uphold]")
        page.fill("#f-turn", "3")
        page.fill("#f-reason", "Почуто, справді попрощався.")
        look(page, "manager-dispute", whole=True)
        follow(page.locator("form.fields button.main"))

        sign_in(page, address, "op-1", "hu")
        expect(page.locator(".main-menu .count")).to_have_text("1")
        follow(page.locator(".main-menu a[href='/my-disputes']"))
        look(page, "operator-disputes")
        page.goto(f"{address}/calls/kyiv-1")
        expect(page.locator("#criterion-farewell .person")).to_contain_text("second")
        look(page, "operator-call-upheld", whole=True)
        assert_clean(observed, address)
