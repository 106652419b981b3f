from __future__ import annotations

import itertools
import json
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.audio import step as audio
from pipelines.audio import voice_activity
from pipelines.core.errors import BadRecordingError
from pipelines.core.intervals import union
from pipelines.core.records import Interval
from tests import sounds

RATE = audio.RATE_HZ


def write_wav(path: Path, samples: np.ndarray, rate_hz: int = 8000) -> Path:
    """Samples [channels, n] as 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.ascontiguousarray((np.clip(samples, -1, 1) * 32767).astype("<i2").T).tobytes())
    return path


@pytest.fixture(scope="session")
def stereo(calls_folder: Path) -> audio.DecodedAudio:
    """A shipped call whose two tracks are two people."""
    return audio.decode(calls_folder / "audio" / "irkutsk-ru-001.ogg")


@pytest.fixture(scope="session")
def voice(stereo: audio.DecodedAudio) -> np.ndarray:
    """Twelve seconds of one person."""
    return stereo.tracks[0][: 12 * RATE]


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz"),
    [
        ("a.wav", "pcm_s16le", 8000),
        ("a.wav", "pcm_mulaw", 8000),
        ("a.wav", "pcm_alaw", 8000),
        ("a.mp3", "libmp3lame", 16000),
        ("a.ogg", "libopus", 48000),
        ("a.m4a", "aac", 44100),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_of_recorders_is_decoded(tmp_path: Path, name: str, codec: str, rate_hz: int, channels: int) -> None:
    t = np.arange(4 * rate_hz) / rate_hz
    samples = np.stack([0.3 * np.sin(2 * np.pi * 440 * t), 0.3 * np.sin(2 * np.pi * 700 * t)])[:channels]
    sound = audio.decode(sounds.write(tmp_path / name, samples, codec, rate_hz))
    assert sound.tracks.shape[0] == sound.channels == channels
    assert sound.duration_s == pytest.approx(4, abs=0.1)
    assert audio.levels_db(sound.tracks)[:, 20:60] == pytest.approx(20 * np.log10(0.3 / 2**0.5), abs=1.5)


def test_a_wrong_extension_with_sound_inside_is_fine(tmp_path: Path, voice: np.ndarray) -> None:
    path = write_wav(tmp_path / "call.wav", voice[None])
    path.rename(tmp_path / "call.mp3")
    assert audio.decode(tmp_path / "call.mp3").codec == "pcm_s16le"


def test_doubled_mono_is_one_track_and_two_people_are_two(tmp_path: Path, stereo: audio.DecodedAudio, voice: np.ndarray) -> None:
    assert stereo.tracks.shape[0] == 2
    doubled = audio.decode(write_wav(tmp_path / "doubled.wav", np.stack([voice, 0.5 * voice]), RATE))
    assert (doubled.channels, doubled.tracks.shape[0]) == (2, 1)
    through_a_codec = audio.decode(sounds.write(tmp_path / "doubled.mp3", np.stack([voice, voice]), "libmp3lame", RATE))
    assert through_a_codec.tracks.shape[0] == 1


def test_a_dead_channel_leaves_one_track(tmp_path: Path, voice: np.ndarray) -> None:
    hum = 1e-4 * np.random.default_rng(1).standard_normal(len(voice))
    sound = audio.decode(write_wav(tmp_path / "dead.wav", np.stack([hum, voice]), RATE))
    assert sound.tracks.shape[0] == 1
    assert audio.levels_db(sound.tracks).max() > -30


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"This is a letter, not a recording.\n" * 400, "not audio"), (b"RIFF\x24\x00\x00\x00WAVE", "cannot|not audio|no ")],
)
def test_what_is_no_recording_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(content)
    with pytest.raises(BadRecordingError, match=reason):
        audio.decode(path)


@pytest.mark.parametrize("name", ["kredo-en-002.wav", "irkutsk-ru-001.ogg", "irkutsk-ru-009.mp3"])
def test_a_recording_that_is_cut_off_is_refused(tmp_path: Path, calls_folder: Path, name: str) -> None:
    data = (calls_folder / "audio" / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: len(data) // 3 + 7])
    with pytest.raises(BadRecordingError, match="cut off"):
        audio.decode(path)


def test_a_streamed_wav_without_a_length_is_fine(tmp_path: Path, voice: np.ndarray) -> None:
    path = write_wav(tmp_path / "streamed.wav", voice[None], RATE)
    data = bytearray(path.read_bytes())
    data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert audio.decode(path).duration_s == pytest.approx(12, abs=0.1)


def test_a_recording_with_damage_in_the_middle_is_refused(tmp_path: Path, calls_folder: Path) -> None:
    data = bytearray((calls_folder / "audio" / "irkutsk-ru-009.mp3").read_bytes())
    for at in range(len(data) // 4, 3 * len(data) // 4):
        data[at] = (at * 7919) % 251
    path = tmp_path / "damaged.mp3"
    path.write_bytes(data)
    with pytest.raises(BadRecordingError, match=r"damaged|cut off"):
        audio.decode(path)


def test_more_than_two_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecordingError, match="4 channels"):
        audio.decode(write_wav(tmp_path / "four.wav", np.full((4, 40000), 0.1)))


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(10 * RATE), "silent"),
        (np.full(RATE, 0.1), "lasts 1.0 s"),
        (0.05 * np.random.default_rng(2).standard_normal(20 * RATE), "Nobody speaks"),
        (0.1 * sum(np.sin(2 * np.pi * f * np.arange(20 * RATE) / RATE) for f in (262, 330, 392)), "Nobody speaks.*music"),
    ],
    ids=["silence", "short", "noise", "music"],
)
def test_a_sound_recording_in_which_nobody_speaks_is_unscoreable(samples: np.ndarray, reason: str) -> None:
    with pytest.raises(BadRecordingError, match=reason) as caught:
        audio.facts_of("c", audio.DecodedAudio(samples.astype(np.float32)[None], 1, RATE, "pcm"))
    assert caught.value.reason.status == "unscoreable"


def test_speech_and_holds_are_where_the_reference_says(calls_folder: Path) -> None:
    for call_id, file in (("kredo-en-002", "kredo-en-002.wav"), ("kredo-ru-007", "kredo-ru-007.ogg")):
        reference = json.loads((calls_folder / "reference" / f"{call_id}.json").read_text(encoding="utf-8"))
        facts = audio.facts_of(call_id, audio.decode(calls_folder / "audio" / file))
        assert [h.kind for h in facts.holds] == [h["sound"] for h in reference["holds"]]
        for found, true in zip(facts.holds, reference["holds"], strict=True):
            assert (found.start_s, found.end_s) == (pytest.approx(true["start_s"], abs=1.5), pytest.approx(true["end_s"], abs=1.5))
        spoken = union((i.start_s, i.end_s) for i in facts.speech)
        said = union((t["start_s"], t["end_s"]) for t in reference["turns"])
        both = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in spoken for b in said)
        assert both > 0.88 * sum(b - a for a, b in said)
        assert both > 0.93 * sum(b - a for a, b in spoken)


def test_a_voice_that_leaks_over_is_not_speech_of_the_other_track(stereo: audio.DecodedAudio) -> None:
    clean = voice_activity.speech_intervals(stereo.tracks, RATE)
    echo = np.zeros_like(stereo.tracks)
    echo[:, 320:] = 0.12 * stereo.tracks[::-1][:, :-320]  # 18 dB down, 20 ms late
    leaky = voice_activity.speech_intervals(stereo.tracks + echo, RATE)
    for track in (0, 1):
        expected = sum(i.end_s - i.start_s for i in clean if i.track == track)
        found = sum(i.end_s - i.start_s for i in leaky if i.track == track)
        assert found == pytest.approx(expected, rel=0.12)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=200))
def test_stretches_of_speech_are_ordered_apart_and_inside_the_recording(probability: list[float]) -> None:
    length_s = len(probability) * 0.032
    found = voice_activity.stretches(np.array(probability), 0.032, length_s)
    assert all(0 <= start < end <= length_s + 1e-9 for start, end in found)
    assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(found))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20)), max_size=20))
def test_no_hold_overlaps_speech_or_is_short(spans: list[tuple[float, float]]) -> None:
    speech = [Interval(0, start, start + length) for start, length in spans]
    holds = voice_activity.find_holds(speech, np.full((1, 2400), -60.0), 0.05, 120.0)
    for hold in holds:
        assert hold.end_s - hold.start_s >= voice_activity.MIN_HOLD_S - 0.01
        assert all(i.end_s <= hold.start_s + 0.01 or i.start_s >= hold.end_s - 0.01 or i.end_s == i.start_s for i in speech)


@pytest.mark.parametrize("ending", [".wav", ".ogg"])
def test_a_clip_holds_the_range_and_its_beeps(tmp_path: Path, calls_folder: Path, ending: str) -> None:
    source = calls_folder / "audio" / "irkutsk-ru-001.ogg"
    clip = audio.decode(audio.cut_clip(source, 10.0, 16.0, [(9.0, 10.5), (13.0, 14.0)], tmp_path / f"clip{ending}"))
    whole = audio.decode(source)
    assert clip.duration_s == pytest.approx(6, abs=0.1)
    a, b = audio.levels_db(clip.tracks), audio.levels_db(whole.tracks)[:, 200:320]
    assert np.median(np.abs(a[:, 85:115] - b[:, 85:115])) < 2.5  # after the beeps: as it was
    assert a[:, 62:78] == pytest.approx(-23.0, abs=1.5)  # under a beep: the tone, on both channels
    assert [p.name for p in tmp_path.iterdir()] == [f"clip{ending}"]


def test_a_clip_of_nothing_is_an_error(tmp_path: Path, calls_folder: Path) -> None:
    with pytest.raises(ValueError, match="lasts 61"):
        audio.cut_clip(calls_folder / "audio" / "irkutsk-ru-001.ogg", 80, 90, [], tmp_path / "clip.wav")
