"""A reviewer in a real browser: a session that ends in the middle of a form, a failed save, a quote, and a played call."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipelines.app_db import accounts, sessions
from pipelines.app_db.database import open_store
from pipelines.core.settings import Settings
from tests.web.browser import Observed, follow, needs_chromium
from tests.web.openid_provider import CLIENT, SECRET, Provider
from tests.web.people import PASSWORD, People
from tests.web.served import assert_clean, look, served, sign_in

pytestmark = needs_chromium

NOTE = "Послушано дважды: приветствия нет."
RETURN_TO_WINDOW = "window.dispatchEvent(new Event('focus'))"


@pytest.fixture(scope="module")
def judged_at(judging: People) -> Iterator[str]:
    """Where the site on which people judge calls is served."""
    with served(judging.app.state.site.settings) as found:
        yield found


def end_sessions(people: People) -> None:
    with people.store.writing() as db:
        db.execute("delete from sessions")


def test_an_evaluation_outlives_its_session(page: Page, observed: Observed, judged_at: str, judging: People) -> None:
    note, draft, problem = page.locator("#n-greeting"), page.locator("[data-draft]"), page.locator(".session-bar")
    sign_in(page, judged_at, "second")
    page.goto(f"{judged_at}/evaluate/irkutsk-1")
    page.check("input[name=verdict_greeting][value=fail]")
    page.click("[data-criterion=greeting] summary")
    with page.expect_response(lambda answer: "note_greeting=%" in (answer.request.post_data or "")):  # not the draft of the verdict alone
        note.fill(NOTE)
    expect(draft).to_have_text(re.compile("^Draft saved"))
    page.goto(f"{judged_at}/me")  # away, and back again
    page.goto(f"{judged_at}/evaluate/irkutsk-1")
    expect(note).to_have_value(NOTE)
    expect(page.locator("[name=verdict_greeting]:checked")).to_have_value("fail")

    end_sessions(judging)
    note.press("End")
    page.keyboard.insert_text(" Ещё раз.")
    expect(problem).to_contain_text("Your session has ended")  # said at once, and without taking the keyboard away
    expect(note).to_be_focused()
    problem.locator("button").click()  # signing in at once saves the draft, too
    page.fill("#again-password", PASSWORD)
    page.click("dialog button.main")
    expect(page.locator("dialog")).to_have_count(0)
    expect(problem).to_have_count(0)
    expect(draft).to_have_text(re.compile("^Draft saved"))
    assert "Ещё раз" in str(judging.store.rows("select answers_json from evaluation_drafts"))

    end_sessions(judging)
    page.click("#evaluation .actions button.main")
    expect(page.locator("#again-password")).to_be_focused()
    look(page, "reviewer-signs-in-again")
    page.fill("#again-password", "not this one")
    page.keyboard.press("Enter")
    expect(page.locator("dialog .note")).to_be_visible()
    expect(note).to_have_value(f"{NOTE} Ещё раз.")
    page.fill("#again-password", PASSWORD)
    follow(page.locator("dialog button.main"))
    expect(page).to_have_url(f"{judged_at}/compared/irkutsk-1")
    kept = judging.store.rows(
        "select note, person from (select v.note, a.name as person from people_verdicts v join accounts a using (account_id))"
    )
    assert kept == [{"note": f"{NOTE} Ещё раз.", "person": "second"}]
    assert judging.store.rows("select 1 from evaluation_drafts") == []
    assert [line for line in observed.complaints if "status of 40" not in line] == []  # the browser itself notes the answers 401 and 403


def test_who_signs_in_in_another_window_goes_on_here(page: Page, judged_at: str, judging: People) -> None:
    def sign_in_elsewhere(name: str) -> None:
        token = sessions.open_session(judging.store, accounts.named(judging.store, name))
        page.context.add_cookies([{"name": "callgrade", "value": token, "url": judged_at, "httpOnly": True}])

    sign_in(page, judged_at, "third")
    page.goto(f"{judged_at}/evaluate/irkutsk-1")
    page.check("input[name=verdict_greeting][value=fail]")
    end_sessions(judging)
    page.click("#evaluation .actions button.main")
    expect(page.locator("dialog")).to_be_visible()
    sign_in_elsewhere("second")
    page.evaluate(RETURN_TO_WINDOW)
    expect(page.locator("dialog .note")).to_contain_text("Sign in as third")  # a form is never submitted under another account
    expect(page).to_have_url(f"{judged_at}/evaluate/irkutsk-1")
    sign_in_elsewhere("third")
    with page.expect_navigation():
        page.evaluate(RETURN_TO_WINDOW)
    expect(page).to_have_url(f"{judged_at}/compared/irkutsk-1")


def test_who_comes_in_by_openid_signs_in_again_in_a_new_window(page: Page, judged: Settings, tmp_path: Path) -> None:
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
        with served(settings) as address:
            page.goto(f"{address}/sign-in/openid?next=%2Fevaluate%2Firkutsk-1")
            page.check("input[name=verdict_greeting][value=fail]")
            kept = open_store(settings)
            with kept.writing() as db:
                db.execute("delete from sessions")
            page.click("#evaluation .actions button.main")
            with page.expect_popup():
                follow(page.locator("dialog a[target=_blank]"))  # the form itself leads on, once the other window is signed in
            expect(page).to_have_url(f"{address}/compared/irkutsk-1")
            assert kept.rows("select verdict from people_verdicts") == [{"verdict": "fail"}]
    finally:
        provider.close()


def test_a_dispute_outlives_its_session_too(page: Page, judged_at: str, judging: People) -> None:
    sign_in(page, judged_at, "op-2")
    page.goto(f"{judged_at}/dispute/company_named/kyiv-2")
    page.fill("#f-reason", "Компанію названо, послухайте першу репліку.")
    end_sessions(judging)
    page.click("form.fields button.main")
    page.click("dialog [data-cancel]")
    expect(page.locator("#f-reason")).to_have_value(re.compile("^Компанію"))
    page.click("form.fields button.main")
    page.fill("#again-password", PASSWORD)
    follow(page.locator("dialog button.main"))
    expect(page).to_have_url(re.compile("/my-disputes$"))
    expect(page.locator("body")).to_contain_text("першу репліку")


def test_without_scripts_a_form_is_carried_through_signing_in(browser: Browser, judged_at: str, judging: People) -> None:
    with browser.new_page(java_script_enabled=False) as page:
        sign_in(page, judged_at, "second")
        page.goto(f"{judged_at}/evaluate/kyiv-1")
        page.check("input[name=verdict_greeting][value=fail]")
        page.fill("#t-greeting", "1")
        end_sessions(judging)
        page.click("#evaluation .actions button.main")
        page.fill("#f-name", "second")
        page.fill("#f-password", PASSWORD)
        page.click("form button.main")
        expect(page.locator("[name=turn_greeting]")).to_have_value("1")
        page.click("#evaluation .actions button.main")
        page.wait_for_url(f"{judged_at}/compared/kyiv-1")


def test_a_failed_save_leads_to_its_field_and_the_next_quote_lands_there(page: Page, observed: Observed, judged_at: str) -> None:
    sign_in(page, judged_at, "third")
    page.goto(f"{judged_at}/evaluate/kyiv-2")
    last = page.locator(".asked > li").last.get_attribute("data-criterion")
    target, field, greeting = page.locator("#quotes-to"), page.locator(f"[name=turn_{last}]"), page.locator("[name=turn_greeting]")
    page.check("input[name=verdict_greeting][value=fail]")
    page.check(f"input[name=verdict_{last}][value=pass]")
    expect(target).to_have_value(last or "")
    page.click("input[name=verdict_greeting][value=fail]")  # back to the first: the failed save must lead to the last all the same
    follow(page.locator("#evaluation .actions button.main"))
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_in_viewport(ratio=1)
    expect(page.locator(f"#{field.get_attribute('aria-describedby')}")).to_have_text(re.compile("^“Passed” needs"))
    look(page, "reviewer-failed-save")
    expect(target).to_have_value(last or "")
    shown = page.eval_on_selector_all(".quotes-here", "all => all.map(e => getComputedStyle(e).visibility)")
    assert shown.count("visible") == 1 and shown[-1] == "visible"
    page.click("#turn-1 .pick")
    expect(field).to_have_value("1")
    expect(greeting).to_have_value("")
    expect(page.locator("[name=verdict_greeting]:checked")).to_have_value("fail")
    target.select_option("greeting")
    page.click("#turn-3 .pick")  # the list chooses as well as the focus does
    expect(greeting).to_have_value("3")
    observed.complaints = [line for line in observed.complaints if "status of 400" not in line]
    assert_clean(observed, judged_at)


def test_a_call_counts_as_listened_to_once_it_was_played(page: Page, observed: Observed, address: str, people: People) -> None:
    def is_listened() -> bool:
        return bool(people.store.rows("select 1 from listenings where call_id = 'irkutsk-2' and listened_at is not null"))

    sign_in(page, address, "manager")
    observed.requests.clear()
    page.goto(f"{address}/calls/irkutsk-2")
    page.wait_for_selector(".with-waves")
    assert not [url for url in observed.requests if "/sound/" in url] and not is_listened()
    page.select_option(".player select", "2")
    page.click(".player .play")
    page.wait_for_function("() => document.getElementById('sound').currentTime > 0.3")
    page.click(".player .play")  # a moment is not enough
    page.goto(f"{address}/calls/irkutsk-2")
    assert not is_listened()
    expect(page.locator("main")).not_to_contain_text("Heard by")
    page.select_option(".player select", "2")
    with page.expect_response("**/listened"):
        page.click(".player .play")
        page.wait_for_function("() => document.getElementById('sound').ended")
    page.goto(f"{address}/calls/irkutsk-2")
    assert is_listened()
    expect(page.locator("main")).to_contain_text("Listened to by manager")
    assert_clean(observed, address)
