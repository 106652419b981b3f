"""What the sound itself says: decode a recording, tell its tracks apart, find speech and holds, cut a clip.

All sound is float32 at 16 kHz once decoded, one row a track. Where speech lies on the tracks is in `crosstalk`.
"""

from __future__ import annotations

import logging
import os
import struct
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import private_files
from models.cores import on_every_core
from pipelines import crosstalk
from pipelines.errors import BadRecordingError
from pipelines.records import AudioFacts, Call, PutAside
from pipelines.settings import Settings
from pipelines.store import Batch

Samples = npt.NDArray[np.float32]

RATE_HZ = 16_000
LEVEL_HOP_S = 0.05
LOWEST_DB = -90.0
SILENT_DB = -55.0  # a telephone line's own noise is lower than this, a whisper is higher
MIN_LENGTH_S = 3.0
MAX_LENGTH_S = 4 * 3600.0
MIN_SPEECH_S = 0.8
COPY_RESIDUE_DB = -15.0  # what remains of a channel after the other one is subtracted, when both carry the same sound
log = logging.getLogger("callgrade")


@dataclass(frozen=True, slots=True)
class Sound:
    """A decoded recording."""

    tracks: Samples  # [1 or 2, samples]
    channels: int  # as in the file
    sample_rate_hz: int  # as in the file
    codec: str

    @property
    def duration_s(self) -> float:
        return float(self.tracks.shape[1]) / RATE_HZ


def run(batch: Batch, settings: Settings) -> None:
    """Write the facts of every recording; those that cannot be heard are put aside with the reason. Works on a recording a core."""
    calls: list[Call] = batch.calls()
    facts: list[AudioFacts] = []
    rows: list[PutAside] = []
    for number, (call, found) in enumerate(zip(calls, on_every_core(_look_at, calls), strict=True), 1):
        log.info("audio %d/%d %s", number, len(calls), call.call_id)
        if isinstance(found, BadRecordingError):
            rows.append(put_aside("audio", call, found))
        else:
            facts.append(found)
    batch.write_put_aside("audio", rows)
    batch.write("audio", facts)


def _look_at(call: Call) -> AudioFacts | BadRecordingError:
    try:
        return facts_of(call.call_id, decode(call.recording))
    except BadRecordingError as error:
        return error


def facts_of(call_id: str, sound: Sound) -> AudioFacts:
    """Speech, holds and levels of one recording.

    Raises BadRecordingError (unscoreable) where nobody speaks: too short, silent, music or noise only.
    """
    levels = levels_db(sound.tracks)
    if sound.duration_s < MIN_LENGTH_S:
        raise BadRecordingError(f"The recording lasts {sound.duration_s:.1f} s; a call needs at least {MIN_LENGTH_S:.0f} s.", "unscoreable")
    loudest = max(float(np.percentile(track, 99.5)) for track in levels)
    if loudest < SILENT_DB:
        raise BadRecordingError(f"The recording is silent: it never rises above {loudest:.0f} dBFS. Check the recorder.", "unscoreable")
    speech = crosstalk.speech_intervals(sound.tracks, RATE_HZ)
    if sum(i.end_s - i.start_s for i in speech) < MIN_SPEECH_S:
        what = (
            "music or a steady noise"
            if any(h.kind == "music" for h in crosstalk.find_holds((), levels, LEVEL_HOP_S, sound.duration_s))
            else "noise"
        )
        raise BadRecordingError(f"Nobody speaks in the recording: it holds {what} only.", "unscoreable")
    return AudioFacts(
        call_id=call_id,
        duration_s=round(sound.duration_s, 3),
        sample_rate_hz=sound.sample_rate_hz,
        codec=sound.codec,
        channels=sound.channels,
        tracks=int(sound.tracks.shape[0]),
        speech=tuple(speech),
        holds=tuple(crosstalk.find_holds(speech, levels, LEVEL_HOP_S, sound.duration_s)),
        level_hop_s=LEVEL_HOP_S,
        level_db=tuple(tuple(round(float(v), 1) for v in track) for track in levels),
    )


def put_aside(step: str, call: Call, error: BadRecordingError) -> PutAside:
    """The row that says why a step could not use a call."""
    status: Any = error.status
    return PutAside(call.call_id, step, status, error.reason, call.centre_id, Path(call.recording).name, call.recording_sha256)


def decode(path: str | Path) -> Sound:
    """The sound of a recording, doubled mono and dead channels folded to one track.

    The content decides, not the file's extension. Raises BadRecordingError (quarantined) with the reason: empty, not audio, more than two
    channels, too long, cut off or damaged.
    """
    samples, channels, rate_hz, codec = _read(Path(path))
    return Sound(_fold(samples), channels, rate_hz, codec)


def levels_db(tracks: Samples, hop_s: float = LEVEL_HOP_S) -> npt.NDArray[np.float64]:
    """RMS level in dBFS of each hop of each track, [tracks, frames]; the last short hop is left out."""
    hop = int(hop_s * RATE_HZ)
    frames = tracks.shape[1] // hop
    power = np.mean(np.square(tracks[:, : frames * hop].reshape(tracks.shape[0], frames, hop), dtype=np.float64), axis=2)
    levels: npt.NDArray[np.float64] = np.maximum(10 * np.log10(power + 1e-12), LOWEST_DB)
    return levels


def cut_clip(path: str | Path, start_s: float, end_s: float, beeps: Sequence[tuple[float, float]], out_path: str | Path) -> Path:
    """Write the sound between two moments of a recording to a file, as `write_clip` does. Raises BadRecordingError as `decode` does."""
    return write_clip(channels(path), start_s, end_s, beeps, out_path)


def channels(path: str | Path) -> Samples:
    """A recording's channels as they are [channels, samples at 16 kHz]. Raises BadRecordingError as `decode` does."""
    return _read(Path(path))[0]


def write_clip(samples: Samples, start_s: float, end_s: float, beeps: Sequence[tuple[float, float]], out_path: str | Path) -> Path:
    """Write the sound between two moments to a .wav or .ogg file, with a tone over each beep interval on every channel.

    Times are seconds from the start of the samples [channels, samples at 16 kHz]. The file appears whole or not at all. Raises ValueError for
    an empty range or another ending than .wav or .ogg.
    """
    out = Path(out_path)
    if out.suffix not in (".wav", ".ogg"):
        raise ValueError(f"A clip is .wav or .ogg, not {out.name!r}.")
    first, last = max(0, round(start_s * RATE_HZ)), min(samples.shape[1], round(end_s * RATE_HZ))
    if last <= first:
        raise ValueError(f"Nothing to cut from {start_s:.2f} to {end_s:.2f} s: the recording lasts {samples.shape[1] / RATE_HZ:.2f} s.")
    cut = samples[:, first:last].copy()
    for beep_start_s, beep_end_s in beeps:
        a, b = max(0, round(beep_start_s * RATE_HZ) - first), min(cut.shape[1], round(beep_end_s * RATE_HZ) - first)
        if b > a:
            cut[:, a:b] = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(b - a, dtype=np.float32) / RATE_HZ)
    _write(cut, out)
    return out


def _read(path: Path) -> tuple[Samples, int, int, str]:
    import av

    try:
        if path.stat().st_size == 0:
            raise BadRecordingError(f"{path.name} is empty (0 bytes).")
        if _ends_mid_page(path):
            raise BadRecordingError(f"{path.name} is cut off: it ends in the middle of a page. Fetch it again.")
    except OSError as error:
        raise BadRecordingError(f"{path.name} cannot be read: {error.strerror}.") from None
    missing = _missing_bytes(path)
    if missing:
        raise BadRecordingError(f"{path.name} is cut off: its header announces {missing} bytes more than the file holds. Fetch it again.")
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise BadRecordingError(f"{path.name} holds no audio stream.")
            return _read_stream(path.name, container)
    except av.FFmpegError as error:
        raise BadRecordingError(f"{path.name} is not audio that can be decoded ({error.strerror or type(error).__name__}).") from None


def _ends_mid_page(path: Path) -> bool:
    """Whether an Ogg file breaks off inside its last page: unlike wav and mp3 it does not say how long it should be."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        file.seek(max(0, file.seek(0, os.SEEK_END) - 70_000))  # a page has at most 65,307 bytes
        page = file.read()
    page = page[page.rfind(b"OggS") :]
    if len(page) < 27:
        return True
    return len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _missing_bytes(path: Path) -> int:
    """How many bytes a WAV file's data or an Ogg file's last page lacks; FFmpeg plays such files to where they end and says nothing."""
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(12)
        if magic[:4] == b"RIFF" and magic[8:] == b"WAVE":
            at = 12
            while len(head := file.read(8)) == 8:
                name, length = struct.unpack("<4sI", head)
                at += 8
                if name == b"data":  # recorders that stream write 0 or the highest number, and never come back to correct it
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


def _read_stream(name: str, container: Any) -> tuple[Samples, int, int, str]:
    import av

    stream = container.streams.audio[0]
    channels, rate_hz, codec = stream.codec_context.channels, stream.codec_context.sample_rate, stream.codec_context.name
    if channels not in (1, 2):
        raise BadRecordingError(f"{name} has {channels} channels; one or two are needed (one mixed, or one for each side).")
    declared_s = float(stream.duration * stream.time_base) if stream.duration else float(container.duration or 0) / av.time_base
    resampler = av.AudioResampler(format="fltp", layout="stereo" if channels == 2 else "mono", rate=RATE_HZ)
    blocks: list[Samples] = []
    total, packets, damaged = 0, 0, 0
    try:
        for packet in container.demux(stream):
            packets += 1
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                damaged += 1
                continue
            for frame in frames:
                for block in resampler.resample(frame):
                    blocks.append(block.to_ndarray())
                    total += block.samples
            if total > MAX_LENGTH_S * RATE_HZ:
                raise BadRecordingError(f"{name} lasts more than {MAX_LENGTH_S / 3600:.0f} hours; cut it into calls first.")
    except av.error.InvalidDataError:
        damaged += packets  # the container itself broke off
    blocks += [block.to_ndarray() for block in resampler.resample(None)] if blocks else []
    samples = np.concatenate(blocks, axis=1) if blocks else np.zeros((channels, 0), np.float32)
    decoded_s = samples.shape[1] / RATE_HZ
    if not samples.shape[1]:
        raise BadRecordingError(f"{name} holds no sound that can be decoded.")
    if damaged > max(2, 0.01 * packets):
        raise BadRecordingError(f"{name} is damaged: decoding broke off or failed in {damaged} of {packets} packets.")
    if declared_s < 7 * 24 * 3600 and declared_s - decoded_s > max(2.0, 0.05 * declared_s):
        raise BadRecordingError(f"{name} is cut off: it says {declared_s:.0f} s, only {decoded_s:.0f} s can be decoded. Fetch it again.")
    return samples.astype(np.float32, copy=False), channels, rate_hz, codec


def _fold(samples: Samples) -> Samples:
    """One track where both channels carry the same sound, or where one of them is dead; two where they differ."""
    if samples.shape[0] == 1:
        return samples
    power = np.mean(np.square(samples, dtype=np.float64), axis=1)
    if power.min() < 1e-12 * max(power.max(), 1e-12) or float(np.percentile(levels_db(samples), 99.5, axis=1).min()) < SILENT_DB - 15:
        return samples[[int(power.argmax())]]
    a, b = samples[int(power.argmax())].astype(np.float64), samples[int(power.argmin())].astype(np.float64)
    residue = b - a * (float(a @ b) / float(a @ a))
    if 10 * np.log10(float(residue @ residue) / float(b @ b) + 1e-12) < COPY_RESIDUE_DB:
        return samples[[int(power.argmax())]]
    return samples


def _write(samples: Samples, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.stem}.", suffix=out.suffix)
    os.close(handle)
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2")
    try:
        if out.suffix == ".wav":
            with wave.open(name, "wb") as file:
                file.setnchannels(pcm.shape[0])
                file.setsampwidth(2)
                file.setframerate(RATE_HZ)
                file.writeframes(np.ascontiguousarray(pcm.T).tobytes())
        else:
            _write_opus(pcm, name)
        os.chmod(name, private_files.file_mode())
        os.replace(name, out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write_opus(pcm: npt.NDArray[np.int16], name: str) -> None:
    import av

    layout = "stereo" if pcm.shape[0] == 2 else "mono"
    with av.open(name, "w", format="ogg", container_options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("libopus", rate=48_000, layout=layout)
        stream.bit_rate = 32_000 * pcm.shape[0]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.T).reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
