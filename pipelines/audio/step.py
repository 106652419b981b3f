"""The audio step: decode recordings, separate tracks, detect speech and holds, cut clips.

All decoded audio is float32 at 16 kHz, one row per track; that of a long recording is in a file and is read in blocks. Decoding itself
is in `decoding`, speech detection in `voice_activity`.
"""

from __future__ import annotations

import logging
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import atomic_files
from models.cores import on_every_core
from pipelines.audio import voice_activity
from pipelines.core.errors import BadRecordingError
from pipelines.core.records import AudioFacts, Call, Rejection
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.decoding import processes
from pipelines.decoding.formats import MAX_LENGTH_S, RATE_HZ
from pipelines.decoding.processes import ChangedRecordingError
from pipelines.decoding.tracks import Samples, Tracks, blocks, only

__all__ = ["MAX_LENGTH_S", "RATE_HZ", "ChangedRecordingError", "Samples", "Tracks", "run"]

LEVEL_HOP_S = 0.05
LOWEST_DB = -90.0
SILENT_DB = -55.0  # the noise of a telephone line is below this, a whisper above
MIN_LENGTH_S = 3.0
MIN_SPEECH_S = 0.8
CLIP_BLOCK = 60 * RATE_HZ  # samples of each channel that are encoded at a time
COPY_RESIDUE_DB = -15.0  # the residue of a channel after the other one is subtracted, when both have the same audio
log = logging.getLogger("callgrade")


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """A decoded recording, folded to its distinct tracks."""

    tracks: Tracks  # [1 or 2, samples]
    channels: int  # as in the file
    sample_rate_hz: int  # as in the file
    codec: str

    @property
    def duration_s(self) -> float:
        return float(self.tracks.shape[1]) / RATE_HZ


def run(batch: Batch, settings: Settings) -> None:
    """Write the audio facts of every recording; unusable ones are rejected with the reason. Works on one recording per core."""
    calls: list[Call] = batch.calls("audio")
    facts: list[AudioFacts] = []
    rows: list[Rejection] = []
    for number, (call, found) in enumerate(zip(calls, on_every_core(partial(_look_at, scratch=settings.stage), calls), strict=True), 1):
        log.info("audio %d/%d %s", number, len(calls), call.call_id)
        if isinstance(found, BadRecordingError):
            rows.append(Rejection.of_call(call, "audio", found.reason))
        else:
            facts.append(found)
    batch.write_rejected("audio", rows)
    batch.write("audio", facts)


def _look_at(call: Call, scratch: Path) -> AudioFacts | BadRecordingError:
    try:
        return facts_of(call.call_id, decode(call.recording, call.recording_sha256, scratch))
    except BadRecordingError as error:
        return error


def facts_of(call_id: str, sound: DecodedAudio) -> AudioFacts:
    """Speech, holds and levels of one recording.

    Raises BadRecordingError (unscoreable) where there is no speech: too short, silent, music or noise only.
    """
    levels = levels_db(sound.tracks)
    if sound.duration_s < MIN_LENGTH_S:
        raise BadRecordingError(Reason(Key.TOO_SHORT, seconds=sound.duration_s, least=MIN_LENGTH_S))
    loudest = max(float(np.percentile(track, 99.5)) for track in levels)
    if loudest < SILENT_DB:
        raise BadRecordingError(Reason(Key.SILENT, loudest=loudest))
    speech = voice_activity.speech_intervals(sound.tracks, RATE_HZ)
    if sum(i.end_s - i.start_s for i in speech) < MIN_SPEECH_S:
        is_music = any(h.kind == "music" for h in voice_activity.find_holds((), levels, LEVEL_HOP_S, sound.duration_s))
        raise BadRecordingError(Reason(Key.MUSIC_ONLY) if is_music else Reason(Key.NOISE_ONLY))
    return AudioFacts(
        call_id=call_id,
        duration_s=round(sound.duration_s, 3),
        sample_rate_hz=sound.sample_rate_hz,
        codec=sound.codec,
        channels=sound.channels,
        tracks=int(sound.tracks.shape[0]),
        speech=tuple(speech),
        holds=tuple(voice_activity.find_holds(speech, levels, LEVEL_HOP_S, sound.duration_s)),
        level_hop_s=LEVEL_HOP_S,
        level_db=tuple(tuple(round(float(v), 1) for v in track) for track in levels),
    )


def decode(path: str | Path, sha256: str | None = None, scratch: Path | None = None) -> DecodedAudio:
    """The audio of a recording, with doubled mono and dead channels folded to one track.

    The content decides, not the file's extension. With `sha256`, the file must be the recording that intake accepted. `scratch` is a
    folder on a disk for the decoded audio of a long recording. Raises BadRecordingError (quarantined) with the reason: empty, not
    audio, more than two channels, too long, cut off or damaged; ChangedRecordingError when the file has changed; TransientError when
    the disk is full.
    """
    decoded = processes.decode(Path(path), sha256 or None, scratch)
    return DecodedAudio(_fold(decoded.tracks), decoded.channels, decoded.rate_hz, decoded.codec)


def levels_db(tracks: Tracks, hop_s: float = LEVEL_HOP_S) -> npt.NDArray[np.float64]:
    """RMS level in dBFS of each hop of each track, [tracks, frames]; the last short hop is dropped."""
    hop = int(hop_s * RATE_HZ)
    power = [np.zeros((tracks.shape[0], 0))]
    for block in blocks(tracks, hop * 1200):
        frames = block.shape[1] // hop
        power.append(np.mean(np.square(block[:, : frames * hop].reshape(len(block), frames, hop), dtype=np.float64), axis=2))
    levels: npt.NDArray[np.float64] = np.maximum(10 * np.log10(np.concatenate(power, axis=1) + 1e-12), LOWEST_DB)
    return levels


def cut_clip(path: str | Path, start_s: float, end_s: float, beeps: Sequence[tuple[float, float]], out_path: str | Path) -> Path:
    """Write the audio between two times of a recording to a file, as `write_clip` does. Raises BadRecordingError as `decode` does."""
    return write_clip(channels(path, scratch=Path(out_path).parent), start_s, end_s, beeps, out_path)


def channels(path: str | Path, sha256: str | None = None, scratch: Path | None = None) -> Tracks:
    """A recording's channels without any folding [channels, samples at 16 kHz]. Arguments and errors are those of `decode`."""
    return processes.decode(Path(path), sha256 or None, scratch).tracks


def write_clip(tracks: Tracks, start_s: float, end_s: float, beeps: Sequence[tuple[float, float]], out_path: str | Path) -> Path:
    """Write the audio between two times to a .wav or .ogg file, with a tone over each beep interval on every channel.

    Times are seconds from the start of the tracks [channels, samples at 16 kHz]. The file is written atomically. Raises ValueError for
    an empty range or an extension other than .wav or .ogg.
    """
    out = Path(out_path)
    if out.suffix not in (".wav", ".ogg"):
        raise ValueError(f"A clip is .wav or .ogg, not {out.name!r}.")
    first, last = max(0, round(start_s * RATE_HZ)), min(tracks.shape[1], round(end_s * RATE_HZ))
    if last <= first:
        raise ValueError(f"Nothing to cut from {start_s:.2f} to {end_s:.2f} s: the recording lasts {tracks.shape[1] / RATE_HZ:.2f} s.")
    spans = [(max(first, round(a_s * RATE_HZ)), min(last, round(b_s * RATE_HZ))) for a_s, b_s in beeps]
    _write(_beeped(tracks, first, last, spans), tracks.shape[0], out)
    return out


def _beeped(tracks: Tracks, first: int, last: int, beeps: Sequence[tuple[int, int]]) -> Iterator[npt.NDArray[np.int16]]:
    """The samples of a range as 16-bit PCM [channels, samples], in blocks, with a tone over the beeps."""
    for at in range(first, last, CLIP_BLOCK):
        cut = np.array(tracks[:, at : min(at + CLIP_BLOCK, last)])
        for beep_first, beep_last in beeps:
            a, b = max(beep_first, at), min(beep_last, at + cut.shape[1])
            if b > a:
                since = np.arange(a - beep_first, b - beep_first, dtype=np.float32)
                cut[:, a - at : b - at] = 0.1 * np.sin(2 * np.pi * 1000 * since / RATE_HZ)
        yield (np.clip(cut, -1, 1) * 32767).astype("<i2")


def _fold(tracks: Tracks) -> Tracks:
    """One track where both channels have the same audio, or where one of them is dead; two where they differ."""
    if tracks.shape[0] == 1:
        return tracks
    if tracks.shape[1] < LEVEL_HOP_S * RATE_HZ:  # too short for a level, and for a call
        return only(tracks, 0)
    products = np.zeros((2, 2))
    for block in blocks(tracks):
        wide = block.astype(np.float64)
        products += wide @ wide.T
    power = np.diagonal(products) / tracks.shape[1]
    loud, quiet = int(power.argmax()), int(power.argmin())
    if power.min() < 1e-12 * max(power.max(), 1e-12) or float(np.percentile(levels_db(tracks), 99.5, axis=1).min()) < SILENT_DB - 15:
        return only(tracks, loud)
    residue = products[quiet, quiet] - products[loud, quiet] ** 2 / products[loud, loud]
    if 10 * np.log10(max(float(residue), 0.0) / float(products[quiet, quiet]) + 1e-12) < COPY_RESIDUE_DB:
        return only(tracks, loud)
    return tracks


def _write(pcm: Iterator[npt.NDArray[np.int16]], channels: int, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files.replacing(out) as part:
        if out.suffix == ".wav":
            with wave.open(str(part), "wb") as file:
                file.setnchannels(channels)
                file.setsampwidth(2)
                file.setframerate(RATE_HZ)
                for block in pcm:
                    file.writeframes(np.ascontiguousarray(block.T).tobytes())
        else:
            _write_opus(pcm, channels, str(part))


def _write_opus(pcm: Iterator[npt.NDArray[np.int16]], channels: int, name: str) -> None:
    import av

    layout = "stereo" if channels == 2 else "mono"
    with av.open(name, "w", format="ogg", container_options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("libopus", rate=48_000, layout=layout)
        stream.bit_rate = 32_000 * channels
        for block in pcm:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T).reshape(1, -1), format="s16", layout=layout)
            frame.sample_rate = RATE_HZ
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
