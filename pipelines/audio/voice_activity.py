"""Voice activity on each track without channel bleed, and holds.

The two tracks of a telephone recorder are never completely separate: the far side returns through the hybrid or the headset, quieter
and a few milliseconds late. Such a stretch looks like speech but is not: the other track is much louder there, and this one follows it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from models.asr import engine
from models.asr import voice_activity as silero
from pipelines.core.intervals import union
from pipelines.core.records import Hold, Interval
from pipelines.decoding.tracks import Tracks

Samples = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float64]

# The speech probability that opens a stretch, and the one below which it closes. The detector's usual 0.5 misses soft and hoarse telephone
# voices, while noise, ringing and hold music stay under 0.25.
ONSET, OFFSET = 0.3, 0.15
MIN_SPEECH_S, MAX_GAP_S, PAD_S = 0.15, 0.35, 0.1
# The sum of a stretch's probabilities, in seconds: less than this is a blip in music, typing or the first note after silence, unless other
# speech of the same track is near. Of 794 true stretches in the development calls none is lost.
LEAST_EVIDENCE_S, NEAR_S = 0.12, 1.0
MIN_HOLD_S = 8.0
MUSIC_ABOVE_NOISE_DB = 12.0
STRETCH_FOR_COPY_S = 0.4
MAX_ECHO_S = 0.06
SURE_LEAK_DB = 28.0  # two people on a line never differ that much: this far below, a track has only the other's voice
LEAK_DB, LEAK_SIMILARITY = 6.0, 0.5
ENOUGH_LEAK_S, ECHO_TAIL_S, ECHO_MARGIN_DB = 1.0, 0.2, 5.0


def speech_intervals(tracks: Tracks, rate_hz: int) -> list[Interval]:
    """Stretches of speech on each track, ordered by start, without channel bleed. `tracks` is [tracks, samples] at 16 kHz."""
    probabilities = [silero.speech_probabilities(track) for track in tracks]
    if len(tracks) == 2:
        leaked = [leaked_frames(tracks[own], tracks[1 - own], rate_hz, len(probabilities[own])) for own in (0, 1)]
        probabilities = [np.where(leak, 0.0, p) for p, leak in zip(probabilities, leaked, strict=True)]
    found = [
        Interval(number, round(start, 3), round(end, 3))
        for number, p in enumerate(probabilities)
        for start, end in stretches(p, silero.FRAME_S, tracks.shape[1] / rate_hz)
    ]
    return sorted(found, key=lambda i: (i.start_s, i.track))


def stretches(probability: npt.NDArray[np.floating], frame_s: float, length_s: float) -> list[tuple[float, float]]:
    """Convert frame probabilities to (start_s, end_s): hysteresis, short gaps closed, isolated blips dropped, a little padding."""
    raw: list[tuple[float, float]] = []
    begun: int | None = None
    for i, p in enumerate(probability):
        if begun is None and p >= ONSET:
            begun = i
        elif begun is not None and p < OFFSET:
            raw.append((begun * frame_s, i * frame_s))
            begun = None
    if begun is not None:
        raw.append((begun * frame_s, len(probability) * frame_s))
    joined: list[tuple[float, float]] = []
    for start, end in raw:
        if joined and start - joined[-1][1] <= MAX_GAP_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    evidence_s = [float(np.sum(probability[round(s / frame_s) : round(e / frame_s)])) * frame_s for s, e in joined]
    sure = [span for span, evidence in zip(joined, evidence_s, strict=True) if evidence >= LEAST_EVIDENCE_S]
    kept = [(s, e) for s, e in joined if e - s >= MIN_SPEECH_S and any(a - e <= NEAR_S and s - b <= NEAR_S for a, b in sure)]
    padded = [(max(0.0, s - PAD_S), min(length_s, e + PAD_S)) for s, e in kept]
    return [(s, e) for s, e in padded if e > s]


def leaked_frames(own: engine.Track, other: engine.Track, rate_hz: int, frames: int) -> npt.NDArray[np.bool_]:
    """For each frame of the speech detector: whether this track has only the other side's voice."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    hop = int(silero.FRAME_S * rate_hz)
    levels = [uniform_filter1d(_levels(track, hop, frames), 5) for track in (own, other)]
    louder_db = levels[1] - levels[0]
    leaked = louder_db > SURE_LEAK_DB
    copied = np.zeros(frames, np.bool_)
    block = max(1, round(STRETCH_FOR_COPY_S / silero.FRAME_S))
    for first in range(0, frames, block // 2):
        part = slice(first, min(frames, first + block))
        quiet = louder_db[part] > LEAK_DB
        if quiet.mean() < 0.5 or leaked[part].all():
            continue
        a, b = own[first * hop : (first + block) * hop], other[first * hop : (first + block) * hop]
        if resemblance(a, b, int(MAX_ECHO_S * rate_hz)) > LEAK_SIMILARITY:
            copied[part] |= quiet
    if copied.sum() * silero.FRAME_S > ENOUGH_LEAK_S:  # the line's damping is now known, so the tails of the echo can be recognised as well
        damping_db = float(np.median(louder_db[copied]))
        echo_db = maximum_filter1d(levels[1], round(2 * ECHO_TAIL_S / silero.FRAME_S)) - damping_db
        leaked |= levels[0] < echo_db + ECHO_MARGIN_DB
    found: npt.NDArray[np.bool_] = leaked | copied
    return found


def resemblance(a: Samples, b: Samples, max_lag: int) -> float:
    """The similarity of one stretch to a late, scaled copy of the other: the highest normalised correlation within the lag, 0 to 1."""
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norm < 1e-9:
        return 0.0
    size = 1 << (len(a) + len(b)).bit_length()
    correlation = np.abs(np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size))
    return float(max(correlation[: max_lag + 1].max(), correlation[-max_lag:].max()) / norm)


def find_holds(speech: Iterable[Interval], levels: Levels, hop_s: float, length_s: float) -> list[Hold]:
    """Stretches of at least 8 s in which nobody speaks; `music` where most of it is well above the line's own noise.

    `levels` is [tracks, frames] in dBFS. Nobody waits before the first and after the last speech, so there are no holds there; a
    recording without speech is searched as a whole.
    """
    spoken = union((i.start_s, i.end_s) for i in speech)
    gaps = [(a[1], b[0]) for a, b in itertools.pairwise(spoken)] if spoken else [(0.0, length_s)]
    noise_db = np.percentile(levels, 5, axis=1, keepdims=True)
    audible = np.any(((levels > noise_db + MUSIC_ABOVE_NOISE_DB) & (levels > -60.0)) | (levels > -42.0), axis=0)
    holds = []
    for start, end in gaps:
        if end - start < MIN_HOLD_S:
            continue
        frames = audible[int(start / hop_s) : max(int(start / hop_s) + 1, int(end / hop_s))]
        holds.append(Hold(round(start, 3), round(end, 3), "music" if frames.size and frames.mean() > 0.5 else "silence"))
    return holds


def total_s(intervals: Sequence[Interval]) -> float:
    """Seconds of speech, summed over the tracks."""
    return sum(i.end_s - i.start_s for i in intervals)


def _levels(track: engine.Track, hop: int, frames: int) -> Levels:
    power = np.zeros(frames)
    for first in range(0, frames, silero.BLOCK):
        padded = np.zeros((min(silero.BLOCK, frames - first), hop), np.float32)
        part = track[first * hop : (first + len(padded)) * hop]
        padded.reshape(-1)[: len(part)] = part
        power[first : first + len(padded)] = np.mean(np.square(padded, dtype=np.float64), axis=1)
    levels: Levels = 10 * np.log10(power + 1e-12)
    return levels
