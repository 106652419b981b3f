"""A manager changes a scorecard in a real browser: from a phrase to a version, and back; with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from models.text.example_matcher import get_example_matcher
from models.text.loading import MODELS_DIR
from pipelines.app_db import accounts
from pipelines.core.errors import MisconfiguredError
from pipelines.i18n.wording import LANGUAGES, wording
from pipelines.scorecards import activation, drafts
from tests.web.browser import PHONE, Observed, follow, is_too_wide, needs_chromium
from tests.web.people import People
from tests.web.served import assert_clean, look, served, sign_in

pytestmark = needs_chromium
CARD = "/scorecards/kyiv"
PHRASE = "бажати приємний день"


@pytest.fixture
def served_at(judging: People, profiles: Path) -> Iterator[str]:
    with served(judging.app.state.site.settings) as address:
        yield address


def speak(judging: People, language: str, *names: str) -> None:
    for name in names:
        accounts.set_language(judging.store, accounts.named(judging.store, name), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_is_reworded_previewed_activated_regraded_and_the_old_version_stays(
    page: Page, observed: Observed, served_at: str, judging: People, profiles: Path, language: str
) -> None:
    w = wording(language)
    speak(judging, language, "manager", "second")
    sign_in(page, served_at, "manager")
    page.goto(f"{served_at}{CARD}")
    look(page, f"scorecard-{language}", whole=True)
    follow(page.locator(f"a[href='{CARD}/edit']"))
    follow(page.locator("a[href$='/criteria/farewell']"))
    page.click("form.editing details:has(#f-phrases_uk) > summary")
    with page.expect_response(f"**{CARD}/edit/criteria/farewell"):  # saved while typing
        page.fill("#f-phrases_uk-0", PHRASE)
    expect(page.locator("[data-draft]")).to_contain_text(w("draft_saved"))
    look(page, f"scorecard-criterion-{language}")
    follow(page.locator("form.editing .actions button.main"))
    expect(page.locator(".differences")).to_contain_text(w.label("scorecard_fields", "phrases"))
    follow(page.locator(f"a[href='{CARD}/preview']"))
    follow(page.locator(f"form[action='{CARD}/preview'] button"))
    page.wait_for_selector("#h-flips")  # the page follows the progress by itself
    look(page, f"scorecard-preview-{language}", whole=True)
    follow(page.locator(f"a[href='{CARD}/activate']"))
    page.fill("#f-start", str(page.get_attribute("#f-start", "min")))  # from today
    look(page, f"scorecard-activate-{language}")
    follow(page.locator("form.fields button.main"))
    newest = activation.history(judging.app.state.site.settings, "kyiv")[0]
    done = w("sc_done_activated", date=w.date(newest.effective_from), version=newest.version, before="1")
    expect(page.locator("[role=status]").first).to_contain_text(done)
    assert newest.is_current and newest.activated_by == "manager"
    expect(page.locator("#c-farewell code")).to_have_text(PHRASE)
    follow(page.locator(f"a[href='{CARD}/versions/1']"))
    expect(page.locator(".note.ask")).to_contain_text(w("sc_past"))
    expect(page.locator("#c-farewell code")).to_have_count(0)
    page.goto(f"{served_at}{CARD}/regrade")
    look(page, f"scorecard-regrade-{language}")
    follow(page.locator("form.fields button.main"))
    expect(page.locator(".queue li").first).to_contain_text(w("sc_other_approves"))
    sign_in(page, served_at, "second")
    page.goto(f"{served_at}{CARD}")
    follow(page.get_by_role("link", name=w("sc_regrade_waits")))
    follow(page.locator(".queue button[value=approve]").first)
    expect(page.locator(".queue li .badge").first).to_have_text(w("sc_regrade_queued"))
    assert activation.regrade_requests(judging.store, "kyiv")[0].approved_by == "second"
    page.goto(f"{served_at}{CARD}/undo")
    expect(page.locator("main")).to_contain_text(w("sc_undo_says", current=newest.version, before="1"))
    look(page, f"scorecard-undo-{language}")
    follow(page.locator(f"form[action='{CARD}/undo'] button.main"))
    expect(page.locator("#c-farewell code")).to_have_count(0)
    noted = [
        row["action"] for row in judging.store.rows("select action from audit where centre_id = 'kyiv' order by audit_id desc limit 6")
    ]
    assert {"scorecard_activated", "regrade_requested", "regrade_approved", "scorecard_undone"} <= set(noted)
    assert_clean(observed, served_at)


def test_a_new_criterion_from_five_examples(page: Page, observed: Observed, served_at: str, judging: People) -> None:
    try:
        get_example_matcher("offline", MODELS_DIR)
    except (MisconfiguredError, OSError) as error:
        pytest.skip(f"The weights of the example matcher are not installed: {error}")
    speak(judging, "en", "manager")
    sign_in(page, served_at, "manager")
    page.goto(f"{served_at}{CARD}/edit")
    follow(page.locator("a[href$='/new-criterion']"))
    page.fill("#f-title_en", "Help offered")
    page.fill("#f-description_en", "The operator offers help.")
    for n, sentence in enumerate(
        (
            "Чим можу допомогти?",
            "Чим я можу вам допомогти сьогодні?",
            "Слухаю вас, чим допомогти?",
            "How can I help you?",
            "Чем могу помочь вам?",
        )
    ):
        page.fill(f"#f-said_like-{n}", sentence)
    page.locator("#f-said_like [data-add]").click()
    expect(page.locator("#f-said_like-5")).to_be_focused()
    follow(page.locator("form.editing .actions button.main"))
    expect(page.locator("main")).to_contain_text("Help offered")
    page.goto(f"{served_at}{CARD}/preview")
    follow(page.locator(f"form[action='{CARD}/preview'] button"))
    page.wait_for_selector("#h-flips")
    expect(page.locator("section:has(> #h-flips) li").filter(has_text="Help offered")).to_contain_text("N/A → passed")
    expect(page.locator(".flips li").filter(has_text="допомогти").first).to_contain_text("Help offered")
    look(page, "scorecard-new-criterion-preview", whole=True)
    assert_clean(observed, served_at)


def test_what_is_wrong_is_listed_first_and_leads_to_its_field(page: Page, observed: Observed, served_at: str, judging: People) -> None:
    speak(judging, "en", "manager")
    sign_in(page, served_at, "manager")
    page.set_viewport_size(PHONE)
    page.goto(f"{served_at}{CARD}/edit/criteria/greeting")
    page.fill("#f-weight", "500")
    page.click("form.editing details:has(#f-phrases_uk) > summary")
    page.fill("#f-phrases_uk-1", "(добрий ранок")
    follow(page.locator("form.editing .actions button.main"))
    expect(page.locator("#p-form")).to_be_focused()
    expect(page.locator("#p-form li")).to_have_count(2)
    look(page, "scorecard-wrong-phone")
    assert not is_too_wide(page)
    page.click("#p-form a[href='#f-phrases_uk-0']")
    expect(page.locator("#f-phrases_uk-0")).to_be_in_viewport()
    expect(page.locator("#p-phrases_uk-0")).to_contain_text("Without signs it would be: добрий ранок")
    page.fill("#f-weight", "50")
    page.fill("#f-phrases_uk-0", "добрий ранок")
    follow(page.locator("form.editing .actions button.main"))
    expect(page.locator(".differences")).to_contain_text("Weight: 5 → 50")
    observed.complaints = [line for line in observed.complaints if "status of 400" not in line]
    assert_clean(observed, served_at)


def test_rows_are_added_and_removed_with_the_keyboard(page: Page, served_at: str, judging: People) -> None:
    speak(judging, "en", "manager")
    sign_in(page, served_at, "manager")
    page.goto(f"{served_at}{CARD}/edit/topics/outage")
    rows = page.locator("#f-examples li")
    before = rows.count()
    page.focus("#f-examples [data-add]")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(before + 1)
    page.keyboard.type("Вимкнули світло в усьому будинку")
    page.focus("#f-examples li:nth-child(1) [data-remove]")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(before)
    expect(page.locator("#f-examples-0")).to_be_focused()
    follow(page.locator("form.editing .actions button.main"))
    found = drafts.load_draft(judging.store, "kyiv")
    assert found is not None and "Вимкнули світло в усьому будинку" in found.text


def test_without_scripts_a_scorecard_is_edited_all_the_same(browser: Browser, served_at: str, judging: People) -> None:
    speak(judging, "en", "manager")
    with browser.new_page(java_script_enabled=False) as page:
        sign_in(page, served_at, "manager")
        page.goto(f"{served_at}{CARD}/edit")
        page.fill("#f-weight_farewell", "9")
        page.click("form:has(#f-weight_farewell) button.main")
        expect(page.locator(".differences")).to_contain_text("Weight: 5 → 9")
        page.goto(f"{served_at}{CARD}/edit/criteria/farewell")
        page.click("form.editing details:has(#f-phrases_uk) > summary")
        page.fill("#f-phrases_uk-0", PHRASE)
        with judging.store.writing() as db:
            db.execute("delete from sessions")
        page.click("form.editing .actions button.main")  # the form is carried through signing in
        page.fill("#f-name", "manager")
        page.fill("#f-password", "seven green lamps at noon")
        page.click("form button.main")
        page.click("main form button")
        expect(page.locator(".differences")).to_contain_text("Phrases")
        found = drafts.load_draft(judging.store, "kyiv")
        assert found is not None and PHRASE in found.text
