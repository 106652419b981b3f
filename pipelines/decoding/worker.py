"""The decoding worker: receives open files over a socket, one recording at a time, and writes the samples to the given files.

It has no file names, no secrets of the environment, and no more memory than its limit. The parent kills it when it takes too long; a
crash of a decoder ends only this process.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import signal
import socket
import time
from contextlib import suppress
from typing import Any, BinaryIO

from pipelines.core.errors import BadRecordingError
from pipelines.decoding import reading
from pipelines.decoding.formats import MAX_BYTES, MAX_LENGTH_S, RATE_HZ

MEMORY_MB = 768  # address space, libraries included
IDLE_S = 60.0  # after this long without a request the process exits, to free its memory
COPIED_IN_MEMORY = 16 * 2**20  # bytes; a larger recording is copied to a file
_FILES = 64
_PIECE = 2**20
_LARGEST_FILE = max(MAX_BYTES, int((MAX_LENGTH_S + 60) * RATE_HZ * 4))


def main(descriptor: int) -> None:
    """Answer requests from a socket until the other side closes it."""
    import av  # noqa: F401  # before the limits, which its libraries would not fit into on some systems
    import numpy  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to every process; the parent decides
    _limit(resource.RLIMIT_AS, MEMORY_MB * 2**20)
    _limit(resource.RLIMIT_NOFILE, _FILES)
    _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    _limit(resource.RLIMIT_CORE, 0)
    with socket.socket(fileno=descriptor) as connection:
        connection.settimeout(IDLE_S)
        connection.sendall(b"ready\n")
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(connection, 2**16, 4)
            except TimeoutError:
                return
            if not message:
                return
            try:
                answer = _answer(json.loads(message), descriptors)
            finally:
                for one in descriptors:
                    os.close(one)
            connection.sendall(json.dumps(answer).encode() + b"\n")


def _answer(request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """The result for one recording; the descriptors are the recording, a file for its copy, and one output for each channel."""
    recording, copy, *outputs = descriptors
    _limit(resource.RLIMIT_CPU, int(time.process_time() + request["cpu_s"]) + 1)
    try:
        file, sha256 = _copied(recording, copy)
        if request["sha256"] and sha256 != request["sha256"]:
            return {"result": "changed"}
        decoded = reading.decode(file, request["name"], outputs)
    except BadRecordingError as error:
        return {"result": "rejected", "key": error.reason.key, "values": error.reason.plain_values()}
    except reading.ScratchError as error:
        return {"result": "disk", "error": str(error)}
    except MemoryError:
        return {"result": "memory"}
    except Exception as error:  # a decoder may raise anything, and the next recording must not be affected
        return {"result": "failed", "error": type(error).__name__}
    return {
        "result": "decoded",
        "channels": decoded.channels,
        "rate_hz": decoded.rate_hz,
        "codec": decoded.codec,
        "samples": decoded.samples,
    }


def _copied(recording: int, copy: int) -> tuple[BinaryIO, str]:
    """A copy of a recording that nobody else can write to, and its sha256: the bytes that are decoded are the bytes that were hashed."""
    digest = hashlib.sha256()
    file: BinaryIO = io.BytesIO() if os.fstat(recording).st_size <= COPIED_IN_MEMORY else open(copy, "r+b", closefd=False)  # noqa: SIM115
    size = 0
    while piece := os.pread(recording, _PIECE, size):
        size += len(piece)
        if size > MAX_BYTES:
            break  # it grew meanwhile; the hash will differ
        digest.update(piece)
        try:
            file.write(piece)
        except OSError as error:
            raise reading.ScratchError(error.strerror or str(error)) from None
    file.flush()
    return file, digest.hexdigest()


def _limit(kind: int, most: int) -> None:
    """Limit the resources of this process, where the system supports such a limit."""
    hard = resource.getrlimit(kind)[1]
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
