"""A draft is tried on past calls: the verdicts that change, in whose scores, and how people's verdicts agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from models.text.turn_model import TurnModel
from pipelines.app_db import accounts
from pipelines.app_db.database import AppDatabase
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings
from pipelines.core.staging import SIGNALS, Batch
from pipelines.reviews import human_verdicts
from pipelines.reviews.human_verdicts import HumanVerdict
from pipelines.score import step as evaluate
from pipelines.scorecards import drafts
from pipelines.scorecards.editing import AddCriterion, AddTopic, Change, SetCriterion, edit
from pipelines.scorecards.preview import Agreement, preview
from pipelines.turns.model_reading import read_calls

ID = "irkutsk"
ONLY_SECOND_LINE = SetCriterion("greeting", "applies", {"lines": ["second"]})


def draft(*changes: Change) -> str:
    return edit(drafts.current_text(ID), changes)


def greeting(db: AppDatabase, call_id: str, verdict: str) -> None:
    """A person's verdict on the greeting of a call."""
    account = accounts.add(db, f"reviewer-{call_id}", "manager", "a long password 1", [ID])
    human_verdicts.keep_evaluation(
        db, account, {"call_id": call_id, "centre_id": ID}, {"scorecard_id": ID, "scorecard_version": "1"},
        [HumanVerdict("greeting", verdict)], {"greeting": "pass"}, is_withheld=False,
    )  # fmt: skip


def test_what_changes_is_listed_with_its_quote_and_peoples_verdicts(scored: Settings, db: AppDatabase) -> None:
    greeting(db, "yesterday", "na")
    done: list[tuple[int, int]] = []
    found = preview(scored, db, ID, draft(ONLY_SECOND_LINE), progress=lambda *n: done.append(n))
    assert (found.calls, done) == (2, [(1, 2), (2, 2)])
    assert {(f.call_id, f.criterion_id, f.before, f.after, f.human_verdict) for f in found.flips} == {
        ("yesterday", "greeting", "pass", "na", "na"), ("tomorrow", "greeting", "pass", "na", None),
    }  # fmt: skip
    assert all(f.quote and f.start_s is not None and f.turn_no == 1 and f.operator_id == "op-1" for f in found.flips)
    assert (found.agreement_before, found.agreement_after) == (Agreement(0, 1), Agreement(1, 1))


def test_a_weight_changes_scores_and_no_verdict(scored: Settings, db: AppDatabase) -> None:
    failed = next(v.criterion_id for v in Batch(scored.stage / "yesterday").read("verdicts") if v.verdict == "pass")
    found = preview(scored, db, ID, draft(SetCriterion(failed, "weight", 90)))
    assert found.flips == () and [o.operator_id for o in found.operators] == ["op-1"]
    assert preview(scored, db, ID, drafts.current_text(ID)).operators[0].before_pct == found.operators[0].before_pct


def test_a_new_criterion_is_not_asked_before(scored: Settings, db: AppDatabase) -> None:
    added = {"id": "own", "rule": "said", "weight": 5, "title": {"en": "Own"}, "description": {"en": "Own."}, "acts": ["greeting"]}
    flips = preview(scored, db, ID, draft(AddCriterion(added))).flips
    assert {(f.criterion_id, f.before, f.after) for f in flips} == {("own", "na", "pass")}


def test_calls_to_be_judged_blind_are_left_out_and_the_rest_is_spread_evenly(scored: Settings, db: AppDatabase) -> None:
    found = preview(scored, db, ID, draft(ONLY_SECOND_LINE), exclude={"yesterday"})
    assert found.calls == 1 and {f.call_id for f in found.flips} == {"tomorrow"}
    assert preview(scored, db, ID, draft(ONLY_SECOND_LINE), most_calls=1).flips[0].call_id == "tomorrow"  # the newest


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many calls the turn model read, each time that it ran."""
    numbers: list[int] = []
    original = TurnModel.read

    def counting(self: TurnModel, calls: Sequence[Any]) -> Any:
        numbers.append(len(calls))
        return original(self, calls)

    monkeypatch.setattr(TurnModel, "read", counting)
    return numbers


def test_calls_scored_without_a_cache_are_read_once_and_forgotten_with_it(scored: Settings, db: AppDatabase, read: list[int]) -> None:
    first = preview(scored, db, ID, draft(ONLY_SECOND_LINE))
    assert sum(read) == 2
    again = preview(scored, db, ID, draft(ONLY_SECOND_LINE))
    assert sum(read) == 2 and again.flips == first.flips and again.operators == first.operators
    batch = Batch(scored.stage / "yesterday")
    batch.write("turns", [turn for turn in batch.read("turns") if turn.turn_no > 1])  # masked anew
    preview(scored, db, ID, draft(ONLY_SECOND_LINE))
    assert sum(read) == 3
    assert b"yesterday" in batch.path(SIGNALS).read_bytes()
    assert batch.forget({"yesterday"}) and not batch.folder.exists()


def test_calls_that_the_score_step_read_are_not_read_again(
    scored: Settings, db: AppDatabase, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "read_calls", read_calls)
    batches = [Batch(scored.stage / name) for name in ("yesterday", "tomorrow")]
    for batch in batches:
        evaluate.run(batch, scored)
    written = [batch.path(SIGNALS).read_bytes() for batch in batches]
    before = sum(read)
    found = preview(scored, db, ID, draft(ONLY_SECOND_LINE))
    assert sum(read) == before and found.calls == 2 and [batch.path(SIGNALS).read_bytes() for batch in batches] == written
    evaluate.run(batches[0], scored)
    assert batches[0].path(SIGNALS).read_bytes() == written[0]
    for batch in batches:
        batch.path(SIGNALS).unlink()
    assert replace(preview(scored, db, ID, draft(ONLY_SECOND_LINE)), seconds=found.seconds) == found


def test_other_topics_are_judged_from_the_cached_reading(scored: Settings, db: AppDatabase, read: list[int]) -> None:
    change = AddTopic(
        {"id": "lost_cat", "title": {"en": "Lost cat"}, "description": "The client has lost a cat.", "examples": ["My cat is gone"]}
    )
    fresh = preview(scored, db, ID, draft(change))
    before = sum(read)
    again = preview(scored, db, ID, draft(change))
    assert sum(read) < before * 2 and replace(again, seconds=fresh.seconds) == fresh  # only the topics' examples are read


def test_a_wrong_text_is_not_tried(scored: Settings, db: AppDatabase) -> None:
    with pytest.raises(MisconfiguredError, match="weight"):
        preview(scored, db, ID, draft(SetCriterion("greeting", "weight", 900)))
