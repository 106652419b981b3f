"""Disguises the client's voice in a piece of a call, so that a listener does not recognise an acquaintance in a coaching pack.

Two signal transformations: the formants are shifted (the angles of the poles of a linear prediction are raised to a power, as McAdams
did), and the pitch is moved towards the middle between low and high voices. The amounts are random for each piece and not stored.

It protects from being recognised by ear. It does not protect from what is said, from a way of speaking, from somebody who has the
recording, or from automatic voice comparison: see docs/coaching.md for measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipelines.audio.step import RATE_HZ, Samples
from pipelines.core.published import Row

Signal = npt.NDArray[np.float64]

FRAME, HOP, ORDER = 480, 240, 18  # 30 ms of sound; poles of the prediction
BEND = (0.90, 0.95)  # exponent of the angles: further from 1 the formants move more and words are less intelligible
MIDDLE_HZ = 165.0  # between the usual pitch of men and of women
LEAST_SHIFT, MOST_SHIFT = 1.16, 1.45
LOWEST_HZ, HIGHEST_HZ = 70.0, 350.0
FADE_S = 0.02


def disguise_client(tracks: Samples, turns: Sequence[Row], start_s: float, rng: np.random.Generator | None = None) -> Samples:
    """The tracks with a disguised voice except where only the operator is known to speak.

    In stereo that is the whole of the client's track; in a mixed recording everything outside the operator's turns. `turns` are rows of
    the view, `start_s` is the start of the piece in the recording.
    """
    rng = rng or np.random.default_rng()
    changed = tracks.copy()
    if tracks.shape[0] == 2:
        of_client = _client_track(turns)
        for number in (0, 1) if of_client is None else (of_client,):
            changed[number] = disguise(tracks[number], rng)
        return changed
    share = _share_of_client(tracks.shape[1], turns, start_s)
    if share.any():
        other = disguise(tracks[0], rng, where=share > 0)
        changed[0] = (tracks[0] * (1 - share) + other * share).astype(np.float32)
    return changed


def disguise(
    samples: npt.NDArray[np.float32], rng: np.random.Generator, where: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float32]:
    """The same words at the same times in another voice; `where` marks the voice whose pitch is measured."""
    signal = samples.astype(np.float64)
    if signal.size < 4 * FRAME:
        return np.zeros_like(samples)
    bent = _bend(signal, rng.uniform(*BEND))
    shifted = _shift(bent, _ratio(_pitch_hz(signal if where is None else signal[where]), rng))
    level = np.sqrt(np.mean(signal**2)) / max(float(np.sqrt(np.mean(shifted**2))), 1e-6)
    other: npt.NDArray[np.float32] = np.clip(shifted * min(level, 4.0), -1, 1).astype(np.float32)
    return other


def _client_track(turns: Sequence[Row]) -> int | None:
    spoken = {role: [0.0, 0.0] for role in ("operator", "client")}
    for turn in turns:
        if turn["role"] in spoken and turn["track"] in (0, 1):
            spoken[turn["role"]][turn["track"]] += turn["end_s"] - turn["start_s"]
    first, second = (spoken["client"][n] - spoken["operator"][n] for n in (0, 1))
    return None if first == second else (0 if first > second else 1)


def _share_of_client(length: int, turns: Sequence[Row], start_s: float) -> Signal:
    """1 where the client may speak, 0 where only the operator does, with soft edges inside the operator's turns."""
    share = np.ones(length)
    for roles, value in ((("operator",), 0.0), (("client", "unknown"), 1.0)):
        for turn in turns:
            if turn["role"] in roles:
                a, b = (int((turn[key] - start_s) * RATE_HZ) for key in ("start_s", "end_s"))
                share[max(a, 0) : max(b, 0)] = value
    fade = int(FADE_S * RATE_HZ)
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    soft: Signal = np.clip(uniform_filter1d(maximum_filter1d(share, 2 * fade), fade), 0, 1)
    return soft


def _bend(signal: Signal, bend: float) -> Signal:
    """The signal with shifted formants: each frame's prediction is kept except for the angles of its poles."""
    from scipy.linalg import solve_toeplitz
    from scipy.signal import lfilter

    window = np.hanning(FRAME + 1)[:-1]
    frames = 1 + (signal.size + FRAME) // HOP
    padded = np.concatenate([np.zeros(FRAME), signal, np.zeros(2 * FRAME)])
    out = np.zeros_like(padded)
    for n in range(frames):
        at = n * HOP
        frame = padded[at : at + FRAME] * window
        if frame.size < FRAME:
            break
        power = np.correlate(frame, frame, "full")[FRAME - 1 : FRAME + ORDER]
        if power[0] < 1e-6:
            continue  # silence stays silence
        power[0] *= 1.0001
        poles = np.concatenate([[1.0], -solve_toeplitz(power[:-1], power[1:])])
        roots = np.roots(poles)
        angles = np.angle(roots)
        moved = np.where(np.abs(roots.imag) > 1e-9, np.sign(angles) * np.abs(angles) ** bend, angles)
        filtered = lfilter([1.0], np.real(np.poly(np.minimum(np.abs(roots), 0.985) * np.exp(1j * moved))), lfilter(poles, [1.0], frame))
        loud = np.sqrt(np.sum(filtered**2))
        out[at : at + FRAME] += filtered * window * (np.sqrt(power[0]) / loud if loud > 1e-9 else 0.0)
    half: Signal = out[FRAME : FRAME + signal.size] / 0.75  # the windows of half-overlapping frames add up to this
    return half


def _shift(signal: Signal, ratio: float) -> Signal:
    """The signal with all frequencies multiplied, at the same length: stretched by a phase vocoder, then resampled."""
    from scipy.signal import resample_poly

    pace = Fraction(ratio).limit_denominator(40)
    played = resample_poly(_stretch(signal, float(pace)), pace.denominator, pace.numerator)
    fitted: Signal = np.zeros_like(signal)
    length = min(played.size, signal.size)
    fitted[:length] = played[:length]
    return fitted


def _stretch(signal: Signal, factor: float, size: int = 1024, hop: int = 256) -> Signal:
    window = np.hanning(size + 1)[:-1]
    padded = np.concatenate([np.zeros(size // 2), signal, np.zeros(2 * size)])
    frames = np.stack([padded[at : at + size] * window for at in range(0, padded.size - size, hop)])
    spectra = np.fft.rfft(frames, axis=1)
    steps = np.arange(0, len(spectra) - 1, 1 / factor)
    expected = 2 * np.pi * hop * np.arange(spectra.shape[1]) / size
    phase = np.angle(spectra[0])
    out = np.zeros(len(steps) * hop + size)
    for n, step in enumerate(steps):
        left = int(step)
        part = step - left
        magnitude = (1 - part) * np.abs(spectra[left]) + part * np.abs(spectra[left + 1])
        out[n * hop : n * hop + size] += np.fft.irfft(magnitude * np.exp(1j * phase), size) * window
        turned = np.angle(spectra[left + 1]) - np.angle(spectra[left]) - expected
        phase = phase + expected + turned - 2 * np.pi * np.round(turned / (2 * np.pi))
    stretched: Signal = out[size // 2 :] / 1.5
    return stretched


def _ratio(pitch_hz: float, rng: np.random.Generator) -> float:
    """The factor for the pitch: towards the middle, and far enough to be another voice in any case."""
    ratio = float(np.clip(MIDDLE_HZ * rng.uniform(0.95, 1.05) / pitch_hz, 1 / MOST_SHIFT, MOST_SHIFT))
    return max(ratio, LEAST_SHIFT) if ratio >= 1 else min(ratio, 1 / LEAST_SHIFT)


def _pitch_hz(signal: Signal) -> float:
    """The median pitch of a voice, by autocorrelation; the middle where there is no voice."""
    size = 2 * int(RATE_HZ / LOWEST_HZ)
    shortest, longest = int(RATE_HZ / HIGHEST_HZ), int(RATE_HZ / LOWEST_HZ)
    loud = np.percentile(np.abs(signal), 90) if signal.size else 0.0
    found = []
    for at in range(0, signal.size - size, size):
        frame = signal[at : at + size]
        if np.abs(frame).max() < max(loud, 1e-3):
            continue
        same = np.correlate(frame, frame, "full")[size - 1 :]
        best = shortest + int(np.argmax(same[shortest:longest]))
        if same[best] > 0.45 * same[0]:
            found.append(RATE_HZ / best)
    return float(np.median(found)) if found else MIDDLE_HZ
