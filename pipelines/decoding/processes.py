"""Decodes recordings in worker processes, which are killed when they take too long and restarted when they crash.

A process serves many recordings, one at a time; there is one per decoding thread. Workers get open files and nothing else: no path, no
environment. Their results are validated like any input.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from models import private_files
from pipelines.core.errors import BadRecordingError, TransientError
from pipelines.core.regular_file import open_regular
from pipelines.core.rejections import Key, Reason, read_reason
from pipelines.decoding.formats import MAX_BYTES, MAX_LENGTH_S, RATE_HZ
from pipelines.decoding.tracks import FileTrack, FileTracks, Tracks

# Processor time for a recording: telephone codecs in 4 hours of silence and large WAV files both stay far below it.
LEAST_CPU_S, BYTES_A_CPU_SECOND, MOST_CPU_S = 60.0, 50_000, 900.0
WALL_FACTOR, START_S = 10.0, 60.0  # on a busy machine a second of processor time takes longer; START_S until a process is ready
KEPT_IDLE_S = 30.0  # less than the worker's own idle timeout, so that none exits while it is in use
_LONGEST_REASON = 600  # characters, including the file name; the output of a process may be hostile
MOST_SERVED = 500  # recordings; then a new process takes over, in case the libraries leak
IN_MEMORY_BYTES = 32 * 2**20  # decoded audio up to this size is an array: 4 minutes in stereo, 8 in mono

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from pipelines.decoding import worker; worker.main(int(sys.argv[1]))"
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL")


class ChangedRecordingError(BadRecordingError):
    """The file has changed since its sha256 was computed."""


@dataclass(frozen=True, slots=True)
class DecodedRecording:
    """A recording's channels without any folding, [channels, samples at 16 kHz], and its file's properties."""

    tracks: Tracks
    channels: int
    rate_hz: int
    codec: str


def decode(path: Path, sha256: str | None = None, scratch: Path | None = None) -> DecodedRecording:
    """Decode a recording by its content, whatever its name.

    Args:
        path: the recording, a regular file.
        sha256: the expected digest; the bytes that are hashed are those that are decoded.
        scratch: a folder for the decoded audio of long recordings, in unnamed files; the system's temporary folder by default.

    Raises BadRecordingError with the reason when it cannot be decoded, ChangedRecordingError when it does not match `sha256`, and
    TransientError when the disk is full or no process can be started.
    """
    try:
        recording = open_regular(path)
    except OSError as error:
        raise BadRecordingError(Reason(Key.UNREADABLE, file=path.name, error=str(error.strerror))) from None
    with recording, ExitStack() as files:
        size = os.fstat(recording.fileno()).st_size
        if size == 0:
            raise BadRecordingError(Reason(Key.EMPTY, file=path.name))
        if size > MAX_BYTES:
            raise BadRecordingError(Reason(Key.TOO_LARGE, file=path.name, gigabytes=MAX_BYTES // 2**30))
        copy, *outputs = (files.enter_context(_scratch_file(scratch)) for _ in range(3))
        cpu_s = min(LEAST_CPU_S + size / BYTES_A_CPU_SECOND, MOST_CPU_S)
        request = {"name": path.name, "sha256": sha256, "cpu_s": cpu_s}
        return _checked(path.name, _ask(path.name, request, [recording, copy, *outputs], cpu_s), outputs)


def stop() -> None:
    """Kill all decoding processes; threads that wait for one get an error."""
    with _lock:
        idle, busy = [*_idle], [*_living.difference(_idle)]
        _idle.clear()
    for process in busy:
        process.kill()
    for process in idle:
        process.end()


def _ask(name: str, request: dict[str, Any], files: list[BinaryIO], cpu_s: float) -> dict[str, Any]:
    process = _take()
    try:
        answer = process.ask(request, [file.fileno() for file in files], WALL_FACTOR * cpu_s)
    except TimeoutError:
        process.end()
        raise _too_slow(name, cpu_s) from None
    except BaseException:
        process.end()
        raise
    if answer is not None:
        _give_back(process)
        return answer
    status = process.end()
    if -status == signal.SIGXCPU:
        raise _too_slow(name, cpu_s)
    raise BadRecordingError(Reason(Key.DECODER_CRASHED, file=name, code=status))


def _too_slow(name: str, cpu_s: float) -> BadRecordingError:
    return BadRecordingError(Reason(Key.TOO_SLOW, file=name, seconds=cpu_s))


def _checked(name: str, answer: dict[str, Any], outputs: list[BinaryIO]) -> DecodedRecording:
    """The answer of a process, possibly taken over by a hostile recording, as values of the right type and size."""
    match answer:
        case {"result": "decoded", "channels": 1 | 2 as channels, "rate_hz": int(rate_hz), "codec": str(codec), "samples": int(samples)}:
            used = outputs[:channels]
            if 0 < samples <= MAX_LENGTH_S * RATE_HZ and all(os.fstat(file.fileno()).st_size == 4 * samples for file in used):
                return DecodedRecording(_tracks(used, samples), channels, rate_hz, codec)
        case {"result": "rejected", "key": str(key), "values": dict(values)}:
            with suppress(ValueError, RecursionError):
                reason = read_reason(key, {**values, "file": name})
                if len(reason.text()) <= _LONGEST_REASON:
                    raise BadRecordingError(reason)
        case {"result": "changed"}:
            raise ChangedRecordingError(Reason(Key.CHANGED, file=name))
        case {"result": "disk", "error": str(error)}:
            raise TransientError(
                f"The audio of {name} could not be written to the temporary folder: {error}. Free some space and run again."
            )
        case {"result": "memory"}:
            raise BadRecordingError(Reason(Key.DECODER_MEMORY, file=name))
        case {"result": "failed", "error": str(error)}:
            raise BadRecordingError(Reason(Key.DECODER_FAILED, file=name, error=error))
    raise BadRecordingError(Reason(Key.DECODER_ANSWER, file=name))


def _tracks(files: list[BinaryIO], samples: int) -> Tracks:
    tracks = FileTracks([FileTrack(os.dup(file.fileno()), samples) for file in files])
    return tracks if 4 * samples * len(files) > IN_MEMORY_BYTES else tracks[:, :]


def _scratch_file(folder: Path | None) -> BinaryIO:
    try:
        if folder is not None:
            private_files.make_folder(folder)
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    except OSError as error:
        where = folder or tempfile.gettempdir()
        raise TransientError(f"No temporary file can be created in {where}: {error.strerror}. Correct that and run again.") from error


class _Process:
    """One decoding process."""

    def __init__(self) -> None:
        self.served = 0
        self.idle_since = time.monotonic()
        self._socket, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"OPENBLAS_NUM_THREADS": "1"}
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def wait_until_ready(self) -> None:
        self._socket.settimeout(START_S)
        if self._line() != b"ready":
            raise OSError(f"exit status {self._child.wait()}")

    def ask(self, request: dict[str, Any], descriptors: list[int], wall_s: float) -> dict[str, Any] | None:
        """The answer; None when the process exited without one. Raises TimeoutError."""
        self.served += 1
        self._socket.settimeout(wall_s)
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            answer = json.loads(line) if (line := self._line()) else None
        except (ConnectionError, ValueError, RecursionError):
            return None
        return answer if isinstance(answer, dict) else None

    def is_usable(self) -> bool:
        idle_s = time.monotonic() - self.idle_since
        return self.served < MOST_SERVED and idle_s < KEPT_IDLE_S and self._child.poll() is None

    def kill(self) -> None:
        """Kill the process; the thread that waits for its answer reaps it."""
        self._child.kill()

    def end(self) -> int:
        """Kill the process unless it is exiting by itself, and wait for it; returns its exit status."""
        with _lock:
            _living.discard(self)
        try:
            status = self._child.wait(5 if self._is_closed() else 0)
        except subprocess.TimeoutExpired:
            self._child.kill()
            status = self._child.wait()
        self._socket.close()
        return status

    def leave_to_parent(self) -> None:
        """In a forked child, only close the connection: the process belongs to the parent."""
        self._socket.close()

    def _is_closed(self) -> bool:
        try:
            self._socket.settimeout(0)
            return not self._socket.recv(1)
        except OSError:
            return False

    def _line(self) -> bytes:
        """The output of the process until the end of the line; empty when it exited."""
        line = b""
        while not line.endswith(b"\n"):
            if len(line) > 2**16 or not (piece := self._socket.recv(2**12)):
                return b""
            line += piece
        return line.strip()


_lock = threading.Lock()
_idle: list[_Process] = []
_living: set[_Process] = set()
_of_parent: list[_Process] = []


def _take() -> _Process:
    """An idle process, or a new one."""
    unusable = []
    try:
        with _lock:
            while _idle:
                process = _idle.pop()
                if process.is_usable():
                    return process
                unusable.append(process)
    finally:
        for process in unusable:
            process.end()
    try:
        process = _Process()
    except OSError as error:
        raise TransientError(f"No decoding process can be started: {error.strerror}. Run it again.") from error
    with _lock:
        _living.add(process)
    try:
        process.wait_until_ready()
    except OSError as error:
        process.end()
        raise TransientError(f"A decoding process did not start ({error}). Run it again.") from error
    except BaseException:
        process.end()
        raise
    return process


def _give_back(process: _Process) -> None:
    process.idle_since = time.monotonic()
    with _lock:
        if process in _living:
            _idle.append(process)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for process in _living:
        process.leave_to_parent()
    _of_parent.extend(_living)
    _living.clear()
    _idle.clear()


atexit.register(stop)
os.register_at_fork(after_in_child=_after_fork)
