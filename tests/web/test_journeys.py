"""What each role does in the web application, in a real browser; pictures of it are left in `artifacts/` for who wants to look."""

from __future__ import annotations

import pytest

from tests.web import chromium
from tests.web.browser import Browser
from tests.web.people import People
from tests.web.served import assert_clean, look, sign_in

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason=chromium.MISSING)


def test_a_quality_manager_finds_a_call_hears_a_quote_and_marks_it(browser: Browser, address: str, people: People) -> None:
    sign_in(browser, address, "manager")
    look(browser, "manager-centres")
    browser.leave_by("a.centre[href$='kyiv']")
    look(browser, "manager-centre", whole=True)
    browser.leave_by(".tabs a[href$='/queue']")
    look(browser, "manager-queue")
    browser.leave_by(".queue a[href='/calls/kyiv-1'], .queue a")
    browser.go(f"{address}/calls/kyiv-2")
    browser.until("document.querySelector('.with-waves')")
    look(browser, "manager-call", whole=True)
    browser.click(".criteria .quote a")
    browser.until("document.getElementById('sound').currentTime > 0.5 && document.querySelector('.talk li.now')")
    look(browser, "manager-call-playing")
    assert people.store.rows("select 1 from audit where account_name = 'manager' and action = 'heard' and subject = 'kyiv-2'")
    browser.run("document.activeElement.blur(), document.getElementById('sound').pause()")
    browser.press(" ")
    browser.until("!document.getElementById('sound').paused")
    browser.press("j")
    browser.until("document.querySelector('.talk li.now')")
    assert browser.run("document.querySelector('.wave.operator').getAttribute('d').length") > 1000
    if browser.run("!!document.querySelector('form[action=\"/reviewed\"] button')"):
        browser.leave_by("form[action='/reviewed'] button")
    browser.go(f"{address}/centres/kyiv/operators")
    look(browser, "manager-operators")
    browser.go(f"{address}/audit")
    look(browser, "manager-audit")
    assert_clean(browser, address)


def test_an_operator_reads_own_calls_on_a_phone_in_the_dark(address: str, people: People) -> None:
    with Browser(390, 844, dark=True) as phone:
        sign_in(phone, address, "op-1", "uk")
        assert phone.run("document.documentElement.lang") == "uk"  # what was chosen when signing in stays
        assert not phone.is_wider_than_its_window()
        look(phone, "operator-phone")
        phone.leave_by("#calls a")
        phone.until("document.querySelector('.with-waves')")
        assert not phone.is_wider_than_its_window()
        look(phone, "operator-call-phone")
        phone.run("document.querySelector('details.menu').open = true")
        phone.run("document.querySelector('#menu-language').value = 'hu'")
        phone.leave_by("details.menu form button")
        assert phone.run("document.documentElement.lang") == "hu"
        phone.run("document.querySelector('details.menu').open = true")
        phone.leave_by("form[action='/sign-out'] button")
        assert phone.run("location.pathname") == "/sign-in"
        assert_clean(phone, address)


def test_an_administrator_lets_somebody_in_with_the_keyboard_alone(browser: Browser, address: str) -> None:
    sign_in(browser, address, "admin")
    browser.go(f"{address}/accounts")
    browser.run("document.querySelector('#f-name').focus()")
    browser.call("Input.insertText", text="keyboard")
    browser.press("Tab")
    browser.press("t")  # the role that begins so
    for _ in range(3):  # operator's id, whether it is new, the first centre
        browser.press("Tab")
    browser.press(" ")
    browser.run("window.left = true, document.querySelector('#f-name').focus()")
    browser.press("Enter")
    browser.until("!window.left && document.readyState === 'complete'")
    assert browser.run("document.querySelector('code').textContent.length") > 20
    look(browser, "administrator-accounts")
    assert_clean(browser, address)


@pytest.mark.parametrize("path", ["/sign-in", "/", "/centres/kyiv", "/centres/kyiv/queue", "/centres/kyiv/operators", "/calls/kyiv-2", "/operators/kyiv/op-2", "/audit",
                                  "/accounts", "/accounts/1", "/me", "/nothing"])  # fmt: skip
def test_every_page_fits_a_phone(browser: Browser, address: str, path: str) -> None:
    if path == "/sign-in":
        sign_in(browser, address, "admin")
    browser.resize(360, 800)
    browser.go(address + path)
    wide = browser.is_wider_than_its_window()
    browser.resize(1280, 900)
    assert not wide
    browser.complaints.clear()  # the browser itself notes the page that is not there


def test_without_scripts_a_call_can_still_be_read_and_heard(browser: Browser, address: str) -> None:
    sign_in(browser, address, "manager")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.call("Page.navigate", url=f"{address}/calls/kyiv-2")
    browser.until(
        "document.querySelector('audio[controls]') && document.querySelectorAll('.talk li').length > 5 && document.readyState === 'complete'"
    )
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
