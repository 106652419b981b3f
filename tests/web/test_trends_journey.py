"""In a browser: from the start page to a planted fall, its evidence and another period; on a phone, in the dark, in every language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, Page

from pipelines.app_db import accounts
from pipelines.app_db.database import open_store
from pipelines.core.settings import Settings
from pipelines.i18n.wording import LANGUAGES
from tests.trends.made_weeks import FALLEN, publish_weeks
from tests.web.accessible import barriers
from tests.web.browser import PHONE, Observed, is_too_wide, needs_chromium
from tests.web.people import PASSWORD
from tests.web.served import assert_clean, served, sign_in

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def weeks_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("weeks") / "weeks.duckdb")
    publish_weeks(settings)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        store = open_store(settings)
        for language in LANGUAGES:
            name = f"manager-{language}"
            accounts.add(store, name, "manager", PASSWORD, ["kyiv", "irkutsk"], None)
            accounts.set_language(store, accounts.named(store, name), language)
        store.close()
        with served(settings) as address:
            yield address


def test_the_planted_fall_is_found_with_two_clicks_and_explained_with_one_more(page: Page, weeks_address: str, observed: Observed) -> None:
    sign_in(page, weeks_address, "manager-en")
    page.get_by_role("link", name="2 changes").click()
    changed = page.get_by_role("region", name="What changed")
    first = changed.get_by_role("listitem").first
    assert "→" in first.inner_text() and "op-1" in first.inner_text()
    first.get_by_role("link", name="What contributed").click()
    assert page.locator("#why tbody tr").first.inner_text().startswith("op-")
    page.get_by_role("link", name="Month", exact=True).click()
    assert "period=month" in page.url and f"criterion={FALLEN}" in page.url
    page.get_by_label("Compare with").select_option("year")
    page.get_by_role("button", name="Show").click()
    assert "against=year" in page.url and "period=month" in page.url
    assert_clean(observed, weeks_address)


def test_the_worst_calls_of_a_criterion_last_week_are_three_clicks_away(page: Page, weeks_address: str, observed: Observed) -> None:
    sign_in(page, weeks_address, "manager-en")
    page.get_by_role("link", name="2 changes").click()
    page.get_by_role("region", name="What changed").get_by_role("link", name="Failed calls of this period").first.click()
    assert f"criterion={FALLEN}&verdict=fail&sort=score" in page.url
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Score")
    worst = page.locator("tbody tr").first
    score = worst.locator("td[data-name=Score]").inner_text()
    worst.get_by_role("link").first.click()
    assert "/calls/" in page.url and score.rstrip("%").split("–")[0] in page.locator("main").inner_text()
    assert_clean(observed, weeks_address)


@pytest.mark.parametrize("tone", ["light", "dark"])
def test_the_page_fits_a_phone_and_keeps_nobody_out_in_any_language(browser: Browser, weeks_address: str, tone: str) -> None:
    with browser.new_page(viewport=PHONE, is_mobile=True, color_scheme=tone) as phone:  # type: ignore[arg-type]
        for language in LANGUAGES:
            sign_in(phone, weeks_address, f"manager-{language}")
            for path in ("/", f"/trends/kyiv?criterion={FALLEN}"):
                phone.goto(weeks_address + path)
                phone.evaluate("document.fonts.ready.then(() => 0)")
                assert not is_too_wide(phone), (language, path)
                assert barriers(phone) == [], (language, path)
