"""Synthetic telephone sounds without speech, the same on every machine.

Each sound is float32 at 8 kHz; `write` encodes one in the formats of call recorders (`TELEPHONE`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

Samples = npt.NDArray[np.float32]
Make = Callable[[float], Samples]

RATE_HZ = 8000


def time(seconds: float) -> npt.NDArray[np.float64]:
    """The moments of the samples."""
    return np.arange(int(seconds * RATE_HZ)) / RATE_HZ


def noise(seconds: float, level_db: float, slope: float = 0.0, seed: int = 1) -> Samples:
    """Noise whose power falls with frequency by `slope` (0 white, 1 pink, 2 brown), at an RMS level in dBFS."""
    n = int(seconds * RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / RATE_HZ)
    spectrum *= np.where(frequency > 30, np.maximum(frequency, 30) / 1000, 1) ** (-slope / 2) * (frequency > 30)
    return _at_level(np.fft.irfft(spectrum, n), level_db)


def tones(seconds: float, hertz: tuple[float, ...], pattern: tuple[float, ...], level_db: float = -18.0) -> Samples:
    """A sum of tones, switched on and off in turns of `pattern` seconds, starting with on; an empty pattern never stops."""
    t = time(seconds)
    wave = sum(np.sin(2 * np.pi * f * t) for f in hertz)
    if pattern:
        at = np.cumsum(pattern)
        wave = wave * (np.searchsorted(at, t % at[-1], side="right") % 2 == 0)
    return _at_level(np.asarray(wave), level_db, loud_only=True)


def dtmf(seconds: float) -> Samples:
    """A number dialled with tones, again and again."""
    low, high = (697, 770, 852, 941), (1209, 1336, 1477)
    t = time(seconds)
    digit = (t / 0.18).astype(int)
    wave = np.zeros_like(t)
    for d in range(int(digit.max()) + 1):
        here = digit == d
        wave[here] = np.sin(2 * np.pi * low[d * 7 % 4] * t[here]) + np.sin(2 * np.pi * high[d * 5 % 3] * t[here])
    return _at_level(wave * (t % 0.18 < 0.09) * (t % 4 < 2), -16.0, loud_only=True)


def fax(seconds: float) -> Samples:
    """A fax machine that calls, answers, and trains its modem."""
    t = time(seconds)
    calling = np.sin(2 * np.pi * 1100 * t) * (t % 3.5 < 0.5) * (t < 7)
    answer = np.sin(2 * np.pi * 2100 * t) * ((t > 7) & (t < 10))
    bits = np.random.default_rng(5).integers(0, 2, int(seconds * 300) + 1)[(t * 300).astype(int)]
    modem = np.sin(np.cumsum(2 * np.pi * np.where(bits, 1650, 1850) / RATE_HZ)) * (t > 10.5)
    return _at_level(calling + answer + modem, -15.0, loud_only=True)


def hum(seconds: float, level_db: float = -30.0) -> Samples:
    """The mains with their harmonics."""
    t = time(seconds)
    return _at_level(sum(np.sin(2 * np.pi * 50 * k * t + k) / k for k in (1, 2, 3, 5, 7, 9, 11)), level_db)


def chords(seconds: float, vibrato_hz: float = 5.5, level_db: float = -20.0) -> Samples:
    """Strings: held chords that change every two seconds, with vibrato."""
    t = time(seconds)
    wave = np.zeros_like(t)
    sway = 0.006 * np.sin(2 * np.pi * vibrato_hz * t) / (2 * np.pi * vibrato_hz)
    for step, root in enumerate(_in_turn((261.6, 220.0, 174.6, 196.0), seconds, 2.0)):
        here = (t >= 2 * step) & (t < 2 * step + 2)
        swell = np.sin(np.pi * (t[here] % 2) / 2) ** 0.5
        for ratio in (1, 1.26, 1.498, 2):
            for k in (1, 2, 3, 4, 5):
                wave[here] += swell * np.sin(2 * np.pi * root * ratio * k * (t[here] + sway[here])) / k**1.5
    return _at_level(wave, level_db)


def arpeggio(seconds: float, note_s: float = 0.22, level_db: float = -20.0) -> Samples:
    """A plucked string or a music box, one note after the other."""
    notes = (261.6, 329.6, 392.0, 523.3, 659.3, 523.3, 392.0, 329.6)
    return _at_level(_notes(seconds, _in_turn(notes, seconds, note_s), note_s, decay_s=0.35), level_db)


def piano(seconds: float, level_db: float = -22.0) -> Samples:
    """A slow tune over a walking bass, as on the lines that play a sonata."""
    rng = np.random.default_rng(11)
    scale = np.array((261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9, 523.3))
    walk = np.clip(np.cumsum(rng.integers(-2, 3, int(seconds / 0.45) + 1)) + 3, 0, 7)
    tune = _notes(seconds, tuple(scale[walk]), 0.45, decay_s=0.7)
    bass = _notes(seconds, tuple(scale[walk[::2]] / 2), 0.9, decay_s=1.0)
    return _at_level(tune + 0.7 * bass, level_db)


def drums(seconds: float, level_db: float = -20.0) -> Samples:
    """A drum loop: bass drum, snare, hi-hat at 110 beats a minute."""
    n, rng = int(seconds * RATE_HZ), np.random.default_rng(7)
    hit = time(0.25)
    bass = np.sin(2 * np.pi * (50 + 60 * np.exp(-hit * 30)) * hit) * np.exp(-hit * 14)
    snare = rng.standard_normal(len(hit)) * np.exp(-hit * 18)
    hat = np.diff(rng.standard_normal(len(hit) + 1)) * np.exp(-hit * 70)
    wave = np.zeros(n + len(hit))
    for beat in range(int(seconds / 0.2727)):
        at = int(beat * 0.2727 * RATE_HZ)
        wave[at : at + len(hit)] += 0.25 * hat + (bass * 1.2 if beat % 4 in (0, 3) else 0) + (0.7 * snare if beat % 4 == 2 else 0)
    return _at_level(wave[:n], level_db)


def band(seconds: float, level_db: float = -18.0) -> Samples:
    """Drums, bass and chords at once."""
    return _at_level(drums(seconds) + 0.8 * chords(seconds) + 0.5 * arpeggio(seconds, 0.1364), level_db)


def saxophone(seconds: float, level_db: float = -20.0) -> Samples:
    """A solo wind instrument: a reed's spectrum with vibrato and glides, the instrument most like a voice."""
    rng = np.random.default_rng(13)
    t = time(seconds)
    pitch = np.repeat(196 * 2 ** (rng.integers(0, 13, int(seconds / 0.6) + 1) / 12), int(0.6 * RATE_HZ))[: len(t)]
    pitch = lfilter([0.004], [1, -0.996], pitch - pitch[0]) + pitch[0]
    phase = np.cumsum(2 * np.pi * pitch * (1 + 0.008 * np.sin(2 * np.pi * 5 * t)) / RATE_HZ)
    wave = np.asarray(sum(np.sin(k * phase) / k for k in range(1, 12)))
    breath = 0.55 + 0.45 * np.sin(2 * np.pi * t / 2.4)
    return _at_level(_formant(wave, 900, 0.9) * breath, level_db)


def humming(seconds: float, vowels: bool = False, level_db: float = -20.0) -> Samples:
    """A choir pad: many synthetic throats on one held vowel; with `vowels` one throat that glides from vowel to vowel."""
    rng = np.random.default_rng(17)
    t = time(seconds)
    shapes = ((730, 1090, 2440), (570, 840, 2410), (300, 870, 2240)) if vowels else ((640, 1190, 2390),)
    wave = np.zeros_like(t)
    for voice in range(1 if vowels else 6):
        pitch = np.repeat(165 * 2 ** (rng.integers(0, 8, int(seconds / 1.2) + 1) / 12), int(1.2 * RATE_HZ))[: len(t)]
        pitch = lfilter([0.002], [1, -0.998], pitch - pitch[0]) + pitch[0]
        phase = np.cumsum(2 * np.pi * pitch * (1 + 0.007 * np.sin(2 * np.pi * (5 + 0.3 * voice) * t)) / RATE_HZ)
        throat = np.asarray(sum(np.sin(k * phase) / k for k in range(1, 16)))
        share = np.maximum(0, np.cos(2 * np.pi * (t[None] / 3.6 - np.arange(len(shapes))[:, None] / len(shapes)))) if vowels else [1.0]
        for shape, part in zip(shapes, share, strict=True):
            wave += part * sum(_formant(throat, f, 0.97) for f in shape)
    return _at_level(wave, level_db)


def clicks(seconds: float, per_s: float, decay_s: float, level_db: float = -30.0, seed: int = 19, knock_hz: float = 0.0) -> Samples:
    """Short bursts at random moments: typing (many, short), knocks and slammed doors (few, longer, with a tone)."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE_HZ)
    at = np.zeros(n)
    at[rng.integers(0, n, int(seconds * per_s))] = rng.uniform(0.3, 1.0, int(seconds * per_s))
    tail = time(6 * decay_s)
    burst = rng.standard_normal(len(tail)) * np.exp(-tail / decay_s)
    if knock_hz:
        burst = 0.4 * burst + 2 * np.sin(2 * np.pi * knock_hz * tail) * np.exp(-tail / decay_s)
    return _at_level(fftconvolve(at, burst)[:n], level_db)


def wind(seconds: float, level_db: float = -22.0) -> Samples:
    """Wind in a microphone, in gusts."""
    gust = np.abs(noise(seconds, -10, 2, seed=23))
    gust = sosfilt(butter(2, 0.8, fs=RATE_HZ, output="sos"), gust)
    return _at_level(noise(seconds, -20, 1.5, seed=29) * np.maximum(gust, 0) ** 1.5, level_db)


def traffic(seconds: float, level_db: float = -25.0) -> Samples:
    """Engines that come and go: low noise with a swept drone."""
    t = time(seconds)
    phase = np.cumsum(2 * np.pi * (90 + 40 * np.sin(2 * np.pi * t / 7)) / RATE_HZ)
    drone = np.asarray(sum(np.sin(k * phase) / k for k in range(1, 8)))
    return _at_level(noise(seconds, -20, 1, seed=31) + 0.05 * drone * (1 + np.sin(2 * np.pi * t / 7)), level_db)


def breathing(seconds: float, level_db: float = -34.0) -> Samples:
    """Somebody breathes into the receiver."""
    t = time(seconds)
    sound = sosfilt(butter(2, (300, 2500), btype="band", fs=RATE_HZ, output="sos"), noise(seconds, -20, 0.5, seed=37))
    return _at_level(sound * np.maximum(0, np.sin(2 * np.pi * t / 3.2)) ** 2, level_db)


def siren(seconds: float, level_db: float = -22.0) -> Samples:
    """An ambulance goes by."""
    t = time(seconds)
    phase = np.cumsum(2 * np.pi * (800 + 350 * np.sin(2 * np.pi * t / 4)) / RATE_HZ)
    return _at_level(np.sin(phase) + 0.4 * np.sin(2 * phase), level_db)


SOUNDS: dict[str, Make] = {
    "digital silence": lambda s: np.zeros(int(s * RATE_HZ), np.float32),
    **{
        f"{colour} noise {db} dB": lambda s, slope=slope, db=db: noise(s, db, slope)
        for colour, slope in (("white", 0), ("pink", 1), ("brown", 2))
        for db in (-60, -40, -20)
    },
    "mains hum": hum,
    "mains hum, loud": lambda s: hum(s, -15.0),
    "ringback 425 Hz 1/4 (RU, UA)": lambda s: tones(s, (425,), (1, 4)),
    "ringback 425 Hz 1.25/3.75 (HU)": lambda s: tones(s, (425,), (1.25, 3.75)),
    "ringback 440+480 Hz 2/4 (US)": lambda s: tones(s, (440, 480), (2, 4)),
    "ringback 400+450 Hz double (UK)": lambda s: tones(s, (400, 450), (0.4, 0.2, 0.4, 2.0)),
    "busy 425 Hz": lambda s: tones(s, (425,), (0.35, 0.35)),
    "busy 480+620 Hz": lambda s: tones(s, (480, 620), (0.5, 0.5)),
    "dial tone": lambda s: tones(s, (425,), ()),
    "information tones": lambda s: tones(s, (950,), (0.33, 2.0)) + tones(s, (1400,), (0.33, 2.0)),
    "DTMF": dtmf,
    "fax": fax,
    "strings": chords,
    "strings, quiet": lambda s: chords(s, 6.2, -38.0),
    "music box": arpeggio,
    "fast arpeggio": lambda s: arpeggio(s, 0.11),
    "piano": piano,
    "drum loop": drums,
    "band": band,
    "saxophone": saxophone,
    "choir pad": humming,
    "one throat, gliding vowels": lambda s: humming(s, vowels=True),
    "typing": lambda s: clicks(s, 6, 0.006),
    "knocks": lambda s: clicks(s, 1.5, 0.04, -25.0, knock_hz=160),
    "slammed doors": lambda s: clicks(s, 0.3, 0.15, -20.0, knock_hz=90),
    "line clicks": lambda s: clicks(s, 2, 0.001, -30.0),
    "wind": wind,
    "traffic": traffic,
    "breathing": breathing,
    "siren": siren,
}

TELEPHONE: dict[str, tuple[str, str]] = {  # formats of call recorders: file suffix and FFmpeg's encoder
    "G.711 µ-law": (".wav", "pcm_mulaw"),
    "G.711 A-law": (".wav", "pcm_alaw"),
    "Opus": (".ogg", "libopus"),
    "MP3": (".mp3", "libmp3lame"),
}


def write(path: Path, tracks: npt.NDArray[np.floating], codec: str = "pcm_s16le", rate_hz: int = RATE_HZ) -> Path:
    """A recording of tracks [1 or 2, samples], through one of FFmpeg's encoders."""
    import av

    layout = "stereo" if tracks.shape[0] == 2 else "mono"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        pcm = np.ascontiguousarray((np.clip(tracks, -1, 1) * 32767).astype(np.int16).T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout=layout)
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate_hz, frame_size=stream.frame_size or 1024)
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return path


def _at_level(wave: npt.ArrayLike, level_db: float, loud_only: bool = False) -> Samples:
    sound = np.asarray(wave, np.float64)
    sounding = sound[np.abs(sound) > 1e-3] if loud_only else sound
    rms = float(np.sqrt(np.mean(np.square(sounding)))) or 1.0
    return np.clip(sound / rms * 10 ** (level_db / 20), -1, 1).astype(np.float32)


def _in_turn(values: tuple[float, ...], seconds: float, step_s: float) -> tuple[float, ...]:
    return tuple(values[i % len(values)] for i in range(int(np.ceil(seconds / step_s))))


def _notes(seconds: float, pitches: tuple[float, ...], note_s: float, decay_s: float) -> npt.NDArray[np.float64]:
    """Struck notes one after the other, each ringing into the next."""
    n = int(seconds * RATE_HZ)
    tail = time(4 * decay_s)
    wave = np.zeros(n + len(tail))
    for i, pitch in enumerate(pitches):
        at = int(i * note_s * RATE_HZ)
        if at < n:
            wave[at : at + len(tail)] += np.exp(-tail / decay_s) * sum(np.sin(2 * np.pi * pitch * k * tail) / k**1.7 for k in (1, 2, 3, 4))
    return wave[:n]


def _formant(wave: npt.NDArray[np.float64], hertz: float, radius: float) -> npt.NDArray[np.float64]:
    """The wave through one resonance of a throat or a horn."""
    found: npt.NDArray[np.float64] = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hertz / RATE_HZ), radius**2], wave)
    return found
