"""Decodes one recording from bytes to samples with FFmpeg; runs inside the worker.

No files are opened here: FFmpeg reads the one file that it is given, and may open no other, whatever that file refers to.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipelines.core.errors import BadRecordingError
from pipelines.core.rejections import Key, Reason
from pipelines.decoding.formats import DECODERS, DEMUXERS, HIGHEST_RATE_HZ, LOWEST_RATE_HZ, MAX_LENGTH_S, RATE_HZ

Samples = npt.NDArray[np.float32]

WRITTEN_AT_ONCE = 4 * RATE_HZ  # samples
LOUDEST = 16.0  # full scale is 1; a louder or non-finite sample is a defect of the file and would corrupt every sum
UNKNOWN_LENGTH_S = 7 * 24 * 3600  # a header with a longer duration was never completed
_MOST_WAV_CHUNKS = 10_000
_OPTIONS = {"format_whitelist": ",".join(DEMUXERS), "codec_whitelist": ",".join(sorted(DECODERS)), "protocol_whitelist": "none"}


class ScratchError(Exception):
    """The samples could not be written; the message has the reason. The recording is not at fault."""


@dataclass(frozen=True, slots=True)
class DecodedFiles:
    """The result of decoding: the samples are in the files, one for each channel."""

    channels: int
    rate_hz: int  # as in the file
    codec: str
    samples: int  # of each channel, at 16 kHz


class _Source:
    """A file object for PyAV. FFmpeg only uses the extension of its name."""

    def __init__(self, file: BinaryIO, ending: str) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self.name = f"recording{ending}"


def decode(file: BinaryIO, name: str, outputs: Sequence[int]) -> DecodedFiles:
    """Write the samples of a recording as float32 at 16 kHz to one open file descriptor per channel.

    `name` is the name of the file in errors. Raises BadRecordingError with the reason, and ScratchError when the disk is full.
    """
    import av

    if _ends_mid_page(file):
        raise BadRecordingError(Reason(Key.CUT_PAGE, file=name))
    missing = _missing_bytes(file)
    if missing:
        raise BadRecordingError(Reason(Key.CUT_HEADER, file=name, bytes=missing))
    file.seek(0)
    ending = Path(name).suffix.lower()
    try:
        source = _Source(file, ending if ending.isascii() and ending[1:].isalnum() else "")
        with av.open(source, mode="r", options=_OPTIONS, metadata_errors="ignore") as container:
            return _decode_stream(name, container, outputs)
    except av.FFmpegError as error:
        raise BadRecordingError(Reason(Key.NOT_AUDIO, file=name, error=error.strerror or type(error).__name__)) from None


def _decode_stream(name: str, container: Any, outputs: Sequence[int]) -> DecodedFiles:
    import av

    if not container.streams.audio:
        raise BadRecordingError(Reason(Key.NO_AUDIO, file=name))
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise BadRecordingError(Reason(Key.UNKNOWN_CODEC, file=name))
    channels, rate_hz, codec = stream.codec_context.channels, stream.codec_context.sample_rate, stream.codec_context.name
    if codec not in DECODERS:
        raise BadRecordingError(Reason(Key.OTHER_CODEC, file=name, codec=codec))
    if channels not in (1, 2):
        raise BadRecordingError(Reason(Key.CHANNELS, file=name, channels=channels))
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise BadRecordingError(Reason(Key.BAD_RATE, file=name, rate=rate_hz, lowest=LOWEST_RATE_HZ, highest=HIGHEST_RATE_HZ))
    declared_s = float(stream.duration * stream.time_base) if stream.duration else float(container.duration or 0) / av.time_base
    if MAX_LENGTH_S + 60 < declared_s < UNKNOWN_LENGTH_S:
        raise BadRecordingError(Reason(Key.TOO_LONG, file=name, hours=MAX_LENGTH_S / 3600))
    resampler = av.AudioResampler(format="fltp", layout="stereo" if channels == 2 else "mono", rate=RATE_HZ)
    packets = _Packets(container, stream)
    samples = 0
    for block in _in_blocks(_resampled(name, packets, resampler)):
        samples += block.shape[1]
        if samples > MAX_LENGTH_S * RATE_HZ:
            raise BadRecordingError(Reason(Key.TOO_LONG, file=name, hours=MAX_LENGTH_S / 3600))
        _write(block, outputs)
    decoded_s = samples / RATE_HZ
    if not samples:
        raise BadRecordingError(Reason(Key.NO_SOUND, file=name))
    if packets.damaged > max(2, 0.01 * packets.count):
        raise BadRecordingError(Reason(Key.DAMAGED, file=name, damaged=packets.damaged, packets=packets.count))
    if declared_s < UNKNOWN_LENGTH_S and declared_s - decoded_s > max(2.0, 0.05 * declared_s):
        raise BadRecordingError(Reason(Key.CUT_SHORT, file=name, declared=declared_s, decoded=decoded_s))
    return DecodedFiles(channels, rate_hz, codec, samples)


class _Packets:
    """The decoded frames of a stream; packets that cannot be decoded are counted and skipped."""

    def __init__(self, container: Any, stream: Any) -> None:
        self.count = self.damaged = 0
        self._container, self._stream = container, stream

    def __iter__(self) -> Iterator[Any]:
        import av

        try:
            for packet in self._container.demux(self._stream):
                self.count += 1
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    if isinstance(error, MemoryError):
                        raise
                    self.damaged += 1
                    continue
                yield from frames
        except av.error.InvalidDataError:
            self.damaged = self.count  # the container itself is truncated


def _resampled(name: str, frames: Iterable[Any], resampler: Any) -> Iterator[Samples]:
    first: tuple[int, str, str] | None = None
    for frame in frames:
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        if first is None:
            first = kind
        elif kind != first:
            raise BadRecordingError(Reason(Key.CHANGES_FORMAT, file=name))
        for block in resampler.resample(frame):
            yield block.to_ndarray()
    if first is not None:
        for block in resampler.resample(None):
            yield block.to_ndarray()


def _in_blocks(pieces: Iterable[Samples]) -> Iterator[Samples]:
    """The samples in larger arrays: frames are as short as 20 ms."""
    held: list[Samples] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += piece.shape[1]
        if length >= WRITTEN_AT_ONCE:
            yield np.concatenate(held, axis=1)
            held, length = [], 0
    if held:
        yield np.concatenate(held, axis=1)


def _write(block: Samples, outputs: Sequence[int]) -> None:
    block = block.astype(np.float32, copy=False)
    if block.size and not np.abs(block).max() <= LOUDEST:  # also true for NaN
        block = np.clip(np.nan_to_num(block, nan=0.0), -LOUDEST, LOUDEST)
    for row, output in zip(block, outputs, strict=False):
        rest = memoryview(np.ascontiguousarray(row).data).cast("B")
        try:
            while rest:
                rest = rest[os.write(output, rest) :]
        except OSError as error:
            raise ScratchError(error.strerror or str(error)) from None


def _ends_mid_page(file: BinaryIO) -> bool:
    """Whether an Ogg file is truncated inside its last page: unlike wav and mp3 its header has no length."""
    file.seek(0)
    if file.read(4) != b"OggS":
        return False
    file.seek(max(0, file.seek(0, os.SEEK_END) - 70_000))  # a page has at most 65,307 bytes
    page = file.read()
    page = page[page.rfind(b"OggS") :]
    if len(page) < 27:
        return True
    return len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _missing_bytes(file: BinaryIO) -> int:
    """The number of bytes missing from a WAV file's data or an Ogg file's last page; FFmpeg decodes truncated files without an error."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(12)
    if magic[:4] == b"RIFF" and magic[8:] == b"WAVE":
        at = 12
        for _ in range(_MOST_WAV_CHUNKS):
            if len(head := file.read(8)) < 8:
                break
            name, length = struct.unpack("<4sI", head)
            at += 8
            if name == b"data":  # streaming recorders write 0 or the maximum, and never correct it
                return max(0, at + length - size - 1) if 0 < length < 0x7FFFFFFF else 0
            at += length + length % 2
            file.seek(at)
    elif magic[:4] == b"OggS":
        file.seek(0)
        while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
            end = file.tell() + head[26] + sum(file.read(head[26]))
            if end > size:
                return end - size
            file.seek(end)
    return 0
