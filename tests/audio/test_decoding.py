"""Recordings are decoded in a sandbox: only recording formats, in a process with limits, from the accepted bytes."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.asr import engine
from models.asr import voice_activity as silero
from pipelines.audio import step as audio
from pipelines.audio import voice_activity
from pipelines.core.errors import BadRecordingError, TransientError
from pipelines.core.records import Call
from pipelines.core.settings import ROOT, Settings
from pipelines.core.staging import Batch
from pipelines.decoding import processes
from pipelines.decoding.tracks import FileTracks
from pipelines.diarize import step as diarize
from pipelines.intake.folder import read_folder
from pipelines.transcribe import step as transcribe
from tests import sounds
from tests.intake import fuzzed

NOISE = 0.05 * np.random.default_rng(3).standard_normal(5 * 8000)
needs_proc = pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="the limits of a process are read from /proc")


@pytest.fixture(scope="module")
def long_flac(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of silence: a small file that takes seconds to decode."""
    import av

    path = tmp_path_factory.mktemp("long") / "long.flac"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=16000, layout="mono")
        for _ in range(60):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 60 * 16000), np.int16), format="s16", layout="mono")
            frame.sample_rate = 16000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def fresh_processes() -> Iterator[None]:
    """No decoding process of an earlier test, whose processor time was counted from its own start."""
    processes.stop()
    yield
    processes.stop()


def good(path: Path) -> Path:
    return sounds.write(path, NOISE[None])


def batch_of(folder: Path, *recordings: Path) -> Batch:
    """A batch as intake stages it."""
    calls = [Call(p.stem, "irkutsk", str(p), hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_size, None) for p in recordings]
    batch = Batch(folder / "batch")
    batch.write("calls", calls)
    return batch


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("script.wav", "ffconcat version 1.0\nfile elsewhere/secret.wav\n"),
        ("script.ffconcat", "ffconcat version 1.0\nfile elsewhere/secret.wav\n"),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nelsewhere/secret.wav\n#EXT-X-ENDLIST\n"),
        ("list.wav", "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nelsewhere/secret.aac\n#EXT-X-ENDLIST\n"),
        ("session.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 40000 RTP/AVP 0\n"),
        ("picture%d.png", "\x89PNG"),
        ("manifest.mpd", '<?xml version="1.0"?><MPD><BaseURL>elsewhere/secret.wav</BaseURL></MPD>'),
    ],
)
def test_a_file_that_names_other_files_is_no_recording(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    for secret in ("secret.wav", "secret.aac"):
        sounds.write(tmp_path / "elsewhere" / secret, NOISE[None], "aac" if secret.endswith("aac") else "pcm_s16le")
    path = tmp_path / name
    path.write_text(text, encoding="latin-1")
    with pytest.raises(BadRecordingError, match="not audio that can be decoded"):
        audio.decode(path)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        for path in (tmp_path / "pipe.wav", tmp_path / "s", tmp_path, Path("/dev/zero")):
            with pytest.raises(BadRecordingError, match="cannot be read"):
                audio.decode(path)


def test_intake_opens_no_pipe_and_no_file_outside_that_took_a_recordings_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.intake import folder as intake

    received, outside = tmp_path / "received", tmp_path / "outside.wav"
    received.mkdir()
    good(outside)

    class Exchanged(intake.Recordings):
        def __init__(self, root: Path, *rest: frozenset[str]) -> None:
            for name in ("linked.wav", "pipe.wav", "stays.wav"):
                good(root / name).write_bytes((root / name).read_bytes() + name.encode())
            super().__init__(root, *rest)  # the folder is listed, and only then
            for name in ("linked.wav", "pipe.wav"):
                (root / name).unlink()
            (root / "linked.wav").symlink_to(outside)
            os.mkfifo(root / "pipe.wav")

    monkeypatch.setattr(intake, "Recordings", Exchanged)
    read = read_folder(received, centre="irkutsk")
    assert [call.call_id for call in read.calls] == ["stays"]
    assert {row.recording for row in read.rejected} == {"linked.wav", "pipe.wav"}


@pytest.mark.parametrize("bound", ["LEAST_CPU_S", "WALL_FACTOR"])
def test_a_recording_that_takes_too_long_is_rejected_and_the_next_is_decoded(
    tmp_path: Path, long_flac: Path, fresh_processes: None, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(processes, "BYTES_A_CPU_SECOND", 10**9)
    monkeypatch.setattr(processes, bound, 0.001)
    with pytest.raises(BadRecordingError, match="it takes more than"):
        audio.decode(long_flac)
    monkeypatch.undo()
    assert audio.decode(good(tmp_path / "next.wav")).duration_s == pytest.approx(5, abs=0.1)


def test_a_decoder_that_crashes_costs_its_recording_and_no_other(tmp_path: Path, long_flac: Path, fresh_processes: None) -> None:
    crashed = threading.Event()

    def crash() -> None:
        while not crashed.is_set():
            for process in [*processes._living]:
                if process.served:
                    time.sleep(0.3)
                    os.kill(process._child.pid, signal.SIGSEGV)
                    crashed.set()
            time.sleep(0.01)

    thread = threading.Thread(target=crash)
    thread.start()
    batch = batch_of(tmp_path, long_flac, good(tmp_path / "good.wav"))
    with pytest.raises(BadRecordingError, match=f"crashed .exit status -{signal.SIGSEGV.value}") as caught:
        audio.decode(long_flac)
    thread.join()
    assert "аварийно" in caught.value.reason.text("ru")
    assert audio.decode(batch.calls()[1].recording).channels == 1


@needs_proc
def test_the_decoding_process_has_limits_and_no_secrets(tmp_path: Path, fresh_processes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGRADE_OPENID_SECRET", "do-not-tell")
    audio.decode(good(tmp_path / "good.wav"))
    (process,) = processes._living
    limits = Path(f"/proc/{process._child.pid}/limits").read_text()
    for line in ("Max address space", "Max open files", "Max file size", "Max cpu time", "Max core file size"):
        assert limits.partition(line)[2].split()[0] != "unlimited", line
    assert b"do-not-tell" not in Path(f"/proc/{process._child.pid}/environ").read_bytes()
    # Under that limit a decoder gets no gigabytes, whatever a header asks for.
    child = "import pipelines.decoding.worker as w, resource; w._limit(resource.RLIMIT_AS, w.MEMORY_MB * 2**20); bytearray(2**30)"
    assert "MemoryError" in subprocess.run([sys.executable, "-c", child], cwd=ROOT, capture_output=True, text=True).stderr


def test_one_process_serves_many_recordings(tmp_path: Path, fresh_processes: None) -> None:
    path = good(tmp_path / "good.wav")
    for _ in range(20):
        audio.decode(path)
    assert [process.served for process in processes._living] == [20]


@pytest.mark.parametrize(
    "answer",
    [
        {"key": "free text", "values": {}},
        {"key": "too_slow", "values": {"seconds": "many"}},
        {"key": "not_audio", "values": {"error": "x" * 1000}},
        {"key": "of_file", "values": {"problem": {"key": "of_file", "values": []}}},
        {"key": "empty", "values": {"more": "x"}},
    ],
)
def test_a_reason_that_a_process_makes_up_is_no_answer(answer: dict[str, Any]) -> None:
    with pytest.raises(BadRecordingError, match="gave no usable answer"):
        processes._checked("call.wav", {"result": "rejected", **answer}, [])
    with pytest.raises(BadRecordingError, match=r"^call\.wav is empty"):
        processes._checked("call.wav", {"result": "rejected", "key": "empty", "values": {"file": "another.wav"}}, [])


def mp3_that_changes(kind: str) -> bytes:
    """Two MP3 streams of unlike kinds, one after the other."""
    folder = Path(os.environ["PYTEST_TMP"])
    first = sounds.write(folder / "1.mp3", NOISE[None], "libmp3lame", 16000).read_bytes()
    second = NOISE[None] if kind == "rate" else np.stack([NOISE, NOISE[::-1]])
    return first + sounds.write(folder / "2.mp3", second, "libmp3lame", 22050 if kind == "rate" else 16000).read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("tag.wav", fuzzed.wav(bytes(80000), tag=0x7A7A), "codec that is not known"),
        ("channels.mp3", "channels", "changes its sample rate, channels or format"),
        ("rate.mp3", "rate", "changes its sample rate, channels or format"),
        ("slow.wav", fuzzed.wav(bytes(28_000), rate_hz=1), "sample rate of 1 Hz"),
        ("fast.wav", fuzzed.wav(bytes(28_000), rate_hz=500_000), "sample rate of 500000 Hz"),
        ("none.wav", fuzzed.wav(bytes(28_000), channels=0), "decoded|channels"),
        ("days.wav", fuzzed.wav(bytes(100), rate_hz=4000)[:-104] + b"data\x00\xff\xff\x7e" + bytes(100), "cut off|hours"),
        ("blink.wav", fuzzed.wav(bytes(range(200)) * 2, channels=2, block=4), "lasts 0.0 s"),
    ],
)
def test_an_unusable_file_is_rejected_with_its_reason_and_the_others_go_on(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | str, reason: str
) -> None:
    monkeypatch.setenv("PYTEST_TMP", str(tmp_path))
    bad = tmp_path / name
    bad.write_bytes(content if isinstance(content, bytes) else mp3_that_changes(content))
    batch = batch_of(tmp_path, bad, good(tmp_path / "noise.wav"))
    started = time.monotonic()
    audio.run(batch, settings)
    rejected = {row.call_id: row.reason for row in batch.rejected()}
    assert set(rejected) == {bad.stem, "noise"} and "Nobody speaks" in rejected["noise"]
    assert batch.rejected()[0].status in ("quarantined", "unscoreable")
    assert re.search(reason, rejected[bad.stem]), rejected[bad.stem]
    audio.run(batch, settings)  # as after a crash
    assert {row.call_id: row.reason for row in batch.rejected()} == rejected
    assert time.monotonic() - started < 20


def test_a_recording_that_was_exchanged_is_rejected_by_every_step(tmp_path: Path, settings: Settings, calls_folder: Path) -> None:
    path = tmp_path / "call.ogg"
    path.write_bytes((calls_folder / "audio" / "kyiv-uk-001.ogg").read_bytes())
    batch = batch_of(tmp_path, path)
    (call,) = batch.calls()
    facts = audio.facts_of("call", audio.decode(path, call.recording_sha256))
    path.write_bytes((calls_folder / "audio" / "irkutsk-ru-003.ogg").read_bytes())

    with pytest.raises(audio.ChangedRecordingError, match="changed"):
        audio.decode(path, call.recording_sha256)
    with pytest.raises(BadRecordingError, match="changed"):
        transcribe.prepare(call, facts)
    _, rejected = diarize.segments_of_calls([call], {"call": facts}, Nobody)
    assert [row.call_id for row in rejected] == ["call"]
    audio.run(batch, settings)
    assert "changed" in batch.rejected()[0].reason


class Nobody:
    """A diarizer that takes every sound and hears nobody."""

    def diarize(self, sounds: Iterator[engine.Track]) -> Iterator[list[object]]:
        return ([] for _ in sounds)


def test_a_full_disk_is_no_fault_of_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = good(tmp_path / "good.wav")
    (tmp_path / "file").touch()
    with pytest.raises(TransientError, match="No temporary file"):
        audio.decode(path, scratch=tmp_path / "file")
    full = partial(open, "/dev/full", "r+b", buffering=0)
    monkeypatch.setattr(processes, "_scratch_file", lambda _: full())
    with pytest.raises(TransientError, match="Free some space"):
        audio.decode(path)


def test_a_long_recording_gives_what_it_gives_in_memory(calls_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit by bit: levels, speech, holds, cross-talk and chunks, of a stereo call and of a doubled mono one."""
    path = calls_folder / "audio" / "irkutsk-ru-001.ogg"
    short = audio.decode(path)
    monkeypatch.setattr(processes, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(silero, "BLOCK", 500)
    long = audio.decode(path)
    assert isinstance(long.tracks, FileTracks) and isinstance(short.tracks, np.ndarray)
    assert np.array_equal(long.tracks[:, :], short.tracks)
    facts = audio.facts_of("c", long)
    monkeypatch.undo()
    assert facts == audio.facts_of("c", short)
    (chunk, *_), (same, *_) = (packed_chunks(sound, facts.speech) for sound in (long, short))
    assert len(chunk) == len(np.asarray(chunk)) and np.array_equal(np.asarray(chunk), np.asarray(same))


def packed_chunks(sound: audio.DecodedAudio, speech: tuple[voice_activity.Interval, ...]) -> list[engine.Sound]:
    from pipelines.transcribe.chunks import pack

    return [packed.samples for number in (0, 1) for packed in pack(sound.tracks[number], number, speech, 28.0)]


def test_the_speech_detector_finds_in_blocks_what_its_library_finds_at_once(calls_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faster_whisper.vad import get_vad_model

    track = audio.decode(calls_folder / "audio" / "kyiv-uk-001.ogg").tracks[0][: 60 * 16000 + 77]
    whole = np.pad(track, (0, -len(track) % 512))
    assert np.array_equal(silero.speech_probabilities(track), np.asarray(get_vad_model()(whole)).reshape(-1))


MEMORY = """
import sys
from pathlib import Path
from pipelines.audio import step as audio
from pipelines.decoding import processes

def peak_mb(pid):
    return max(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")) // 1024

def look(path):
    try:
        audio.facts_of("c", audio.decode(path))
    except audio.BadRecordingError as error:
        assert "Nobody speaks" in str(error), error
    return peak_mb("self") + sum(peak_mb(p._child.pid) for p in processes._living)

print(look(sys.argv[1]), look(sys.argv[2]))
"""


@needs_proc
def test_memory_does_not_grow_with_the_length_of_a_call(tmp_path: Path) -> None:
    t = np.arange(33 * 60 * 4000) / 4000
    music = 0.1 * np.sin(2 * np.pi * 262 * t)
    short = sounds.write(tmp_path / "short.wav", music[None, : 11 * 60 * 4000], "pcm_mulaw", 4000)
    long = sounds.write(tmp_path / "long.wav", music[None], "pcm_mulaw", 4000)
    done = subprocess.run([sys.executable, "-c", MEMORY, str(short), str(long)], cwd=ROOT, capture_output=True, text=True, check=True)
    short_mb, long_mb = map(int, done.stdout.split())
    assert long_mb - short_mb < 40  # the samples alone take 84 MB more


def test_an_interrupted_run_stops_at_once(tmp_path: Path, long_flac: Path) -> None:
    folder = tmp_path / "received"
    folder.mkdir()
    for n in range(6):
        (folder / f"{n}.flac").write_bytes(long_flac.read_bytes() + bytes([n]))
    program = textwrap.dedent(f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from pipelines.__main__ import main
        sys.exit(main(["grade", {str(folder)!r}, "--centre", "irkutsk", "--warehouse", {str(tmp_path / "w.duckdb")!r}]))
    """)
    child = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:
        if "batch 1 of 1" in line:
            break
    time.sleep(1.5)
    child.send_signal(signal.SIGINT)
    interrupted = time.monotonic()
    rest = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 130 and time.monotonic() - interrupted < 30  # on a busy machine; decoding all of it takes minutes
    assert "stopped" in rest and "Traceback" not in rest
