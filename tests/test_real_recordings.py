from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.audio import step as audio
from pipelines.core.records import AudioFacts, Interval, Segment
from pipelines.core.settings import ROOT, Settings
from tests import sounds
from tests.benchmarks import real_recordings
from tests.spoken import dialogue

REAL = ROOT.parent / "shared" / "data" / "audio"
LINE = real_recordings.Line("f", "somebody", "MIT")


def test_words_and_roles_are_compared_with_the_text() -> None:
    line = replace(LINE)
    said = (("operator", "Добрый день, чем могу помочь?"), ("client", "У меня заблокировалась карта."))
    turns = dialogue(("operator", "Добрый день, чем помочь?"), ("operator", "У меня"), ("client", "заблокировалась карта."))
    real_recordings._add_text(line, said, turns)
    assert (line.reference_words, line.errors) == (9, 1)
    assert (line.role_words, line.role_given, line.role_right) == (8, 8, 6)


def test_a_recording_without_speech_has_only_errors() -> None:
    line = replace(LINE)
    real_recordings._add_text(line, (), dialogue(("unknown", "Спасибо.")))
    assert (line.reference_words, line.errors) == (0, 1)


def test_diarization_and_roles_are_compared_with_the_channels() -> None:
    line = replace(LINE)
    speech = (Interval(0, 0.0, 2.0), Interval(1, 2.0, 4.0))
    facts = AudioFacts("c", 4.0, 8000, "pcm", 2, 2, speech, (), 0.05, ((-20.0,) * 80,) * 2)
    heard = [Segment("c", 0, 0.0, 2.0, "A"), Segment("c", 0, 2.0, 4.0, "B")]
    real_recordings._add_channels(line, facts, heard, dialogue(("operator", "a b c d"), ("operator", "e f g h")))
    assert line.diarization_error == 0
    assert (line.role_words, line.role_right) == (8, 4)


def test_words_where_the_track_is_quiet_are_counted() -> None:
    line = replace(LINE)
    levels = ((-70.0,) * 40 + (-20.0,) * 40,)
    facts = AudioFacts("c", 4.0, 8000, "pcm", 1, 1, (), (), 0.05, levels)
    words = [real_recordings.Word("c", 0, start, start + 0.3, "да", 0.9, "ru") for start in (0.5, 3.0)]
    real_recordings._add_sound(line, facts, words, [])
    assert (line.words, line.words_in_silence) == (2, 1)


def test_the_two_sides_of_a_call_become_a_stereo_call_and_a_mixed_one(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    for side, level in (("agent", -20.0), ("caller", -30.0)):
        sounds.write(tmp_path / "en" / f"Auto_Repairs_49_UTC_{side}.wav", sounds.noise(4.0, level, seed=len(side))[None])
    stereo, mono = real_recordings.recordings(tmp_path, tmp_path)
    assert audio.decode(stereo.call.recording).tracks.shape[0] == 2
    mixed = audio.decode(mono.call.recording).tracks
    assert mixed.shape[0] == 1 and np.abs(mixed).max() > 0.1
    assert (stereo.call.operator_channel, mono.call.operator_channel) == (0, None)


def test_a_folder_without_known_recordings_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert real_recordings.main([str(tmp_path)]) == 2
    assert "No recording" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not at hand")
def test_real_recordings_are_transcribed_and_silence_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    folder = tmp_path / "real"
    for name in ("ru/golos_example.wav", "uk/prompts/4.wav", "uk/prompts/vm-leavemsg.wav", "uk/prompts/transcripts.tsv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(REAL / name)
    monkeypatch.setenv("CALLGRADE_MODELS_DIR", str(settings.models_dir))
    assert real_recordings.main([str(folder), "--json", str(tmp_path / "real.json")]) == 0
    of = {line["file"]: line for line in json.loads((tmp_path / "real.json").read_text())["real_recordings"]}
    assert of["ru/golos_example.wav"]["words"] >= 3 and of["ru/golos_example.wav"]["in_language"] >= 3
    prompts = of["uk/prompts"]
    assert prompts["not_graded"] == 1  # four seconds of silence
    assert prompts["reference_words"] == 6 and prompts["errors"] < 6
    assert prompts["words_with_role"] == 0  # a machine is neither operator nor client
