"""What a question leaves on the page of its call, with and without a quote that counts, in a real browser and four languages."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Page, expect

from pipelines import warehouse
from pipelines.app_db import accounts
from pipelines.core.settings import Settings
from pipelines.questions import step
from pipelines.score import step as score
from pipelines.web.app import make_app
from tests import staged
from tests.questions.asked import centre_asking
from tests.questions.model_server import Given, honest, serving
from tests.questions.test_questions import using
from tests.web.browser import Observed, needs_chromium
from tests.web.people import PASSWORD
from tests.web.served import assert_clean, served, sign_in

pytestmark = needs_chromium
COMPANY = {"id": "company", "question": {"en": "Did the operator name the company?"}}
PROMISE = {"id": "promise", "question": {"en": "Did the operator promise anything?"}}
SAID = {
    "en": ("Model: qwen3-4b", "gave no quote that stands in the transcript"),
    "ru": ("Модель: qwen3-4b", "не привела цитату"),
    "uk": ("Модель: qwen3-4b", "не навела цитати"),
    "hu": ("Modell: qwen3-4b", "nem adott olyan idézetet"),
}


@pytest.mark.slow
def test_a_reader_sees_the_quote_of_an_answer_and_why_another_is_unsure(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    page: Page,
    observed: Observed,
) -> None:
    centre_asking(monkeypatch, COMPANY, PROMISE)
    with serving(honest(company=Given("yes", 1, "компания Энергосбыт"), promise=Given("yes", 1, "I promise"))) as server:
        chosen = using(settings, server)
        batch = staged.stage(chosen, "b", [staged.call("a")])
        step.run(batch, chosen)
    monkeypatch.setattr(score, "read_calls", lambda turns, *_: [score.NOTHING_READ for _ in turns])
    batch.write("verdicts", [])
    score.run(batch, settings)
    warehouse.load(batch, settings)
    warehouse.publish(settings)
    monkeypatch.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    store = make_app(settings, {"127.0.0.1"}).state.site.store
    accounts.add(store, "trainer", "trainer", PASSWORD, ["irkutsk"], None)
    with served(settings) as address:
        for language, (model, doubt) in SAID.items():
            accounts.set_language(store, accounts.named(store, "trainer"), language)
            sign_in(page, address, "trainer")
            page.goto(f"{address}/calls/a")
            answered, unsure = page.locator("#criterion-company"), page.locator("#criterion-promise")
            expect(answered.locator(".quote")).to_contain_text("компания Энергосбыт.")
            expect(answered).to_contain_text(model)
            expect(unsure).to_contain_text(doubt)
            expect(unsure.locator(".quote")).to_have_count(0)
        assert_clean(observed, address)
