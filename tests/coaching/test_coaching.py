from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import warehouse
from pipelines.audio import step as audio
from pipelines.coaching import clip_extraction
from pipelines.core import staging
from pipelines.core.errors import MisconfiguredError
from pipelines.core.published import open_published
from pipelines.core.records import Clip
from pipelines.core.settings import Settings
from tests.web.made_calls import Made, cut_clips, load_and_publish, pitch_hz, record, some_calls

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def published_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the made-up calls, published, and a recording of each."""
    folder = tmp_path_factory.mktemp("published")
    for made in some_calls():
        record(made, folder / "recordings")
    load_and_publish(Settings.from_environment(warehouse=folder / "callgrade.duckdb"), some_calls(), recordings=folder / "recordings")
    return folder


@pytest.fixture
def recordings(published_once: Path, settings: Settings) -> dict[str, Path]:
    """A copy of the published calls for this test's settings; the recordings by call id."""
    shutil.copytree(published_once, settings.warehouse.parent, dirs_exist_ok=True)
    return {file.stem: file for file in (settings.warehouse.parent / "recordings").iterdir()}


def tone_hz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * audio.RATE_HZ / len(samples))


def test_clips_are_cut_with_a_side_car_and_their_rows_reach_the_published_view(settings: Settings, recordings: dict[str, Path]) -> None:
    clips = cut_clips(settings, recordings)
    warehouse.publish(settings)
    assert {clip.kind for clip in clips} == {"good_example", "to_improve"}
    for clip in clips:
        side_car = json.loads((settings.site / clip.path).with_suffix(".json").read_text(encoding="utf-8"))
        assert side_car["clip_id"] == clip.clip_id and side_car["criterion_id"] == clip.criterion_id
        length_s = audio.decode(settings.site / clip.path).tracks.shape[1] / audio.RATE_HZ
        assert length_s == pytest.approx(clip.end_s - clip.start_s, abs=0.1)
    with open_published(settings) as published:
        rows = published.rows("select clip_id, masked, expires_at, evaluated_at from coaching_clips join evaluations using (call_id)")
    assert {row["clip_id"] for row in rows} == {clip.clip_id for clip in clips}
    assert all(row["masked"] and row["expires_at"] == row["evaluated_at"] + timedelta(days=settings.retention_days) for row in rows)


def test_personal_data_is_beeped_and_the_rest_is_audible(settings: Settings, recordings: dict[str, Path]) -> None:
    beeped = 0
    for clip in cut_clips(settings, recordings):
        sound = audio.decode(settings.site / clip.path).tracks[0]
        beeps = json.loads((settings.site / clip.path).with_suffix(".json").read_text(encoding="utf-8"))["beeps"]
        for start_s, end_s in beeps:
            inside = sound[int((start_s - clip.start_s + 0.05) * audio.RATE_HZ) : int((end_s - clip.start_s - 0.05) * audio.RATE_HZ)]
            assert tone_hz(inside) == pytest.approx(1000, abs=30)
            beeped += 1
        assert tone_hz(sound) == pytest.approx(pitch_hz(clip.call_id), abs=10)
    assert beeped


def test_spoken_data_is_beeped_over_the_whole_stretch(settings: Settings, recordings: dict[str, Path]) -> None:
    with open_published(settings) as published:
        planned = clip_extraction.plan(published, settings.retention_days, datetime(2026, 1, 1, tzinfo=UTC))
        personal = published.rows("select * from personal_data")
    for wanted in planned:
        for row in personal:
            inside = row["call_id"] == wanted.clip.call_id and row["end_s"] > wanted.clip.start_s and row["start_s"] < wanted.clip.end_s
            covered = any(
                s <= max(row["start_s"], wanted.clip.start_s) and e >= min(row["end_s"], wanted.clip.end_s) for s, e in wanted.beeps
            )
            assert covered or not inside


def test_publishing_plans_the_clips_of_touched_months_and_cuts_what_is_missing(settings: Settings, recordings: dict[str, Path]) -> None:
    def published() -> list[Clip]:
        clips: list[Clip] = []
        warehouse.publish(settings, lambda checked: clips.extend(clip_extraction.cut(checked, settings, recordings, only_touched=True)))
        return clips

    first = published()
    lost = settings.site / first[0].path
    lost.unlink()
    assert published() == first and lost.exists()
    later = replace(some_calls()[0], call_id="kyiv-later", started_at=datetime(2026, 5, 4, 9, 0, tzinfo=UTC))
    recordings[later.call_id] = record(later, settings.warehouse.parent / "recordings")
    load_and_publish(settings, [later], recordings=settings.warehouse.parent / "recordings")
    second = published()
    assert [clip for clip in second if clip.call_id != later.call_id] == first
    assert {clip.call_id for clip in second} > {clip.call_id for clip in first}
    assert sorted(cut_clips(settings, recordings), key=str) == sorted(second, key=str)  # the same as planning all from scratch


def test_running_twice_cuts_nothing_again(settings: Settings, recordings: dict[str, Path]) -> None:
    first = cut_clips(settings, recordings)
    times = {file: file.stat().st_mtime_ns for file in settings.clips.iterdir()}
    assert cut_clips(settings, recordings) == first
    assert {file: file.stat().st_mtime_ns for file in settings.clips.iterdir()} == times
    assert cut_clips(settings, {}) == first  # the recordings may be gone by then


def test_nothing_is_cut_from_a_recording_that_was_exchanged(settings: Settings, recordings: dict[str, Path]) -> None:
    """The personal data of another recording lies elsewhere, and would not be beeped."""
    shutil.copyfile(recordings["kyiv-1"], recordings["kyiv-2"])
    assert {clip.call_id for clip in cut_clips(settings, recordings)} >= {"kyiv-1"}
    assert "kyiv-2" not in {clip.call_id for clip in cut_clips(settings, recordings)}


def test_a_missing_or_broken_recording_costs_only_its_own_clips(settings: Settings, recordings: dict[str, Path]) -> None:
    recordings["kyiv-1"].unlink()
    recordings["kyiv-2"].write_bytes(b"no sound at all")
    clips = cut_clips(settings, recordings)
    assert clips
    assert not {"kyiv-1", "kyiv-2"} & {clip.call_id for clip in clips}
    assert {file.stem for file in settings.clips.iterdir()} == {clip.clip_id for clip in clips}


def test_expired_clips_go_away(settings: Settings, recordings: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert cut_clips(settings, recordings)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(LATER.timestamp())))
    assert cut_clips(settings, recordings) == []
    assert list(settings.clips.iterdir()) == []


def test_clips_are_few_and_balanced(settings: Settings) -> None:
    line = [
        ("operator", "Good afternoon, this is Kredo Telecom."),
        ("client", "Hello, my line is down."),
        ("operator", "I am sorry, it is fixed now."),
    ]
    verdicts = [("greeting", "pass", 1, ""), ("company_named", "pass", 1, ""), ("operator_named", "pass", 1, ""), ("empathy_shown", "pass", 3, ""),
                ("solution_given", "pass", 3, ""), ("farewell", "fail", None, "")]  # fmt: skip
    load_and_publish(settings, [Made(f"call-{n:02}", "kredo", "en", line, verdicts=verdicts) for n in range(12)])
    with open_published(settings) as published:
        planned = clip_extraction.plan(published, settings.retention_days, datetime(2026, 1, 1, tzinfo=UTC))
    by_call: dict[tuple[str, str], int] = {}
    by_criterion: dict[tuple[str, str], int] = {}
    for clip in (wanted.clip for wanted in planned):
        by_call[clip.call_id, clip.kind] = by_call.get((clip.call_id, clip.kind), 0) + 1
        by_criterion[clip.criterion_id, clip.kind] = by_criterion.get((clip.criterion_id, clip.kind), 0) + 1
    assert max(by_call.values()) <= clip_extraction.PER_CALL
    assert max(by_criterion.values()) <= clip_extraction.PER_CRITERION
    assert {"empathy_shown", "solution_given"} <= {criterion for criterion, _ in by_criterion}  # what teaches most goes first
    assert {kind for _, kind in by_criterion} == {"good_example", "to_improve"}


def test_export_copies_what_was_asked_for(settings: Settings, recordings: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="callgrade grade"):
        clip_extraction.export_clips(settings, tmp_path / "none")
    clips = cut_clips(settings, recordings)
    out = tmp_path / "lesson"
    copied = clip_extraction.export_clips(settings, out, kind="to_improve", call_id="kyiv-2")
    wanted = {clip.clip_id for clip in clips if clip.kind == "to_improve" and clip.call_id == "kyiv-2"}
    assert wanted and {file.stem for file in copied} == wanted
    assert {file.name for file in out.iterdir()} == {f"{name}.{kind}" for name in wanted for kind in ("ogg", "json")}
    assert len(clip_extraction.export_clips(settings, out)) == len(clips)


def test_raw_words_of_personal_data_never_stand_beside_a_clip(settings: Settings, tmp_path: Path) -> None:
    rows = {
        "call_id": "x",
        "recording_sha256": "0",
        "criterion_id": "greeting",
        "kind": "good_example",
        "evaluated_at": LATER,
        "duration_s": 9.0,
    }
    said = rows | {"start_s": 1.0, "end_s": 3.0, "quote": "Anna Smith speaking"}
    assert clip_extraction._planned(said, [], [(2.0, 2.5)], 45).clip.quote is None
    assert clip_extraction._planned(said, [], [(5.0, 5.5)], 45).clip.quote == "Anna Smith speaking"
    assert clip_extraction._planned(said | {"quote": "[NAME] speaking"}, [], [(2.0, 2.5)], 45).clip.quote == "[NAME] speaking"


def test_the_rows_survive_the_way_through_parquet(settings: Settings, recordings: dict[str, Path]) -> None:
    clips = cut_clips(settings, recordings)
    assert staging.read_records(settings.site / "clips.parquet", Clip) == clips


SPAN = st.tuples(st.floats(0, 100), st.floats(0.1, 10)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(SPAN, st.lists(SPAN, max_size=8), st.floats(0, 20))
def test_context_holds_the_evidence_and_stays_in_the_call(
    evidence: tuple[float, float], turns: list[tuple[float, float]], rest_s: float
) -> None:
    duration_s = evidence[1] + rest_s
    start_s, end_s = clip_extraction.with_context(evidence, sorted(turns), duration_s)
    assert -0.01 <= start_s <= evidence[0] + 0.01
    assert evidence[1] - 0.01 <= end_s <= duration_s + 0.01
    assert end_s - start_s <= evidence[1] - evidence[0] + 2 * (clip_extraction.CONTEXT_S + clip_extraction.SNAP_S) + 0.02


@given(SPAN, st.lists(SPAN, max_size=8))
def test_beeps_cover_all_personal_data_within_the_clip_and_never_overlap(
    clip: tuple[float, float], personal: list[tuple[float, float]]
) -> None:
    beeps = clip_extraction.beeps_within(clip, personal)
    assert all(clip[0] - 0.001 <= s <= e <= clip[1] + 0.001 for s, e in beeps)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(beeps))
    for start_s, end_s in personal:
        inside = (max(start_s, clip[0]), min(end_s, clip[1]))
        if inside[1] > inside[0]:
            assert any(s - 0.001 <= inside[0] and inside[1] <= e + 0.001 for s, e in beeps)
