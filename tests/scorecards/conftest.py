"""A folder of profiles, and a site with two calls of its centre: one of yesterday, one of tomorrow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import flow
from pipelines.app_db.database import AppDatabase, open_store
from pipelines.centres.profile import CENTRES
from pipelines.core.records import TurnSentiment
from pipelines.core.settings import Settings, now
from pipelines.core.staging import Batch
from pipelines.score import signals
from pipelines.score import step as evaluate
from pipelines.turns.model_reading import NOTHING_READ
from tests.score.spoken import audio_of, call_of, turns_of
from tests.score.test_compliance import GOOD

TODAY = datetime(2026, 3, 10, 6, tzinfo=UTC)


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of profiles of its own, with the profile of Irkutsk."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "irkutsk.yaml").write_bytes((CENTRES / "irkutsk.yaml").read_bytes())
    monkeypatch.setenv("CALLGRADE_CENTRES", str(folder))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(TODAY.timestamp())))
    return folder


@pytest.fixture
def db(settings: Settings) -> AppDatabase:
    """The application database of the site."""
    return open_store(settings)


@pytest.fixture
def scored(settings: Settings, profiles: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two staged batches that were scored, `yesterday` and `tomorrow`; the turn model does not run."""
    monkeypatch.setattr(evaluate, "read_calls", lambda calls, *_: [NOTHING_READ for _ in calls])
    monkeypatch.setattr(signals, "judge_sentiment", lambda turns, *_: [TurnSentiment(t.call_id, t.turn_no, "neutral", 0.9) for t in turns])
    for name, days in (("yesterday", -1), ("tomorrow", 1)):
        turns = turns_of(*GOOD)
        batch = Batch(settings.stage / name)
        batch.write("calls", [replace(call_of("irkutsk", call_id=name, operator_id="op-1"), started_at=now() + timedelta(days=days))])
        batch.write_rejected("intake", [])
        batch.write("audio", [replace(audio_of(turns), call_id=name)])
        batch.write("turns", [replace(turn, call_id=name) for turn in turns])
        for kind in ("roles", "dropped", "personal_data"):
            batch.write(kind, [])
        rescore(settings)
    return settings


def rescore(settings: Settings) -> dict[str, str]:
    """Run the score step of each batch where it is due; the version that judged each call."""
    for file in sorted(settings.stage.glob("*/turns.parquet")):
        flow.run_step("score", Batch(file.parent), settings)
    return {
        file.parent.name: Batch(file.parent).read("evaluations")[0].scorecard_version
        for file in settings.stage.glob("*/evaluations.parquet")
    }
