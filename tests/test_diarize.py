from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from models import diarizer
from pipelines import audio, diarize
from pipelines.records import AudioFacts, Call, Interval
from pipelines.settings import Settings


def call_of(recording: Path) -> Call:
    return Call("c", "irkutsk", str(recording), "", 0, None)


def facts_with(tracks: int, *speech: Interval) -> AudioFacts:
    return AudioFacts("c", 60.0, 8000, "pcm", tracks, tracks, speech, (), 0.05, ())


def test_on_stereo_each_track_is_one_speaker_and_no_model_is_asked() -> None:
    def never() -> diarize.Diarize:
        raise AssertionError("the diarizer was loaded")

    speech = (Interval(0, 1, 3), Interval(1, 2.5, 6), Interval(0, 7, 8))
    segments = diarize.segments_of_call(call_of(Path("none.wav")), facts_with(2, *speech), never)
    assert [(s.track, s.start_s, s.end_s, s.speaker) for s in segments] == [
        (0, 1, 3, "track0"), (1, 2.5, 6, "track1"), (0, 7, 8, "track0"),
    ]  # fmt: skip


def test_where_the_diarizer_hears_nobody_all_speech_is_one_speakers(calls_folder: Path) -> None:
    call = call_of(calls_folder / "audio" / "kyiv-uk-001.ogg")
    segments = diarize.segments_of_call(call, facts_with(1, Interval(0, 1, 3), Interval(0, 5, 6)), lambda: lambda samples: [])
    assert [(s.start_s, s.end_s, s.speaker) for s in segments] == [(1, 3, "A"), (5, 6, "A")]


def test_what_is_heard_in_hold_music_is_left_out() -> None:
    heard = [diarizer.SpokenStretch(1, 4, "A"), diarizer.SpokenStretch(20, 30, "C")]
    assert diarize.within(heard, [Interval(0, 0.5, 3.5)]) == heard[:1]


voices = st.integers(2, 40).flatmap(
    lambda n: st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda labels: 0.2 < sum(labels) / len(labels) < 0.8)
)


@hypothesis_settings(deadline=None)
@given(voices, st.integers(0, 1000))
def test_two_unlike_voices_are_two_speakers(labels: list[bool], seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal((len(labels), 192)) * 0.03
    centres = np.eye(192)[:2]
    found = diarizer.voices_in_call(centres[np.array(labels, int)] + noise)
    assert {(a, int(b)) for a, b in zip(labels, found, strict=True)} in ({(True, 1), (False, 0)}, {(True, 0), (False, 1)})


def test_one_voice_is_one_speaker_and_a_clear_third_is_a_third() -> None:
    noise = np.random.default_rng(0).standard_normal((30, 192)) * 0.01
    eye = np.eye(192)
    assert diarizer.voices_in_call(eye[[0] * 30] + noise).max() == 0
    assert diarizer.voices_in_call(eye[[0, 1, 2] * 10] + noise).max() == 2
    assert diarizer.voices_in_call(np.zeros((0, 192))).size == 0


@pytest.mark.slow
def test_a_mono_call_is_split_between_its_two_people(calls_folder: Path, settings: Settings) -> None:
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    path = calls_folder / "audio" / "kyiv-uk-001.ogg"
    reference = json.loads((calls_folder / "reference" / "kyiv-uk-001.json").read_text(encoding="utf-8"))
    sound = audio.decode(path)
    facts = audio.facts_of("c", sound)
    segments = diarize.segments_of_call(call_of(path), facts, lambda: diarizer.get_diarizer("offline", settings.models_dir))
    assert {s.speaker for s in segments} == {"A", "B"}
    assert segments[0].speaker == "A"
    said, found = Annotation(), Annotation()
    for n, turn in enumerate(reference["turns"]):
        said[Segment(turn["start_s"], turn["end_s"]), n] = turn["role"]
    for n, s in enumerate(segments):
        found[Segment(s.start_s, s.end_s), n] = s.speaker
    extent = Segment(0, facts.duration_s)
    assert abs(DiarizationErrorRate(collar=0.25)(said, found, uem=Timeline([extent]))) < 0.12
