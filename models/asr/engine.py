"""Speech to words: what goes into an engine and what comes out, and which engine hears which language.

The unit is a `Chunk`: at most 30 s of sound cut from one track. Chunks know nothing of each other, so that any number of them, from any
calls, can be put in one batch without changing what comes out. The engines are `models.asr.whisper` and `models.asr.onnx`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.sample_rate import RATE_HZ as RATE_HZ

Samples = npt.NDArray[np.float32]

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
class ChunkWord:
    """One word of a chunk; seconds from the chunk's start."""

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class ChunkTranscript:
    """What the engine made of one chunk. `is_doubtful` when it took the chunk for silence and was unsure of the words."""

    words: tuple[ChunkWord, ...]
    mean_logprob: float
    no_speech_probability: float

    @property
    def is_doubtful(self) -> bool:
        return self.no_speech_probability > NO_SPEECH and self.mean_logprob < TOO_UNSURE


class Transcriber(Protocol):
    """What turns chunks into words; safe to ask from one thread at a time."""

    def transcribe_chunks(self, chunks: Sequence[Chunk]) -> list[dict[str, ChunkTranscript]]:
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
