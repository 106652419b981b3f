"""Music, silence, ringing and noise give no words: alone, beside a voice, and inside a call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from models.registry import sha256_of
from pipelines.audio import step as audio
from pipelines.audio import voice_activity
from pipelines.core.errors import BadRecordingError
from pipelines.core.intervals import union
from pipelines.core.records import Call, Finding, Word
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.transcribe import step as transcribe
from tests import sounds

FRAME_S = 0.032
SOME = (
    "digital silence",
    "pink noise -20 dB",
    "mains hum",
    "ringback 440+480 Hz 2/4 (US)",
    "DTMF",
    "piano",
    "band",
    "typing",
)  # for every day


def call_of(path: Path) -> Call:
    return Call(path.stem, "irkutsk", str(path), sha256_of(path), path.stat().st_size, None)


def transcribed(paths: list[Path], settings: Settings) -> tuple[list[Word], list[Finding], Batch]:
    """The words of recordings that went through the audio and transcribe steps, and what was dropped."""
    batch = Batch(settings.stage / "batch")
    batch.write("calls", [call_of(path) for path in paths])
    audio.run(batch, settings)
    transcribe.run(batch, settings)
    return batch.read("words"), batch.read("dropped"), batch


@pytest.mark.parametrize("name", SOME)
def test_a_recording_of_a_sound_alone_is_not_a_call(tmp_path: Path, name: str) -> None:
    ending, codec = list(sounds.TELEPHONE.values())[SOME.index(name) % len(sounds.TELEPHONE)]
    path = sounds.write(tmp_path / f"sound{ending}", sounds.SOUNDS[name](12.0)[None], codec)
    with pytest.raises(BadRecordingError) as caught:
        audio.facts_of("c", audio.decode(path))
    assert caught.value.reason.status == "unscoreable"


def test_a_lone_blip_is_no_speech_and_the_same_beside_a_word_is() -> None:
    quiet, blip, word = [0.0] * 60, [0.4, 0.4, 0.3, 0.3, 0.3, 0.3], [0.9] * 20
    assert voice_activity.stretches(np.array(quiet + blip + quiet), FRAME_S, 10.0) == []
    both = voice_activity.stretches(np.array(quiet + blip + [0.0] * 14 + word + quiet), FRAME_S, 10.0)
    assert len(both) == 2 and both[0][0] == pytest.approx(60 * FRAME_S - voice_activity.PAD_S)


@hypothesis_settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=150), st.integers(0, 149))
def test_surer_frames_never_make_less_speech(probability: list[float], at: int) -> None:
    before = voice_activity.stretches(np.array(probability), FRAME_S, len(probability) * FRAME_S)
    probability[at % len(probability)] = 1.0
    after = voice_activity.stretches(np.array(probability), FRAME_S, len(probability) * FRAME_S)
    assert sum(b - a for a, b in union(after)) >= sum(b - a for a, b in union(before)) - 1e-9


@pytest.mark.slow
def test_music_and_ringing_around_a_voice_give_no_words(tmp_path: Path, calls_folder: Path, settings: Settings) -> None:
    """Mono: a caller hears ringing, speaks, waits with music, speaks. Stereo: the sounds lie on the other side's track."""
    voice = audio.decode(calls_folder / "audio" / "irkutsk-ru-001.ogg").tracks[0][: 6 * audio.RATE_HZ : 2]
    pause = np.zeros(sounds.RATE_HZ, np.float32)
    ringing, music = sounds.SOUNDS["ringback 425 Hz 1/4 (RU, UA)"](10.0), sounds.SOUNDS["piano"](12.0)
    mono = np.concatenate([ringing, voice, pause, music, pause, voice])
    other = np.concatenate([sounds.SOUNDS[name](5.0) for name in SOME])
    stereo = np.stack([np.pad(voice, (0, len(other) - len(voice))), other])
    paths = [sounds.write(tmp_path / "mono.wav", mono[None], "pcm_alaw"), sounds.write(tmp_path / "stereo.wav", stereo, "pcm_mulaw")]
    words, _, batch = transcribed(paths, settings)
    said = {"mono": ((10.0, 16.2), (30.0, 36.1)), "stereo": ((0.0, 6.2),)}
    for word in words:
        assert word.track == 0
        assert any(start <= word.start_s and word.end_s <= end for start, end in said[word.call_id]), word
    assert {w.call_id for w in words} == {"mono", "stereo"}
    holds = {facts.call_id: facts.holds for facts in batch.read("audio")}
    assert [h.kind for h in holds["mono"]] == ["music"]
