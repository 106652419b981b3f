"""A really judged call, with its page in each language: no sentence is in another language than the page."""

from __future__ import annotations

import html
import re

import pytest

from pipelines import warehouse
from pipelines.core.published import Row, open_published
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.i18n.wording import LANGUAGES, wording
from pipelines.reports import static_pages
from pipelines.score.step import score_call
from tests.score.spoken import audio_of, call_of, sentiments_of, turns_of

SAID = [
    ("operator", "Добрый день, Иркутскэнергосбыт, слушаю вас."),
    ("client", "Да вы там тупые все, идиоты, третий раз звоню из-за показаний!"),
    ("operator", "Ну и что вы от меня хотите."),
    ("client", "Ты дура тупая, сволочь!"),
]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a run that judged and published one call: an operator hung up on an abusive client without a warning."""
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("judged") / "callgrade.duckdb")
    turns, call = turns_of(*SAID), call_of("irkutsk", disconnect_party="operator", operator_id="op-1")
    scored = score_call(call, audio_of(turns), turns, sentiments=sentiments_of(turns, t2="negative", t4="negative"))
    batch = Batch(settings.stage / "b")
    batch.write("calls", [call])
    batch.write_rejected("intake", [])
    batch.write("audio", [audio_of(turns)])
    batch.write("turns", turns)
    for kind in ("roles", "dropped", "personal_data"):
        batch.write(kind, [])
    for kind in ("sentiments", "findings", "verdicts"):
        batch.write(kind, getattr(scored, kind))
    batch.write("speech_acts", scored.acts)
    for kind in ("procedure", "evaluation"):
        batch.write(f"{kind}s", [getattr(scored, kind)])
    batch.write("metrics", [scored.metrics])
    warehouse.load(batch, settings)
    warehouse.publish(settings)
    return settings


@pytest.fixture(scope="module")
def results(judged: Settings) -> list[Row]:
    """What the views say of the call."""
    with open_published(judged) as published:
        return published.rows("select * from criterion_results where judge = 'machine'")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_gives_its_reasons_in_its_own_language(judged: Settings, results: list[Row], language: str) -> None:
    static_pages.publish_pages(judged, language)
    page = html.unescape((judged.scorecards / "calls" / "c-1.html").read_text(encoding="utf-8"))
    w = wording(language)
    assert {r["verdict"] for r in results} >= {"pass", "fail", "na"}
    for result in results:
        assert w.explain(result["explanation_json"]) in page
        assert language == "en" or result["explanation"] not in page
    zeroed = re.search(r'<p class="note bad".*?</p>', page, re.S)
    assert zeroed and w("critical") in zeroed.group() and w.explain('{"key":"ended_without_warning"}') in zeroed.group()
    assert "_" not in re.sub(r"<[^>]*>", "", page[page.index('id="h-criteria"') : page.index('id="h-talk"')])  # no bare data value


def test_analysts_read_english(results: list[Row], judged: Settings) -> None:
    with open_published(judged) as published:
        procedure = published.rows("select outcome, explanation from abuse_procedures")[0]
        evaluation = published.rows("select auto_fail_reason, auto_fail_criterion_id from evaluations")[0]
    assert procedure == {"outcome": "ended_without_warning", "explanation": "The operator hung up on an abusive client without a warning."}
    assert evaluation == {"auto_fail_reason": f"Abuse procedure: {procedure['explanation']}", "auto_fail_criterion_id": "abuse_procedure"}
    assert all(result["explanation"].isascii() or "“" in result["explanation"] for result in results)
