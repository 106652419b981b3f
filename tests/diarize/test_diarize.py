from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from models.diarization import diarizer, voices
from models.diarization.diarizer import SpokenStretch
from models.diarization.voices import VoiceSegment
from pipelines.audio import step as audio
from pipelines.core.records import AudioFacts, Call, Interval
from pipelines.core.settings import Settings
from pipelines.diarize import step as diarize


def call_of(recording: Path, call_id: str = "c") -> Call:
    return Call(call_id, "irkutsk", str(recording), "", 0, None)


def facts_with(tracks: int, *speech: Interval, call_id: str = "c") -> AudioFacts:
    return AudioFacts(call_id, 60.0, 8000, "pcm", tracks, tracks, speech, (), 0.05, ())


class HearsNobody:
    def diarize(self, sounds: Iterable[audio.Samples]) -> Iterator[list[SpokenStretch]]:
        return ([] for _ in sounds)


def test_on_stereo_each_track_is_one_speaker_and_no_model_is_asked() -> None:
    def never() -> diarizer.Diarizer:
        raise AssertionError("the diarizer was loaded")

    speech = (Interval(0, 1, 3), Interval(1, 2.5, 6), Interval(0, 7, 8))
    segments, rejected = diarize.segments_of_calls([call_of(Path("none.wav"))], {"c": facts_with(2, *speech)}, never)
    assert [(s.track, s.start_s, s.end_s, s.speaker) for s in segments["c"]] == [
        (0, 1, 3, "track0"), (1, 2.5, 6, "track1"), (0, 7, 8, "track0"),
    ]  # fmt: skip
    assert not rejected


def test_where_the_diarizer_finds_nobody_all_speech_is_one_speakers(calls_folder: Path) -> None:
    call = call_of(calls_folder / "audio" / "kyiv-uk-001.ogg")
    segments, _ = diarize.segments_of_calls([call], {"c": facts_with(1, Interval(0, 1, 3), Interval(0, 5, 6))}, HearsNobody)
    assert [(s.start_s, s.end_s, s.speaker) for s in segments["c"]] == [(1, 3, "A"), (5, 6, "A")]


def test_a_recording_that_is_gone_is_rejected_and_the_others_are_transcribed(calls_folder: Path, tmp_path: Path) -> None:
    good = calls_folder / "audio" / "kyiv-uk-001.ogg"
    calls = [call_of(good, "a"), call_of(tmp_path / "gone.wav", "b"), call_of(good, "c")]
    facts = {call.call_id: facts_with(1, Interval(0, n, n + 1), call_id=call.call_id) for n, call in enumerate(calls)}
    segments, rejected = diarize.segments_of_calls(calls, facts, HearsNobody)
    assert [row.call_id for row in rejected] == ["b"]
    assert {call_id: [s.start_s for s in own] for call_id, own in segments.items()} == {"a": [0], "c": [2]}


def test_speech_in_hold_music_is_left_out() -> None:
    stretches = [SpokenStretch(1, 4, "A"), SpokenStretch(20, 30, "C")]
    assert diarize.within(stretches, [Interval(0, 0.5, 3.5)]) == stretches[:1]


def voices_of(embeddings: voices.Embeddings) -> npt.NDArray[np.int_]:
    """Of pieces of two seconds."""
    return voices.voices_in_call(embeddings, np.full(len(embeddings), 2.0))


parted = st.integers(3, 40).flatmap(  # with two pieces there are less than five seconds of speech
    lambda n: st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda labels: 0.2 < sum(labels) / len(labels) < 0.8)
)


@hypothesis_settings(deadline=None)
@given(parted, st.integers(0, 1000))
def test_two_unlike_voices_are_two_speakers(labels: list[bool], seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal((len(labels), 192)) * 0.03
    centres = np.eye(192)[:2]
    found = voices_of(centres[np.array(labels, int)] + noise)
    assert {(a, int(b)) for a, b in zip(labels, found, strict=True)} in ({(True, 1), (False, 0)}, {(True, 0), (False, 1)})


def test_one_voice_is_one_speaker_and_a_clear_third_is_a_third() -> None:
    noise = np.random.default_rng(0).standard_normal((30, 192)) * 0.01
    eye = np.eye(192)
    assert voices_of(eye[[0] * 30] + noise).max() == 0
    assert voices_of(eye[[0, 1, 2] * 10] + noise).max() == 2
    assert voices_of(np.zeros((0, 192))).size == 0
    assert voices_of(eye[[0, 1] * 4 + [2]]).max() == 1, "a single odd piece is no third person"


@given(st.integers(0, 1000), st.integers(2, 60))
def test_one_voice_in_two_moods_is_one_speaker(seed: int, pieces: int) -> None:
    """Embeddings of one voice spread around a centre, as those of a monologue do."""
    draw = np.random.default_rng(seed)
    spread = np.eye(192)[0] + draw.standard_normal((pieces, 192)) * 0.04  # cosines of about 0.75, as between pieces of one real voice
    assert voices_of(spread).max() == 0


def test_pieces_hold_one_speaker_each_and_are_not_longer_than_asked() -> None:
    active = np.zeros((1000, 3), bool)
    active[100:550, 1] = True
    active[500:700, 2] = True
    pieces = voices.cut_pieces(active, 150)
    assert [(p.first, p.last, p.is_overlap) for p in pieces] == [
        (100, 233, False), (233, 367, False), (367, 500, False), (500, 550, True), (550, 700, False),
    ]  # fmt: skip
    assert voices.cut_pieces(np.zeros((0, 3), bool), 200) == voices.cut_pieces(np.zeros((50, 3), bool), 200) == []


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), max_size=200), st.integers(1, 50))
def test_the_stretches_of_all_speakers_cover_exactly_the_detected_speech(frames: list[list[bool]], longest: int) -> None:
    active = np.array(frames, bool).reshape(-1, 3)
    pieces = voices.cut_pieces(active, longest)
    covered = np.zeros(len(active), bool)
    for first, last, _ in voices.stretches_of(pieces, voices.speakers_of_pieces(pieces, {})):
        covered[first:last] = True
    assert (covered == active.any(axis=1)).all()


def test_a_short_piece_without_a_voice_goes_with_its_sentence_and_talking_over_is_both() -> None:
    eye = np.eye(192)
    pieces = [
        VoiceSegment(0, 200, False),
        VoiceSegment(200, 220, False),
        VoiceSegment(220, 260, True),
        VoiceSegment(260, 460, False),
        VoiceSegment(520, 720, False),
    ]
    speakers = voices.speakers_of_pieces(pieces, {0: eye[0], 3: eye[1], 4: eye[0]})
    assert speakers[0] == speakers[1] == speakers[4] != speakers[3]
    a, b = speakers[0], speakers[3]
    assert voices.stretches_of(pieces, speakers) == sorted([(0, 260, a), (220, 460, b), (520, 720, a)])


def test_the_fast_voice_network_gives_each_row_what_it_gets_alone(settings: Settings) -> None:
    import torch

    from models import installed, registry
    from models.diarization.campplus import CamPlusPlus

    entry = registry.entry("offline", "embedding")
    network = CamPlusPlus(installed.weights(settings.models_dir, entry) / "campplus_cn_en_common.pt")
    features = torch.randn(3, 220, 80, generator=torch.Generator().manual_seed(1))
    together = network(features)
    alone = torch.cat([network(row[None]) for row in features])
    assert together.shape == (3, 192)
    assert torch.allclose(together, alone, atol=1e-4)


@pytest.fixture(scope="session")
def samples(calls_folder: Path) -> list[audio.Samples]:
    """The first 16 s of four shipped calls, mixed to one channel where they have two."""
    paths = sorted((calls_folder / "audio").iterdir())[:4]
    return [audio.decode(path).tracks.mean(axis=0)[: 16 * audio.RATE_HZ] for path in paths]


def test_the_result_does_not_depend_on_how_calls_are_grouped(
    samples: list[audio.Samples], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = diarizer.get_diarizer("offline", settings.models_dir)
    together = list(ours.diarize(samples))
    assert all({s.speaker for s in stretches} == {"A", "B"} for stretches in together)
    assert list(ours.diarize(samples[::-1]))[::-1] == together
    monkeypatch.setattr(diarizer, "GROUP_S", 1.0)
    assert list(ours.diarize(samples)) == together


def test_sounds_that_hold_nothing_do_not_disturb_their_neighbours(samples: list[audio.Samples], settings: Settings) -> None:
    ours = diarizer.get_diarizer("offline", settings.models_dir)
    broken = np.full(5 * audio.RATE_HZ, np.nan, np.float32)
    sounds = [samples[0][:100], np.zeros(0, np.float32), samples[1], np.zeros(12 * audio.RATE_HZ, np.float32), broken]
    found = list(ours.diarize(sounds))
    assert [bool(stretches) for stretches in found] == [False, False, True, False, False]
    assert found[2] == next(iter(ours.diarize([samples[1]])))
    assert list(ours.diarize([])) == []


@pytest.mark.slow
def test_a_mono_call_is_split_between_its_two_people(calls_folder: Path, settings: Settings) -> None:
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    path = calls_folder / "audio" / "kyiv-uk-001.ogg"
    reference = json.loads((calls_folder / "reference" / "kyiv-uk-001.json").read_text(encoding="utf-8"))
    sound = audio.decode(path)
    facts = audio.facts_of("c", sound)
    by_call, _ = diarize.segments_of_calls([call_of(path)], {"c": facts}, lambda: diarizer.get_diarizer("offline", settings.models_dir))
    segments = by_call["c"]
    assert {s.speaker for s in segments} == {"A", "B"}
    assert segments[0].speaker == "A"
    said, found = Annotation(), Annotation()
    for n, turn in enumerate(reference["turns"]):
        said[Segment(turn["start_s"], turn["end_s"]), n] = turn["role"]
    for n, s in enumerate(segments):
        found[Segment(s.start_s, s.end_s), n] = s.speaker
    extent = Segment(0, facts.duration_s)
    assert abs(DiarizationErrorRate(collar=0.25)(said, found, uem=Timeline([extent]))) < 0.12
