"""What questions leave in the warehouse: their verdicts and costs, and calls that are due again."""

from __future__ import annotations

import duckdb
import pytest

from pipelines import warehouse
from pipelines.cli import summary
from pipelines.core import staleness, versions
from pipelines.core.records import SummarySentence
from pipelines.core.settings import Settings
from pipelines.questions import step
from tests import staged
from tests.questions.asked import centre_asking
from tests.questions.model_server import Exchange, Given, honest, serving
from tests.questions.test_questions import using

GREETED = {"id": "company", "question": {"en": "Did the operator name the company?"}}
ANSWER = Given("yes", 1, "компания Энергосбыт")


def test_a_question_leaves_its_cost_and_an_unanswered_one_makes_its_call_due_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre_asking(monkeypatch, GREETED)
    is_down = [True]

    def sometimes(exchange: Exchange) -> None:
        exchange.send(500, b"{}") if is_down[0] else honest(company=ANSWER)(exchange)

    calls = [staged.call("a"), staged.call("b")]
    with serving(sometimes) as server:
        chosen = using(settings, server, questions_retries=0, questions_concurrency=1)
        batch = staged.stage(chosen, "b", calls)

        def graded() -> set[str]:
            step.run(batch, chosen)
            warehouse.load(batch, chosen)
            return warehouse.already_graded(chosen, calls, speech_model="speech-1")

        assert graded() == set()
        assert warehouse.already_graded(settings, calls, speech_model="speech-1") == {"a", "b"}  # without a model nothing waits
        batch.set_version("questions", versions.digests("questions", chosen.profile))
        assert "questions: 2 calls in 1 batch out of date (questions without an answer" in staleness.report(chosen)
        is_down[0] = False
        assert graded() == {"a", "b"}
        assert warehouse.already_graded(chosen.with_(questions_model="other"), calls, speech_model="speech-1") == set()

    costs = staged.rows(
        settings.warehouse,
        "select call_id, criterion_id, model, prompt_tokens, completion_tokens, requests, seconds > 0, problem from question_costs order by 1",
    )
    assert costs == [(call_id, "company", "qwen3-4b", 300, 60, 3, True, None) for call_id in ("a", "b")]
    with duckdb.connect(str(settings.warehouse), read_only=True) as db:
        line = summary.costs_of_questions(db, 2)
    assert line.startswith("2 questions asked of qwen3-4b: 3.0 requests, 360 tokens and ") and "calls per minute with 2 questions" in line


def test_erasing_a_client_erases_summaries_and_costs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    centre_asking(monkeypatch, GREETED)
    with serving(honest(company=ANSWER)) as server:
        chosen = using(settings, server)
        batch = staged.stage(chosen, "b", [staged.call("a"), staged.call("b", client_ref="c-2")])
        step.run(batch, chosen)
        batch.write("summaries", [SummarySentence(call_id, 1, "A greeting.", 1, "Добрый день,", 0.0, 1.8) for call_id in ("a", "b")])
        warehouse.load(batch, chosen)
    warehouse.erase_client(settings, "c-1")
    for view in ("question_costs", "call_summaries"):
        assert staged.rows(settings.warehouse, f"select call_id from {view}") == [("b",)]
    assert {one.call_id for kind in ("answers", "summaries") for one in batch.read(kind)} == {"b"}
