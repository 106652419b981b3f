"""Creates hostile input from a fixed seed: a recording in every accepted format, cut, flipped, spliced, and with false headers."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests import sounds

SHORT_S = 3.3  # a little more than a call must have
# The file's name, FFmpeg's encoder, its sample rate. Formats whose encoder this FFmpeg lacks are decoded all the same, and made from bytes below.
FORMATS = (
    ("pcm.wav", "pcm_s16le", 8000),
    ("float.wav", "pcm_f32le", 8000),
    ("mulaw.wav", "pcm_mulaw", 8000),
    ("alaw.wav", "pcm_alaw", 8000),
    ("adpcm_ms.wav", "adpcm_ms", 8000),
    ("adpcm_ima.wav", "adpcm_ima_wav", 8000),
    ("g726.wav", "g726", 8000),
    ("wave64.w64", "pcm_s16le", 8000),
    ("layer3.mp3", "libmp3lame", 16000),
    ("layer2.mp2", "mp2", 16000),
    ("opus.ogg", "libopus", 48000),
    ("vorbis.ogg", "libvorbis", 16000),
    ("speex.spx", "libspeex", 16000),
    ("aac.m4a", "aac", 16000),
    ("alac.m4a", "alac", 16000),
    ("adts.aac", "aac", 16000),
    ("flac.flac", "flac", 16000),
    ("opus.webm", "libopus", 48000),
    ("vorbis.mka", "libvorbis", 16000),
    ("pcm.aiff", "pcm_s16be", 8000),
    ("mulaw.au", "pcm_mulaw", 8000),
    ("pcm.caf", "pcm_s16be", 8000),
    ("media.wma", "wmav2", 16000),
    ("narrow.amr", "libopencore_amrnb", 8000),
    ("full_rate.gsm", "libgsm", 8000),
)
_LIES = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def corpus(folder: Path) -> dict[str, bytes]:
    """A short sound in each format that can be written here, mono and stereo, by file name."""
    rng = np.random.default_rng(15)
    found: dict[str, bytes] = {}
    for name, codec, rate_hz in FORMATS:
        t = np.arange(int(SHORT_S * rate_hz)) / rate_hz
        voice = 0.3 * np.sin(2 * np.pi * 150 * t) * (np.sin(2 * np.pi * 3 * t) > 0) + 0.01 * rng.standard_normal(len(t))
        for tracks in (voice[None], np.stack([voice, voice[::-1]])):
            path = folder / f"{len(tracks)}_{name}"
            try:
                sounds.write(path, tracks, codec, rate_hz)
            except (ValueError, OSError, NotImplementedError):  # no such encoder here, or not with two channels
                path.unlink(missing_ok=True)
            else:
                found[path.name] = path.read_bytes()
                path.unlink()
    for name, data in wav_of_unusual_codecs().items():
        found[name] = data
    return found


def wav_of_unusual_codecs() -> dict[str, bytes]:
    """WAV files whose format tag names a codec that no encoder is needed for: bytes are sound to it, or an error."""
    noise = random.Random(15).randbytes(8000)
    tags = {"gsm": (0x31, 65), "g723": (0x42, 24), "g729": (0x83, 10), "truespeech": (0x22, 32), "g722": (0x28F, 1), "unknown": (0x7A7A, 1)}
    return {f"{name}.wav": wav(noise, tag=tag, block=block) for name, (tag, block) in tags.items()}


def wav(data: bytes, tag: int = 1, channels: int = 1, rate_hz: int = 8000, block: int = 2, bits: int = 16) -> bytes:
    """A WAV file with this data, and a header that says so."""
    form = struct.pack("<HHIIHHH", tag, channels, rate_hz, rate_hz * block, block, bits, 0)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def mutants(seeds: dict[str, bytes], number: int, seed: int = 15) -> Iterator[tuple[str, bytes]]:
    """Changed files with the names that they came from, each seed and each kind of change as often as any other."""
    rng = random.Random(seed)
    names = sorted(seeds)
    for n in range(number):
        name = names[n % len(names)]
        change = _CHANGES[n // len(names) % len(_CHANGES)]
        yield name, change(seeds[name], rng, seeds)


def _cut(data: bytes, rng: random.Random, _: dict[str, bytes]) -> bytes:
    return data[: rng.randrange(len(data))]


def _flip(data: bytes, rng: random.Random, _: dict[str, bytes]) -> bytes:
    changed = bytearray(data)
    for _n in range(rng.choice((1, 4, 30, 300))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _lie(data: bytes, rng: random.Random, _: dict[str, bytes]) -> bytes:
    changed = bytearray(data)
    for _n in range(rng.choice((1, 1, 2, 3))):
        at, size = rng.randrange(min(len(data) - 8, 220)), rng.choice((1, 2, 4))
        value = rng.choice((*_LIES, rng.randrange(2**32))) % 2 ** (8 * size)
        changed[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
    return bytes(changed)


def _splice(data: bytes, rng: random.Random, seeds: dict[str, bytes]) -> bytes:
    other = seeds[rng.choice(sorted(seeds))]
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _repeat(data: bytes, rng: random.Random, _: dict[str, bytes]) -> bytes:
    first = rng.randrange(len(data))
    last = rng.randrange(first, min(len(data), first + 4096))
    return data[:first] + data[first:last] * rng.choice((2, 3, 20)) + data[first:]


def _remove(data: bytes, rng: random.Random, _: dict[str, bytes]) -> bytes:
    first = rng.randrange(len(data))
    return data[:first] + data[first + rng.randrange(1, 2000) :]


_CHANGES: tuple[Callable[[bytes, random.Random, dict[str, bytes]], bytes], ...] = (
    _cut,
    _flip,
    _lie,
    _splice,
    _lie,
    _repeat,
    _flip,
    _remove,
    _lie,
)
