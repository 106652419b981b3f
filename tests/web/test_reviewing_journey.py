"""What a reviewer meets in a real browser: an end of the session in the middle of a form, a save that fails, a quote, and a call that is played."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.app_db import accounts, sessions
from pipelines.app_db.database import open_store
from pipelines.core.settings import Settings
from tests.web import chromium
from tests.web.browser import Browser
from tests.web.openid_provider import CLIENT, SECRET, Provider
from tests.web.people import PASSWORD, People
from tests.web.served import assert_clean, look, served, sign_in

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason=chromium.MISSING)

NOTE = "Послушано дважды: приветствия нет."


@pytest.fixture(scope="module")
def judged_at(judging: People) -> Iterator[str]:
    """Where the site on which people judge calls is served."""
    with served(judging.app.state.site.settings) as found:
        yield found


def end_sessions(people: People) -> None:
    with people.store.writing() as db:
        db.execute("delete from sessions")


def focused(browser: Browser) -> str:
    return str(browser.run("document.activeElement.name || document.activeElement.tagName"))


def open_note(browser: Browser, criterion: str) -> None:
    browser.run(f"document.querySelector('[data-criterion={criterion}] details').open = true")


def test_an_evaluation_outlives_its_session(browser: Browser, judged_at: str, judging: People) -> None:
    sign_in(browser, judged_at, "second")
    browser.go(f"{judged_at}/evaluate/irkutsk-1")
    browser.click("input[name=verdict_greeting][value=fail]")
    open_note(browser, "greeting")
    browser.fill("#n-greeting", NOTE)
    browser.until("document.querySelector('[data-draft]').textContent.startsWith('Draft saved')")
    browser.go(f"{judged_at}/me")  # away, and back again
    browser.go(f"{judged_at}/evaluate/irkutsk-1")
    assert browser.run("document.querySelector('#n-greeting').value") == NOTE
    assert browser.run("document.querySelector('[name=verdict_greeting]:checked').value") == "fail"

    end_sessions(judging)
    browser.run("(field => field.setSelectionRange(field.value.length, field.value.length))(document.querySelector('#n-greeting'))")
    browser.fill("#n-greeting", " Ещё раз.")
    browser.until("document.querySelector('.session-bar')")  # said at once, and without taking the keyboard away
    assert focused(browser) == "note_greeting" and "Your session has ended" in browser.run(
        "document.querySelector('.session-bar').textContent"
    )
    browser.click(".session-bar button")  # signing in at once saves the draft, too
    browser.until("document.querySelector('dialog[open]')")
    browser.fill("#again-password", PASSWORD)
    browser.click("dialog button.main")
    browser.until("!document.querySelector('dialog') && !document.querySelector('.session-bar')")
    browser.until("document.querySelector('[data-draft]').textContent.startsWith('Draft saved')")
    assert "Ещё раз" in str(judging.store.rows("select answers_json from evaluation_drafts"))

    end_sessions(judging)
    browser.click("#evaluation .actions button.main")
    browser.until("document.querySelector('dialog[open]')")
    assert focused(browser) == "password"
    look(browser, "reviewer-signs-in-again")
    browser.fill("#again-password", "not this one")
    browser.press("Enter")
    browser.until("!document.querySelector('dialog .note').hidden")
    assert browser.run("document.querySelector('#n-greeting').value") == f"{NOTE} Ещё раз."
    browser.fill("#again-password", PASSWORD)
    browser.leave_by("dialog button.main")
    assert browser.run("location.pathname") == "/compared/irkutsk-1"
    kept = judging.store.rows(
        "select note, person from (select v.note, a.name as person from people_verdicts v join accounts a using (account_id))"
    )
    assert kept == [{"note": f"{NOTE} Ещё раз.", "person": "second"}]
    assert judging.store.rows("select 1 from evaluation_drafts") == []
    refused = [line for line in browser.complaints if "40" not in line]  # the browser itself notes the answers 401 and 403
    assert refused == []
    browser.complaints.clear()


def test_who_signs_in_in_another_window_goes_on_here(browser: Browser, judged_at: str, judging: People) -> None:
    sign_in(browser, judged_at, "third")
    browser.go(f"{judged_at}/evaluate/irkutsk-1")
    browser.click("input[name=verdict_greeting][value=fail]")
    end_sessions(judging)
    browser.click("#evaluation .actions button.main")
    browser.until("document.querySelector('dialog[open]')")
    for name, is_theirs in (("second", False), ("third", True)):
        token = sessions.open_session(judging.store, accounts.named(judging.store, name))
        browser.run("window.left = true")
        browser.call("Network.setCookie", name="callgrade", value=token, url=judged_at, httpOnly=True)
        browser.run("window.dispatchEvent(new Event('focus'))")  # the person comes back to this window
        if not is_theirs:  # nobody's form is sent in somebody else's name
            browser.until("document.querySelector('dialog .note').textContent.includes('Sign in as third')")
            assert browser.run("location.pathname") == "/evaluate/irkutsk-1"
    browser.until("!window.left && document.readyState === 'complete'")
    assert browser.run("location.pathname") == "/compared/irkutsk-1"
    browser.complaints.clear()


def test_who_comes_in_by_openid_signs_in_again_in_a_new_window(judged: Settings, tmp_path: Path) -> None:
    settings = Settings.from_environment(warehouse=tmp_path / "judged.duckdb")
    shutil.copy(judged.warehouse, settings.warehouse)
    shutil.copytree(judged.site, settings.site)
    provider = Provider()
    provider.person = {"sub": "1", "preferred_username": "olena", "groups": ["qa"]}
    (settings.site / "secret").write_text(SECRET + "\n")
    (settings.site / "openid.yaml").write_text(
        f"issuer: {provider.issuer}\nclient_id: {CLIENT}\nsecret_file: secret\nbutton: Staff\nlet_in:\n  - {{group: qa, role: manager, centres: [irkutsk]}}\n"
    )
    try:
        with served(settings) as address, Browser() as browser:  # one of its own: the new window covers it
            browser.go(f"{address}/sign-in/openid?next=%2Fevaluate%2Firkutsk-1")
            browser.click("input[name=verdict_greeting][value=fail]")
            kept = open_store(settings)
            with kept.writing() as db:
                db.execute("delete from sessions")
            browser.click("#evaluation .actions button.main")
            browser.until("document.querySelector('dialog[open]')")
            browser.leave_by("dialog a[target=_blank]")  # the form itself leads on, once the other window is signed in
            assert browser.run("location.pathname") == "/compared/irkutsk-1"
            assert kept.rows("select verdict from people_verdicts") == [{"verdict": "fail"}]
    finally:
        provider.close()


def test_a_dispute_outlives_its_session_too(browser: Browser, judged_at: str, judging: People) -> None:
    sign_in(browser, judged_at, "op-2")
    browser.go(f"{judged_at}/dispute/company_named/kyiv-2")
    browser.fill("#f-reason", "Компанію названо, послухайте першу репліку.")
    end_sessions(judging)
    browser.click("form.fields button.main")
    browser.until("document.querySelector('dialog[open]')")
    browser.click("dialog [data-cancel]")
    assert browser.run("document.querySelector('#f-reason').value").startswith("Компанію")
    browser.click("form.fields button.main")
    browser.until("document.querySelector('dialog[open]')")
    browser.fill("#again-password", PASSWORD)
    browser.leave_by("dialog button.main")
    assert browser.run("location.pathname") == "/my-disputes" and "першу репліку" in browser.run("document.body.textContent")
    browser.complaints.clear()


def test_without_scripts_a_form_is_carried_through_signing_in(browser: Browser, judged_at: str, judging: People) -> None:
    sign_in(browser, judged_at, "second")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for url, wanted in ((f"{judged_at}/evaluate/kyiv-1", "#evaluation"),):
            browser.call("Page.navigate", url=url)
            browser.until(f"document.querySelector('{wanted}') && document.readyState === 'complete'")
        browser.click("input[name=verdict_greeting][value=fail]")
        browser.fill("#t-greeting", "1")
        end_sessions(judging)
        browser.click("#evaluation .actions button.main")
        browser.until("document.querySelector('#f-password') && document.readyState === 'complete'")
        browser.fill("#f-name", "second")
        browser.fill("#f-password", PASSWORD)
        browser.click("form button.main")
        browser.until("document.querySelector('#evaluation') && document.readyState === 'complete'")
        assert browser.run("document.querySelector('[name=turn_greeting]').value") == "1"
        browser.click("#evaluation .actions button.main")
        browser.until("location.pathname === '/compared/kyiv-1'")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
        browser.complaints.clear()


def test_a_failed_save_leads_to_its_field_and_the_next_quote_lands_there(browser: Browser, judged_at: str) -> None:
    sign_in(browser, judged_at, "third")
    browser.go(f"{judged_at}/evaluate/kyiv-2")
    last = browser.run("[...document.querySelectorAll('.asked > li')].at(-1).dataset.criterion")
    browser.click("input[name=verdict_greeting][value=fail]")
    browser.click(f"input[name=verdict_{last}][value=pass]")
    assert browser.run("document.getElementById('quotes-to').value") == last
    browser.click("input[name=verdict_greeting][value=fail]")  # back to the first: the failed save must lead to the last all the same
    browser.leave_by("#evaluation .actions button.main")
    field = f"document.querySelector('[name=turn_{last}]')"
    assert focused(browser) == f"turn_{last}" and browser.run(f"{field}.getAttribute('aria-invalid')") == "true"
    assert browser.run(f"(r => r.top >= 0 && r.bottom <= innerHeight)({field}.getBoundingClientRect())")
    assert browser.run(f"document.getElementById({field}.getAttribute('aria-describedby')).textContent").startswith("“Passed” needs")
    look(browser, "reviewer-failed-save")
    assert browser.run("document.getElementById('quotes-to').value") == last
    shown = browser.run("[...document.querySelectorAll('.quotes-here')].map(e => getComputedStyle(e).visibility)")
    assert shown.count("visible") == 1 and shown[-1] == "visible"
    browser.click("#turn-1 .pick")
    assert browser.run(f"{field}.value") == "1" and browser.run("document.querySelector('[name=turn_greeting]').value") == ""
    assert browser.run("document.querySelector('[name=verdict_greeting]:checked').value") == "fail"
    browser.run(
        "document.getElementById('quotes-to').value = 'greeting', document.getElementById('quotes-to').dispatchEvent(new Event('change'))"
    )
    browser.click("#turn-3 .pick")  # the list chooses as well as the focus does
    assert browser.run("document.querySelector('[name=turn_greeting]').value") == "3"
    browser.complaints = [line for line in browser.complaints if "400" not in line]
    assert_clean(browser, judged_at)


def test_a_call_is_heard_once_it_was_played(browser: Browser, address: str, people: People) -> None:
    def heard() -> bool:
        return bool(people.store.rows("select 1 from listenings where call_id = 'irkutsk-2' and listened_at is not null"))

    sign_in(browser, address, "manager")
    browser.requests.clear()
    browser.go(f"{address}/calls/irkutsk-2")
    browser.until("document.querySelector('.with-waves')")
    assert not [url for url in browser.requests if "/sound/" in url] and not heard()
    browser.run(
        "document.querySelector('.player select').value = '2', document.querySelector('.player select').dispatchEvent(new Event('change'))"
    )
    browser.click(".player .play")
    browser.until("document.getElementById('sound').currentTime > 0.3")
    browser.click(".player .play")  # a moment is not enough
    browser.go(f"{address}/calls/irkutsk-2")
    assert not heard() and "Heard by" not in browser.run("document.querySelector('main').textContent")
    browser.run(
        "document.querySelector('.player select').value = '2', document.querySelector('.player select').dispatchEvent(new Event('change'))"
    )
    browser.click(".player .play")
    browser.until("document.getElementById('sound').ended")
    end = time.monotonic() + 20
    while not heard() and time.monotonic() < end:
        time.sleep(0.05)
    browser.go(f"{address}/calls/irkutsk-2")
    assert heard() and "Heard by manager" in browser.run("document.querySelector('main').textContent")
    assert_clean(browser, address)
