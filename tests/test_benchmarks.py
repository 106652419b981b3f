"""The benchmarks measure what they claim: their arithmetic, the input of each engine, and short real runs."""

from __future__ import annotations

import csv
import json
import re
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import installed
from pipelines.audio import step as audio
from pipelines.core.settings import ROOT, Settings
from pipelines.core.staging import Batch
from pipelines.intake.folder import read_folder
from tests.benchmarks import __main__ as command
from tests.benchmarks import callgrade_engine, gpu, growth, judgement, peers, report, speech, stages, transcription
from tests.benchmarks.processes import Engine, EngineError
from tests.benchmarks.whole import Run
from tests.staged import call

SAID = (("добрый", "день"), ("у", "меня", "вопрос"))


@pytest.fixture(scope="module")
def short_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first eight seconds of a stereo call and of a mono one, with their log and what was said in them."""
    folder, source = tmp_path_factory.mktemp("short"), ROOT / "tests" / "calls"
    growth.repeat(source, 2, 8.0, folder)
    (folder / "reference").mkdir()
    for made in read_folder(folder).calls:
        reference = json.loads((source / "reference" / f"{made.call_id.removesuffix('-0000')}.json").read_text(encoding="utf-8"))
        reference["turns"] = [turn for turn in reference["turns"] if turn["end_s"] < 8.0]
        (folder / "reference" / f"{made.call_id}.json").write_text(json.dumps(reference), encoding="utf-8")
    return folder


def spoken(call_id: str = "c", said: tuple[tuple[str, ...], ...] = SAID) -> speech.Spoken:
    return speech.Spoken(call(call_id), tuple(Path(f"{call_id}.{n}.wav") for n in range(len(said))), 60.0, "ru", said)


def recognised(*texts: str) -> dict[str, list[tuple[float, float, str]]]:
    return {f"c.{n}": [(0.0, 1.0, f" {word}") for word in text.split()] for n, text in enumerate(texts)}


def test_word_errors_are_counted_over_the_tracks_whichever_of_them_is_the_operators() -> None:
    assert speech.errors(spoken(), recognised("Добрый день!", "у меня вопрос")).wrong == 0
    assert speech.errors(spoken(), recognised("у меня вопрос", "добрый день")).wrong == 0
    assert speech.errors(spoken(), recognised("добрый день", "у него вопрос есть")) == speech.Errors(2, 5)
    assert speech.errors(spoken(), {}).percent == 100.0
    assert speech.errors(spoken(said=((), ("алло",))), recognised("шум шум", "алло")) == speech.Errors(2, 1)


def test_every_call_is_dealt_to_one_round_and_each_engine_begins_in_its_turn() -> None:
    calls = [spoken(str(n)) for n in range(7)]
    dealt = speech.rounds(calls, 3)
    assert sorted(part.key for deal in dealt for part in deal) == [str(n) for n in range(7)]
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert len(speech.rounds(calls[:2], 3)) == 2
    orders = transcription.orders(["a", "b", "c"])
    assert [next(orders) for _ in range(3)] == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]


def test_a_score_adds_up_its_rounds_and_the_table_divides_by_callgrade() -> None:
    own, peer = transcription.Score("callgrade"), transcription.Score("whisperx")
    for _ in range(2):
        own.add(
            {"stages": {"audio": [1.0, 1.5], "transcribe": [4.0, 6.5]}, "heard": recognised("добрый день", "у вопрос"), "peak_mb": 500},
            [spoken()],
        )
        peer.add({"stages": {"transcribe": [15.0, 24.0]}, "heard": recognised("добрый день", "у меня вопрос"), "peak_mb": 900}, [spoken()])
    result = transcription.as_result([own, peer], [spoken()])
    assert result["engines"]["callgrade"] | {"peak_mb": 0} == {
        "wall_s": 10.0, "cpu_s": 16.0, "audio_step_wall_s": 2.0, "audio_step_cpu_s": 3.0, "load_s": 0.0, "peak_mb": 0, "wer": {"ru": 20.0, "all": 20.0},
    }  # fmt: skip
    table = transcription.table({**result, "folder": "calls", "weights": "whisper-base", "compute_type": "int8", "threads": 2})
    assert "| WhisperX (no word times) | 30.0 | 48.0 | 2.0 | 3.00 | 3.00 | 900 | 0.0 | 0.0 |" in table
    assert "| - of it after reading and VAD | 8.00 | 13.00 |  | 0.80 | 0.81 |" in table


def test_a_table_has_as_many_cells_in_each_row_as_in_its_head() -> None:
    assert report.markdown(["what", "s"], [["a", 1], ["b", 2.5]]) == "| what | s |\n| --- | ---: |\n| a | 1 |\n| b | 2.5 |"
    with pytest.raises(ValueError, match="A row of 1 cells"):
        report.markdown(["what", "s"], [["a"]])
    assert (report.ratio(3.0, 2.0), report.ratio(3.0, 0.0)) == ("1.50", "")


def test_growth_and_stages_divide_by_calls_and_by_seconds() -> None:
    ten = Run(10, 0, 600.0, {"models": [2.0, 2.0], "audio": [5.0, 8.0], "transcribe": [20.0, 30.0], "score": [3.0, 5.0]}, [700.0], 700.0)
    hundred = Run(
        100, 1, 6000.0, {"audio": [50.0, 80.0], "transcribe": [190.0, 300.0], "score": [30.0, 52.5]}, [710.0, 720.0, 650.0], 720.0
    )
    assert growth.table([ten, hundred]).splitlines()[2:] == [
        "| 10 | 0 | 10.0 | 3.80 | 4.50 | 3.00 | 20.0 | 1 | 700 | 700, 700 |  |",
        "| 100 | 1 | 100.0 | 3.80 | 4.33 | 2.70 | 22.2 | 3 | 720 | 710, 720 | 0.96 |",
    ]
    lines = stages.table({"stereo": ten}).splitlines()
    assert "| audio | 5.00 | 8.00 | 18 % | 120.0 |" in lines
    assert lines[-2:] == ["| hearing (audio to diarize) | 25.00 | 38.00 | 84 % | 24.0 |", "| all | 30.00 | 45.00 | 100 % | 20.0 |"]


def test_repeated_calls_are_other_recordings_with_the_same_sound(short_folder: Path, tmp_path: Path) -> None:
    growth.repeat(short_folder, 5, 2.0, tmp_path)
    found = read_folder(tmp_path)
    assert (len(found.calls), found.rejected) == (5, [])
    first, again = (next(c for c in found.calls if c.call_id == f"irkutsk-ru-001-0000-000{n}") for n in (0, 1))
    assert (first.operator_id, first.started_at, first.language) == (again.operator_id, again.started_at, again.language)
    one, other = audio.decode(first.recording).tracks, audio.decode(again.recording).tracks
    assert (one.shape, other.shape) == ((2, 32_000), (2, 32_001))
    assert (other[:, :-1] == one).all()


def test_a_call_with_a_known_language_is_transcribed_in_that_one_only(tmp_path: Path) -> None:
    from pipelines.centres import profile
    from pipelines.transcribe.language_id import allowed

    batch = Batch(tmp_path / "batch")
    batch.write("calls", [call("a"), call("b", language="ru")])
    with callgrade_engine.languages_given(batch, {"a": "uk", "b": "hu"}):
        assert [list(allowed(profile.load_centre(c.centre_id).languages, c.language)) for c in batch.read("calls")] == [["uk"], ["hu"]]
    with callgrade_engine.languages_given(batch, None):
        assert [c.language for c in batch.read("calls")] == [None, "ru"]
        assert profile.load_centre("kyiv").languages


def test_a_profile_with_other_parameters_is_a_model_of_its_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    known = callgrade_engine.registry.load_registry()
    monkeypatch.setattr(
        callgrade_engine.registry, "load_registry", lambda: replace(known, models={**known.models}, profiles={**known.profiles})
    )
    fixed = callgrade_engine.registry.load_registry()
    monkeypatch.setattr(callgrade_engine.registry, "load_registry", lambda: fixed)
    options = {"device": "cpu", "compute_type": "int8_float32", "beam_size": 2, "batch_size": 3}
    name = callgrade_engine.profile_with(settings.models_dir / "whisper-base", options)
    model = callgrade_engine.registry.entry(name, "asr")
    assert dict(model.parameters) == options
    assert installed.weights(settings.models_dir, model) == settings.models_dir / "whisper-base"
    assert name not in known.profiles


def test_a_peer_that_cannot_start_says_why(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"No module named 'whisperx'\" >&2\nexit 3\n", encoding="utf-8")
    python.chmod(0o700)
    with pytest.raises(EngineError, match=r"whisperx ended with status 3:\nNo module named 'whisperx'"):
        Engine("whisperx", {"threads": 1}, python=python, log=tmp_path / "log")


def test_the_peers_run_the_same_engine_as_callgrade() -> None:
    pins = peers.PINS.read_text(encoding="utf-8").splitlines()
    own = re.findall(r"^[\w.-]+==[\w.]+", (ROOT / "requirements" / "packages.txt").read_text(encoding="utf-8"), re.M)
    assert "whisperx==3.8.6" in pins
    assert all(pin in own for pin in pins if pin.startswith(("ctranslate2==", "faster-whisper==")))
    assert not peers.is_ready(ROOT / "nowhere")


def test_without_a_gpu_the_command_says_so_and_what_it_would_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "cards", list)
    assert command.main(["gpu", "--batch-sizes", "8,32", "--compute-types", "float16"]) == 0
    said = capsys.readouterr().out
    assert "no GPU here" in said
    assert "2 settings" in said
    assert "whisper-base (138 MB)" in said


def test_the_best_setting_is_the_fastest_with_about_the_same_word_error_rate() -> None:
    rows = [
        {"engine": "callgrade", "wall_s": wall, "wer": wer, "compute_type": "float16", "batch_size": size}
        for wall, wer, size in ((10.0, 20.0, 8), (7.0, 20.4, 16), (6.0, 21.0, 32))
    ]
    assert gpu.best_of([*rows, {**rows[0], "engine": gpu.PEER, "wall_s": 1.0}])["batch_size"] == 16


def test_the_memory_of_the_card_is_the_most_above_what_was_taken_before() -> None:
    readings, seen = [100, 250, 400, 300, 300], threading.Event()

    def read() -> int:
        if len(readings) == 1:
            seen.set()
        return readings.pop(0) if len(readings) > 1 else readings[0]

    with gpu.CardMemory(read, every_s=0.001) as card:
        assert seen.wait(10)
    assert card.most_mb == 300


def test_the_command_knows_its_benchmarks_and_the_page_explains_each(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "benchmarks" / "speed.md").read_text(encoding="utf-8")
    assert command.main(["transcript"]) == 2
    assert "there are transcription" in capsys.readouterr().err
    assert command.main([]) == 0
    usage = capsys.readouterr().out
    for name in (*command.EACH, "gpu"):
        assert name in usage
        assert f"WHAT={name}" in page
    with pytest.raises(SystemExit):
        transcription.main(["--engines", "whisper"])
    for main in (transcription.main, stages.main, judgement.main, growth.main, gpu.main):
        with pytest.raises(SystemExit):
            main(["--help"])
        options = {word.strip("[,]") for word in capsys.readouterr().out.split() if word.startswith(("--", "[--"))} - {"--help"}
        assert not {option for option in options if option not in page}


def test_judging_is_set_beside_the_transcription_of_the_same_sound() -> None:
    recognised = judgement.Heard(Path(), {"a": 60.0, "b": 120.0}, {"transcribe": [10.0, 18.0], "audio": [1.0, 1.0]})
    assert recognised.transcription_s == pytest.approx(0.1)
    runs = [judgement.Judging(n, 60.0 * n, {name: [1.0, 1.0 + n] for name in judgement.JUDGING}) for n in (1, 3)]
    rows = judgement.table(recognised, runs).splitlines()[2:]
    assert rows[0] == "| 1 | 6.00 | 6.00 | 100.0 % | 2.00, 2.00, 2.00 |  |  |"
    assert rows[1] == "| 3 | 6.00 | 4.00 | 66.7 % | 1.33, 1.33, 1.33 | 3.00 | 50.0 % |"


@pytest.mark.slow
def test_recognised_words_are_judged(short_folder: Path, tmp_path: Path) -> None:
    assert command.main(["judgement", str(short_folder), "--calls", "1,9", "--threads", "1", "--json", str(tmp_path / "found.json")]) == 0
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert [run["calls"] for run in found["runs"]] == [1, 2]
    assert all(set(run["stages"]) == set(judgement.JUDGING) for run in found["runs"])
    assert found["transcription_s_per_s"] > 0


@pytest.mark.slow
def test_callgrade_and_a_peer_transcribe_the_same_short_calls(short_folder: Path, tmp_path: Path) -> None:
    arguments = ["transcription", str(short_folder), "--engines", "callgrade,faster-whisper", "--rounds", "1", "--threads", "1"]
    assert command.main([*arguments, "--json", str(tmp_path / "found.json")]) == 0
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert (found["calls"], found["files"], round(found["audio_s"])) == (2, 3, 16)
    for engine in ("callgrade", "faster-whisper"):
        assert found["engines"][engine]["cpu_s"] > 0.1
        assert found["engines"][engine]["wer"]["all"] < 60
    assert found["machine"]["packages"]["ctranslate2"]


@pytest.mark.slow
def test_the_stages_of_a_whole_run_are_timed(short_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    with (short_folder / "calls.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:1]
    with (folder / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    shutil.copy(short_folder / rows[0]["recording"], folder)
    assert command.main(["stages", str(folder), "--threads", "1", "--json", str(tmp_path / "found.json")]) == 0
    (run,) = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["layouts"].values()
    assert set(run["stages"]) == {"models", "intake", *stages.STAGES[2:]}
    assert (run["calls"], round(run["audio_s"]), len(run["batch_peaks_mb"])) == (1, 8, 1)
    assert run["stages"]["transcribe"][1] > 0.1
    assert run["peak_mb"] > 200
