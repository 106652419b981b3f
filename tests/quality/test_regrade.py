"""A report before changed rules are loaded: what they would change, for whom and why; the report itself changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.languages.language import Language, load
from pipelines import warehouse
from pipelines.__main__ import main
from pipelines.centres.profile import load_centre
from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import TurnSentiment
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.quality.regrade import RegradeChanges, ScoreChange, find_changes, report, write_report
from pipelines.score import signals
from pipelines.score import step as evaluate
from pipelines.turns.model_reading import NOTHING_READ
from tests.score.spoken import audio_of, call_of, turns_of
from tests.score.test_compliance import GOOD


@pytest.fixture(autouse=True)
def _neutral(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules change here, the turn model does not: nothing is read, and every turn is neutral."""
    monkeypatch.setattr(evaluate, "read_calls", lambda calls, *_: [NOTHING_READ for _ in calls])
    monkeypatch.setattr(signals, "judge_sentiment", lambda turns, *_: [TurnSentiment(t.call_id, t.turn_no, "neutral", 0.9) for t in turns])


@pytest.fixture
def published(settings: Settings) -> Settings:
    """Two graded calls of two operators, loaded and published."""
    turns = turns_of(*GOOD)
    batch = Batch(settings.stage / "b")
    ids = ("c-1", "c-2")
    batch.write("calls", [call_of("irkutsk", call_id=i, operator_id=f"op-{n}", recording_sha256=str(n) * 64) for n, i in enumerate(ids, 1)])
    batch.write_rejected("intake", [])
    batch.write("audio", [replace(audio_of(turns), call_id=i) for i in ids])
    batch.write("turns", [replace(turn, call_id=i) for i in ids for turn in turns])
    for kind in ("roles", "dropped", "personal_data"):
        batch.write(kind, [])
    evaluate.run(batch, settings)
    warehouse.load(batch, settings)
    warehouse.publish(settings)
    return settings


def without(act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the rules do not know an act."""

    def poorer(code: str) -> Language:
        language = load(code)
        return replace(language, acts={name: phrases for name, phrases in language.acts.items() if name != act})

    monkeypatch.setattr("pipelines.score.speech_acts.load", poorer)


def test_the_same_rules_change_nothing(published: Settings) -> None:
    found = find_changes(published)
    assert (found.changes, len(found.scores), found.unpublished) == ((), 2, 0)
    assert found.rules_before == (found.rules_after,)
    assert "Nothing changes." in report(found)


def test_a_poorer_rule_is_reported_with_its_calls_operators_and_reasons(published: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {file: file.read_bytes() for file in published.stage.rglob("*.parquet")}
    before = warehouse.contents(published.warehouse)
    without("farewell", monkeypatch)
    text = write_report(published).read_text(encoding="utf-8")
    assert "2 calls compared, 2 of them change, 2 verdicts in all" in text
    assert "| farewell | pass | fail | 2 |" in text
    assert "| op-1 | 1 | 1 | 1 | 0 | 100.0 % | 93.4 % |" in text
    assert "| c-2 | op-2 | farewell | pass | fail | The operator said it. | It was not said in the part that was searched. |" in text
    assert {file: file.read_bytes() for file in published.stage.rglob("*.parquet")} == kept
    assert warehouse.contents(published.warehouse) == before


def test_a_criterion_that_came_or_went_is_a_change_too(published: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = load_centre("irkutsk")
    card = shorter.scorecard.model_copy(update={"criteria": tuple(c for c in shorter.scorecard.criteria if c.criterion_id != "greeting")})
    monkeypatch.setattr(evaluate, "centre_of", lambda _: shorter.model_copy(update={"scorecard": card}))
    assert {(c.what, c.before, c.after) for c in find_changes(published).changes} == {("greeting", "pass", "not asked")}


def test_a_call_that_nobody_has_seen_graded_is_counted_apart(published: Settings) -> None:
    batch = Batch(published.stage / "b")
    batch.write("calls", [replace(call, recording_sha256="9" * 64) if call.call_id == "c-2" else call for call in batch.read("calls")])
    found = find_changes(published)
    assert (found.unpublished, [s.call_id for s in found.scores]) == (1, ["c-1"])


def test_the_command_prints_the_tables_and_says_where_the_rest_is(
    published: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without("farewell", monkeypatch)
    assert main(["regrade-report", "--warehouse", str(published.warehouse)]) == 0
    printed = capsys.readouterr().out
    assert "| farewell | pass | fail | 2 |" in printed and "why before" not in printed
    assert str(published.site / "regrade.md") in printed


def test_without_anything_published_there_is_nothing_to_compare(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="Nothing is published yet"):
        find_changes(settings)


def test_scores_that_could_not_be_decided_have_no_mean() -> None:
    text = report(RegradeChanges(("a",), "b", 0, (), (ScoreChange("c", "op", None, None),)))
    assert "1 calls compared, 0 of them change" in text
