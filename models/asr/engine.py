"""Speech to words: what goes into an engine and what comes out, and which engine hears which language.

The unit is a `Chunk`: at most 30 s of sound cut from one track. Chunks know nothing of each other, so that any number of them, from any
calls, can be put in one batch without changing what comes out. The engines are `models.asr.whisper` and `models.asr.onnx`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models import registry

Samples = npt.NDArray[np.float32]

RATE_HZ = 16_000
SPEECH_FRAME_S = 0.032
SPEECH_BLOCK = 1000  # frames that the speech detector is given at a time; what it finds does not depend on it
CHUNK_S = 28.0  # a little under Whisper's window of 30 s
TOO_UNSURE = -1.0  # mean log probability of a token
NO_SPEECH = 0.6


class Track(Protocol):
    """One track of sound, float32 at 16 kHz: an array, or a file of which only the part that is asked for comes into memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Samples: ...


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Excerpt:
    """Parts of a track as one sound, in memory only while it is used as an array; first and last sample (exclusive) of each."""

    track: Track
    parts: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return sum(max(0, min(last, len(self.track)) - first) for first, last in self.parts)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Samples:
        joined: Samples = np.concatenate([self.track[first:last] for first, last in self.parts])
        return joined if dtype is None else joined.astype(dtype)


Sound = Samples | Excerpt


@dataclass(frozen=True, slots=True)
class Chunk:
    """Sound to be turned into words, float32 at 16 kHz, at most 30 s, and the languages to hear it in (one, where it is known).

    `hot_words` are names and terms that are likely to be said, for each of the languages; an engine may use them or not.
    """

    samples: Sound
    languages: tuple[str, ...]
    hot_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word of a chunk; seconds from the chunk's start."""

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What the engine made of one chunk. `is_doubtful` when it took the chunk for silence and was unsure of the words."""

    words: tuple[HeardWord, ...]
    mean_logprob: float
    no_speech_probability: float

    @property
    def is_doubtful(self) -> bool:
        return self.no_speech_probability > NO_SPEECH and self.mean_logprob < TOO_UNSURE


def speech_probabilities(track: Track) -> npt.NDArray[np.float32]:
    """How likely somebody speaks in each frame of 32 ms, 0 to 1, by the Silero detector that faster-whisper ships.

    The same numbers as faster-whisper's own call gives for the whole track at once, in as much memory as a block takes.
    """
    from faster_whisper.vad import get_vad_model

    window, context = int(SPEECH_FRAME_S * RATE_HZ), 64
    frames = -(-len(track) // window)
    h = c = np.zeros((1, 1, 128), np.float32)
    before = np.zeros((1, context), np.float32)
    found = [np.zeros(0, np.float32)]
    for first in range(0, frames, SPEECH_BLOCK):
        block = np.zeros((min(SPEECH_BLOCK, frames - first), window), np.float32)
        part = track[first * window : (first + len(block)) * window]
        block.reshape(-1)[: len(part)] = part
        if first + len(block) == frames:
            block[-1, -context:] = 0
        contexts = np.concatenate([before, block[:-1, -context:]])
        output, h, c = get_vad_model().session.run(None, {"input": np.concatenate([contexts, block], axis=1), "h": h, "c": c})
        found.append(np.asarray(output, np.float32).reshape(-1))
        before = block[-1:, -context:]
    return np.concatenate(found)


class Transcriber(Protocol):
    """What turns chunks into words; safe to ask from one thread at a time."""

    def transcribe_chunks(self, chunks: Sequence[Chunk]) -> list[dict[str, Heard]]:
        """What was heard in each chunk, by language, in the order of the chunks."""
        ...


class Recogniser(Transcriber, Protocol):
    """A transcriber that also tells languages apart."""

    @property
    def longest_chunk_s(self) -> float:
        """Seconds of sound that a chunk may hold."""
        ...

    def language_probabilities(self, sounds: Sequence[Sound], languages: Sequence[str]) -> list[dict[str, float]]:
        """For each sound (its first 30 s are heard) how likely each of these languages is; they add up to 1."""
        ...


class ByLanguage:
    """A recogniser that has an engine of its own for some languages, and a default one that tells languages apart and hears the rest.

    A chunk that may be in several languages goes to the default engine, whose versions can be compared with each other, unless one engine
    has all of them.
    """

    def __init__(self, default: Recogniser, own: Mapping[str, Transcriber]) -> None:
        self._default, self._own = default, own

    @property
    def longest_chunk_s(self) -> float:
        """Seconds of sound that a chunk may hold, whoever hears it."""
        return self._default.longest_chunk_s

    def language_probabilities(self, sounds: Sequence[Sound], languages: Sequence[str]) -> list[dict[str, float]]:
        """For each sound (its first 30 s are heard) how likely each of these languages is; they add up to 1."""
        return self._default.language_probabilities(sounds, languages)

    def transcribe_chunks(self, chunks: Sequence[Chunk]) -> list[dict[str, Heard]]:
        """What was heard in each chunk, by language, in the order of the chunks; each engine is asked once."""
        engines = [self._engine(chunk.languages) for chunk in chunks]
        heard: list[dict[str, Heard]] = [{} for _ in chunks]
        for engine in dict.fromkeys(engines):
            numbers = [i for i, other in enumerate(engines) if other is engine]
            for i, result in zip(numbers, engine.transcribe_chunks([chunks[i] for i in numbers]), strict=True):
                heard[i] = result
        return heard

    def _engine(self, languages: Sequence[str]) -> Transcriber:
        engines = list(dict.fromkeys(self._own.get(language, self._default) for language in languages))
        return engines[0] if len(engines) == 1 else self._default


@functools.cache
def get_recogniser(profile: str, models_dir: Path) -> Recogniser:
    """The profile's recogniser, loaded once a process. Raises ModelError when its weights are missing or changed."""
    from models.asr.onnx import Onnx
    from models.asr.whisper import Whisper

    own, loaded = registry.own_entries(profile, "asr"), dict[str, Transcriber]()
    for model in own.values():
        if model.name not in loaded:
            loaded[model.name] = Onnx(model, models_dir) if model.engine == "onnx-asr" else Whisper(model, models_dir)
    default = Whisper(registry.entry(profile, "asr"), models_dir)
    return ByLanguage(default, {language: loaded[model.name] for language, model in own.items()}) if own else default
