"""The speech recognition interface: chunks in, words out, per language.

The unit is a `Chunk`: at most 30 s of audio cut from one track. Chunks are independent, so that any number of them, from any calls, can
share a batch without changing the result. The engines are `models.asr.whisper` and `models.asr.onnx`.
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
    """One track of audio, float32 at 16 kHz: an array, or a file of which only the requested part is loaded into memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Samples: ...


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Excerpt:
    """Parts of a track as one signal, in memory only while it is used as an array; first and last sample (exclusive) of each."""

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
    """Audio to recognise, float32 at 16 kHz, at most 30 s, and its candidate languages (one, where it is known).

    `hot_words` are names and terms that are likely to occur, for each of the languages; an engine may ignore them.
    """

    samples: Sound
    languages: tuple[str, ...]
    hot_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkWord:
    """One recognised word of a chunk; seconds from the chunk's start."""

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class ChunkTranscript:
    """The result of the engine for one chunk. `is_doubtful` when it classified the chunk as silence and was unsure of the words."""

    words: tuple[ChunkWord, ...]
    mean_logprob: float
    no_speech_probability: float

    @property
    def is_doubtful(self) -> bool:
        return self.no_speech_probability > NO_SPEECH and self.mean_logprob < TOO_UNSURE


class Transcriber(Protocol):
    """The interface of an engine that turns chunks into words; call it from one thread at a time."""

    def transcribe_chunks(self, chunks: Sequence[Chunk]) -> list[dict[str, ChunkTranscript]]:
        """The words of each chunk, by language, in the order of the chunks."""
        ...


class Recogniser(Transcriber, Protocol):
    """A transcriber that also identifies languages."""

    @property
    def longest_chunk_s(self) -> float:
        """The longest chunk in seconds."""
        ...

    def language_probabilities(self, sounds: Sequence[Sound], languages: Sequence[str]) -> list[dict[str, float]]:
        """The probability of each of these languages for each audio input (from its first 30 s); they add up to 1."""
        ...
