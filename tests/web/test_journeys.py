"""What each role does in the web application, in a real browser; screenshots are left in `artifacts/`."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.web.browser import Observed, follow, is_too_wide, needs_chromium
from tests.web.people import People
from tests.web.served import assert_clean, look, sign_in

pytestmark = needs_chromium


def test_a_quality_manager_finds_a_call_plays_a_quote_and_marks_it(page: Page, observed: Observed, address: str, people: People) -> None:
    sign_in(page, address, "manager")
    look(page, "manager-centres")
    follow(page.locator("a.centre[href$='kyiv']"))
    look(page, "manager-centre", whole=True)
    follow(page.locator(".tabs a[href$='/queue']"))
    look(page, "manager-queue")
    follow(page.locator(".queue a").first)
    page.goto(f"{address}/calls/kyiv-2")
    page.wait_for_selector(".with-waves")
    look(page, "manager-call", whole=True)
    page.locator(".criteria .quote a").first.click()
    page.wait_for_function("() => document.getElementById('sound').currentTime > 0.5 && document.querySelector('.talk li.now')")
    look(page, "manager-call-playing")
    assert people.store.rows("select 1 from audit where account_name = 'manager' and action = 'heard' and subject = 'kyiv-2'")
    page.evaluate("document.activeElement.blur(), document.getElementById('sound').pause()")
    page.keyboard.press(" ")
    page.wait_for_function("() => !document.getElementById('sound').paused")
    page.keyboard.press("j")
    page.wait_for_selector(".talk li.now")
    assert len(page.get_attribute(".wave.operator", "d") or "") > 1000
    reviewed = page.locator("form[action='/reviewed'] button")
    if reviewed.count():
        follow(reviewed)
    page.goto(f"{address}/centres/kyiv/operators")
    look(page, "manager-operators")
    page.goto(f"{address}/audit")
    look(page, "manager-audit")
    assert_clean(observed, address)


def test_an_operator_reads_own_calls_on_a_phone_in_the_dark(browser: Browser, address: str, people: People) -> None:
    with browser.new_page(viewport={"width": 390, "height": 844}, is_mobile=True, color_scheme="dark") as phone:
        observed = Observed(phone)
        sign_in(phone, address, "op-1", "uk")
        assert phone.get_attribute("html", "lang") == "uk"  # what was chosen when signing in stays
        assert not is_too_wide(phone)
        look(phone, "operator-phone")
        follow(phone.locator("#calls a").first)
        phone.wait_for_selector(".with-waves")
        assert not is_too_wide(phone)
        look(phone, "operator-call-phone")
        phone.click("details.menu summary")
        phone.select_option("#menu-language", "hu")
        follow(phone.locator("details.menu form button").first)
        assert phone.get_attribute("html", "lang") == "hu"
        phone.click("details.menu summary")
        follow(phone.locator("form[action='/sign-out'] button"))
        expect(phone).to_have_url(f"{address}/sign-in")
        assert_clean(observed, address)


def test_an_administrator_lets_somebody_in_with_the_keyboard_alone(page: Page, observed: Observed, address: str) -> None:
    sign_in(page, address, "admin")
    page.goto(f"{address}/accounts")
    page.focus("#f-name")
    page.keyboard.type("keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("t")  # the role that begins so
    for _ in range(3):  # operator's id, whether it is new, the first centre
        page.keyboard.press("Tab")
    page.keyboard.press(" ")
    page.focus("#f-name")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert len(page.text_content("code") or "") > 20
    look(page, "administrator-accounts")
    assert_clean(observed, address)


def test_every_page_fits_a_phone(phone: Page, address: str) -> None:
    sign_in(phone, address, "admin")
    for path in (
        "/sign-in", "/", "/centres/kyiv", "/centres/kyiv/queue", "/centres/kyiv/operators", "/calls/kyiv-2", "/operators/kyiv/op-2", "/audit", "/accounts",
        "/accounts/1", "/me", "/nothing",
    ):  # fmt: skip
        phone.goto(address + path)
        assert not is_too_wide(phone), path


def test_without_scripts_a_call_can_still_be_read_and_played(browser: Browser, address: str) -> None:
    with browser.new_page(java_script_enabled=False) as page:
        sign_in(page, address, "manager")
        page.goto(f"{address}/calls/kyiv-2")
        expect(page.locator("audio#sound[controls]")).to_be_visible()
        assert page.locator(".talk li").count() > 5
