"""A draft is tried on past calls: the verdicts that change, in whose scores, and how people's verdicts agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from models.text.turn_model import TurnModel
from pipelines.app_db import accounts
from pipelines.app_db.database import AppDatabase
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings
from pipelines.core.staging import READINGS, Batch
from pipelines.reviews import human_verdicts
from pipelines.reviews.human_verdicts import HumanVerdict
from pipelines.scorecards import drafts
from pipelines.scorecards.editing import AddCriterion, Change, SetCriterion, edit
from pipelines.scorecards.preview import Agreement, preview

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


def test_calls_are_read_once_and_forgotten_with_the_cache(scored: Settings, db: AppDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = TurnModel.read

    def counting(self: TurnModel, calls: Sequence[Any]) -> Any:
        read.append(len(calls))
        return original(self, calls)

    monkeypatch.setattr(TurnModel, "read", counting)
    first = preview(scored, db, ID, draft(ONLY_SECOND_LINE))
    assert sum(read) == 2
    again = preview(scored, db, ID, draft(ONLY_SECOND_LINE))
    assert sum(read) == 2 and again.flips == first.flips and again.operators == first.operators
    batch = Batch(scored.stage / "yesterday")
    batch.write("turns", [turn for turn in batch.read("turns") if turn.turn_no > 1])  # masked anew
    preview(scored, db, ID, draft(ONLY_SECOND_LINE))
    assert sum(read) == 3
    assert b"yesterday" in batch.path(READINGS).read_bytes()
    assert batch.forget({"yesterday"}) and not batch.folder.exists()


def test_a_wrong_text_is_not_tried(scored: Settings, db: AppDatabase) -> None:
    with pytest.raises(MisconfiguredError, match="weight"):
        preview(scored, db, ID, draft(SetCriterion("greeting", "weight", 900)))
