"""A folder of transcripts graded by the command: judged like recordings, without claims that need sound; bad files stop nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from models.registry import sha256_of
from pipelines import flow, warehouse
from pipelines.__main__ import main
from pipelines.core.records import Call
from pipelines.core.settings import Settings
from pipelines.quality.figures import figures_of
from pipelines.quality.gates import REPLAY_GROUP, shortfalls
from pipelines.quality.replay import staged
from tests.intake.bad_input import CALLS


@pytest.mark.slow
def test_transcripts_are_graded_like_recordings_but_without_what_needs_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = tmp_path / "received", tmp_path / "w.duckdb"
    shutil.copytree(CALLS / "reference", folder)
    shutil.copy(CALLS / "calls.csv", folder)
    (folder / "kyiv-en-002.json").write_text('{"turns": [{"role": "client"}]}')
    settings = Settings.from_environment(warehouse=file)
    command = ["grade", str(folder), "--transcripts", "--warehouse", str(file)]

    assert main(command) == 0

    first = warehouse.contents(settings.snapshot)
    with duckdb.connect(str(settings.snapshot), read_only=True) as db:
        media = db.execute("select status, medium, speech_model, channels, count(*) from calls group by all order by all").fetchall()
        clips = db.execute("select count(*) from coaching_clips").fetchone()
        levels = db.execute("select count(voice_level_db), count(*) filter (raised_voice), count(*) from turns").fetchone()
        private = db.execute("select count(*) from turns where text like '%семьдесят два, сорок пять%'").fetchone()
        reason = db.execute("select status_reason from calls where call_id = 'kyiv-en-002'").fetchone()
    assert media == [("graded", "transcript", "transcript", 0, len(first["calls"]) - 1), ("quarantined", "transcript", None, None, 1)]
    assert clips == (0,) and levels is not None and levels[:2] == (0, 0) and levels[2] > 100 and private == (0,)
    assert reason is not None and reason[0].startswith("kyiv-en-002.json is not a transcript: turns 1 text: field required")
    assert "from transcripts: no audio" in capsys.readouterr().out
    assert not list(settings.stage.rglob("spoken_turns.parquet"))
    assert not shortfalls({"transcripts": figures_of(staged(CALLS, settings.stage))}, of_group=REPLAY_GROUP)

    assert main(command) == 0
    assert warehouse.contents(settings.snapshot) == first


def test_a_recording_and_a_transcript_of_a_call_do_not_share_a_batch(tmp_path: Path) -> None:
    calls = [
        Call(f"c-{n}", "irkutsk", f"c-{n}", str(n) * 64, 1, None, medium=medium) for n, medium in enumerate(("recording", "transcript"))
    ]

    batches = flow.plan(calls, (), Settings.from_environment(warehouse=tmp_path / "w.duckdb"))

    assert sorted([call.medium for call in batch.calls()] for batch in batches) == [["recording"], ["transcript"]]


def test_a_step_that_runs_again_keeps_what_it_rejected(tmp_path: Path) -> None:
    path = tmp_path / "c-1.json"
    path.write_text("no transcript", encoding="utf-8")
    settings = Settings.from_environment(warehouse=tmp_path / "w.duckdb")
    call = Call("c-1", "irkutsk", str(path), sha256_of(path), path.stat().st_size, None, medium="transcript")
    (batch,) = flow.plan([call], (), settings)

    for _ in range(2):  # a run that was stopped, and the next one
        for step in flow.STEPS:
            flow.run_step(step, batch, settings)
        assert [row.call_id for row in batch.rejected()] == ["c-1"]
    assert not batch.has("words") and not batch.has("segments")  # nothing was transcribed
