"""Calls of a folder as input of the engines: 16 kHz wav files, reference words, and the error rate of a transcript."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from models.languages.language import words_of
from pipelines.audio import step as audio
from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import Call
from pipelines.intake.folder import read_folder

T = TypeVar("T")

ROLES = ("operator", "client")


@dataclass(frozen=True, slots=True)
class Spoken:
    """One call made ready: its wav with all tracks, one wav a track, its language, and what was said on each track (or by each role)."""

    call: Call  # its recording is the wav
    tracks: tuple[Path, ...]
    duration_s: float
    language: str
    said: tuple[tuple[str, ...], ...]  # words; stereo: of the operator, of the client; mono: of both

    @property
    def layout(self) -> str:
        return "stereo" if len(self.tracks) == 2 else "mono"

    @property
    def key(self) -> str:
        return self.call.call_id

    def files(self) -> list[dict[str, str]]:
        """The tracks as a peer is asked for them."""
        return [{"key": f"{self.key}.{n}", "path": str(path), "language": self.language} for n, path in enumerate(self.tracks)]


@dataclass(frozen=True, slots=True)
class Errors:
    """Word errors of some text."""

    wrong: int
    words: int

    @property
    def percent(self) -> float:
        return 100 * self.wrong / self.words if self.words else 0.0


def prepare(folder: Path, into: Path, limit: int | None = None) -> list[Spoken]:
    """Decode the folder's calls that have a reference into `into`; with a limit, that many spread over the folder.

    The two layouts and the languages come mixed, so that any part of the list is much like the whole. Raises MisconfiguredError when
    there is none.
    """
    calls = [call for call in read_folder(folder).calls if reference_of(folder, call).is_file()]
    if not calls:
        raise MisconfiguredError(f"No call of {folder} has a reference/<call_id>.json; the benchmark compares with what was said.")
    calls = spread_over(calls, len(calls) if limit is None else limit)
    return [_spoken(call, json.loads(reference_of(folder, call).read_text(encoding="utf-8")), into) for call in calls]


def spread_over(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, spread evenly over all of them."""
    return [items[n * len(items) // most] for n in range(most)] if most < len(items) else list(items)


def reference_of(folder: Path, call: Call) -> Path:
    """Where a call's reference lies, whether or not it is there."""
    return folder / "reference" / f"{call.call_id}.json"


def rounds(spoken: Sequence[Spoken], count: int) -> list[list[Spoken]]:
    """The calls dealt out like cards, so that each round has some of every language and layout."""
    dealt = [list(spoken[n::count]) for n in range(count)]
    return [part for part in dealt if part]


def errors(spoken: Spoken, heard: Mapping[str, Sequence[tuple[float, float, str]]]) -> Errors:
    """The word errors of one call, over its tracks.

    Which track is the operator's is taken from the words, not from the log: with the tracks swapped nearly every word is wrong.
    """
    texts = [words_of("".join(text for *_, text in heard.get(file["key"], ()))) for file in spoken.files()]
    wrong = min(sum(_distance(said, text) for said, text in zip(order, texts, strict=True)) for order in permutations(spoken.said))
    return Errors(wrong, sum(len(said) for said in spoken.said))


def total(parts: Iterable[Errors]) -> Errors:
    """All errors among all words."""
    parts = list(parts)
    return Errors(sum(part.wrong for part in parts), sum(part.words for part in parts))


def write_wav(tracks: audio.Samples, path: Path) -> Path:
    """Write tracks as a wav of 16 bits at 16 kHz."""
    samples = np.clip(np.round(tracks * 32768), -32768, 32767).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(audio.RATE_HZ)
        file.writeframes(np.ascontiguousarray(samples.T).tobytes())
    return path


def _spoken(call: Call, reference: dict[str, Any], into: Path) -> Spoken:
    sound = audio.decode(call.recording)
    tracks = tuple(write_wav(track[None], into / f"{call.call_id}.{n}.wav") for n, track in enumerate(sound.tracks))
    whole = write_wav(sound.tracks, into / f"{call.call_id}.wav")
    turns = sorted(reference["turns"], key=lambda turn: turn["start_s"])
    sides = [[turn for turn in turns if turn["role"] == role] for role in ROLES] if len(tracks) == 2 else [turns]
    said = tuple(tuple(word for turn in side for word in words_of(turn["text"])) for side in sides)
    wav = replace(call, recording=str(whole), size_bytes=whole.stat().st_size)
    return Spoken(wav, tracks, sound.duration_s, reference["language"], said)


def _distance(said: Sequence[str], heard: Sequence[str]) -> int:
    import jiwer

    if not said:
        return len(heard)
    result = jiwer.process_words(" ".join(said), " ".join(heard))
    return int(result.substitutions + result.deletions + result.insertions)
