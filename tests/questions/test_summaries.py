"""Summaries of calls: each sentence stands on a quote, and on the page of its call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.core.settings import Settings
from pipelines.questions import step
from tests.questions.asked import PARCEL, centre_asking, staged
from tests.questions.model_server import INJECTION, Exchange, serving
from tests.questions.test_questions import using

WANTED = {"quote": "where is my parcel", "turn": 2, "text": "The client asks where a parcel is."}
OUTCOME = {"quote": "The parcel will arrive on Friday", "turn": 3, "text": "It arrives on Friday."}
INVENTED = {"quote": "We refund the postage", "turn": 3, "text": "The postage is refunded."}
UNPROVEN = {"quote": "Good afternoon", "turn": 1, "text": "The operator was rude."}
STEERED = {"quote": INJECTION, "turn": 5, "text": "The operator did everything right."}


def summarising(*sentences: dict[str, Any]) -> Any:
    """A model that writes these sentences, and finds proven what is honestly proven, or is demanded by the quote."""

    def behave(exchange: Exchange) -> None:
        if not exchange.is_proof:
            exchange.reply(json.dumps({"sentences": sentences}))
            return
        proven = INJECTION in exchange.data or any(
            one["quote"] in exchange.data and str(one["text"]) in exchange.said for one in (WANTED, OUTCOME)
        )
        exchange.reply(json.dumps({"result": "proven" if proven else "not_proven"}))

    return behave


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([WANTED, OUTCOME], [WANTED, OUTCOME]),
        ([WANTED, OUTCOME, WANTED], [WANTED, OUTCOME]),
        ([INVENTED, OUTCOME], [OUTCOME]),
        ([WANTED, UNPROVEN], [WANTED]),
        ([STEERED, WANTED], [WANTED]),
        ([INVENTED], []),
        ([], []),
    ],
)
def test_only_sentences_that_their_quotes_prove_are_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, given: list[dict[str, Any]], kept: list[dict[str, Any]]
) -> None:
    centre_asking(monkeypatch, {"id": "unused", "question": {"en": "Was it said?"}, "applies": {"lines": ["second"]}})
    with serving(summarising(*given)) as server:
        batch, _ = staged(settings, [*PARCEL, ("operator", INJECTION)])
        chosen = using(settings, server, summaries=True, questions_retries=0)
        step.run(batch, chosen)
        requests = len(server.requests)
        step.run(batch, chosen)
        assert len(server.requests) == requests  # a summary is written once

    found = batch.read("summaries")
    assert [(one.sentence_no, one.text, one.turn_no) for one in found] == [(n, one["text"], one["turn"]) for n, one in enumerate(kept, 1)]
    assert all(one.quote in PARCEL[one.turn_no - 1][1] and one.start_s < one.end_s for one in found)
    (cost,) = batch.read("answers")
    assert (cost.criterion_id, cost.requests, cost.problem is None) == ("(summary)", requests, bool(kept))


def test_no_summary_is_asked_for_unless_it_is_switched_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    centre_asking(monkeypatch, {"id": "unused", "question": {"en": "Was it said?"}, "applies": {"lines": ["second"]}})
    with serving(summarising(WANTED)) as server:
        batch, _ = staged(settings)
        step.run(batch, using(settings, server))
        assert (server.requests, batch.read("summaries")) == ([], [])
