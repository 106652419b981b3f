"""A manager corrects the topic and a finding of a call and undoes it again, in a real browser, in four languages, on a desktop and a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from pipelines.app_db import accounts
from pipelines.reviews import corrections
from tests.web.browser import DESKTOP, PHONE, Observed, follow, is_too_wide, needs_chromium
from tests.web.people import People
from tests.web.served import assert_clean, look, served, sign_in

pytestmark = needs_chromium
WORDS = {
    "en": ("Debt", "Topic set by manager", "Automatic: balance.", "Marked as not correct by manager", "Undo correction"),
    "ru": ("Задолженность", "Тему указал(а): manager", "Автоматически: баланс.", "Отметил(а) как ошибку: manager", "Отменить исправление"),
    "uk": (
        "Заборгованість",
        "Тему вказав(ла): manager",
        "Автоматично: баланс.",
        "Позначив(ла) як помилку: manager",
        "Скасувати виправлення",
    ),
    "hu": ("Tartozás", "A témát megadta: manager", "Gépi eredmény: egyenleg.", "Tévesnek jelölte: manager", "Javítás visszavonása"),
}


def abusive(page: Page) -> Locator:
    """The finding of abuse on the page of a call."""
    return page.locator("li[id^='finding-']").filter(has=page.locator(".mark.abuse"))


def test_correct_a_topic_and_a_finding_and_undo_both(page: Page, observed: Observed, judging: People) -> None:
    judging.show_results("manager")
    with served(judging.app.state.site.settings) as address:
        sign_in(page, address, "manager")
        for language, (topic, set_by, machine, refuted_by, undo) in WORDS.items():
            accounts.set_language(judging.store, accounts.named(judging.store, "manager"), language)
            page.goto(f"{address}/calls/kyiv-1")
            assert page.get_attribute("html", "lang") == language
            page.select_option("#f-topic", "debt")
            follow(page.locator("form:has(#f-topic) button"))
            expect(page.locator("h1")).to_contain_text(topic)
            expect(page.locator("#corrected-topic")).to_contain_text(set_by)
            expect(page.locator("#corrected-topic")).to_contain_text(machine)
            look(page, f"manager-call-corrected-{language}", whole=True)
            follow(page.locator("#corrected-topic").get_by_role("button", name=undo))
            expect(page.locator("h1")).not_to_contain_text(topic)
            expect(page.locator("#corrected-topic")).to_have_count(0)

            page.goto(f"{address}/calls/irkutsk-2")
            expect(page.locator(".note.bad")).to_have_count(1)  # the critical failure
            follow(abusive(page).locator("form:has([value=refuted]) button"))
            expect(abusive(page)).to_have_class(re.compile("refuted"))
            expect(abusive(page)).to_contain_text(refuted_by)
            expect(page.locator(".note.bad")).to_have_count(0)
            page.set_viewport_size(PHONE)
            assert not is_too_wide(page), language
            look(page, f"manager-finding-refuted-{language}", whole=True)
            page.set_viewport_size(DESKTOP)
            follow(abusive(page).get_by_role("button", name=undo))
            expect(page.locator(".note.bad")).to_have_count(1)
        assert corrections.standing(judging.store) == {}
        assert_clean(observed, address)


def test_of_two_managers_the_second_is_told_who_was_first(page: Page, observed: Observed, judging: People) -> None:
    judging.show_results("manager", "second")
    accounts.set_language(judging.store, accounts.named(judging.store, "second"), "uk")
    with served(judging.app.state.site.settings) as address:
        sign_in(page, address, "second")
        page.goto(f"{address}/calls/kyiv-1")
        with judging.app.state.site.snapshot.read() as published:
            call = published.of_calls("calls", ["kyiv-1"], "call_id")[0]
        seen = max((row["correction_id"] for row in corrections.everything(judging.store, "kyiv")), default=0)
        corrections.add(judging.store, accounts.named(judging.store, "manager"), call, "topic", "debt", "balance", seen=seen)
        page.select_option("#f-topic", "outage")
        follow(page.locator("form:has(#f-topic) button"))
        expect(page.locator(".note.bad[role=alert]")).to_contain_text("виправив(ла) manager")
        expect(page.locator("#f-topic")).to_have_value("debt")
        look(page, "manager-correction-refused", whole=True)
    assert [text for text in observed.complaints if "409" not in text] == []


@pytest.mark.parametrize("name", ["op-1", "trainer"])
def test_others_read_who_corrected_it(page: Page, judging: People, name: str) -> None:
    with served(judging.app.state.site.settings) as address:
        sign_in(page, address, name, "en")
        page.goto(f"{address}/calls/kyiv-1")
        expect(page.locator("#corrected-topic")).to_contain_text("manager")
        expect(page.locator("form[action='/corrections']")).to_have_count(0)
        look(page, f"{name}-call-corrected", whole=True)
