"""Speaker diarization of mono calls, batched over calls.

Two engines: the full pyannote pipeline for profiles that use the hub, and an offline one that combines pyannote's segmentation network
with CAM++ voice embeddings. Calls are short, so one call does not fill a batch: the offline engine runs the windows and pieces of many
calls in the same batches. Embeddings are biometric data: they exist only in memory while their calls are diarized and are never
returned, stored or logged.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models import installed, registry
from models.asr.engine import RATE_HZ, Track
from models.batches import in_groups
from models.cores import on_every_core
from models.diarization.torchaudio_stand_in import spare_torchaudio
from models.diarization.voices import FRAMES_A_SECOND, VoiceSegment, cut_pieces, speakers_of_pieces, stretches_of

Samples = npt.NDArray[np.float32]

GROUP_S = 600.0  # seconds of audio in memory at a time, as one group: about 350 MB with all intermediate results
PART_S = 60.0  # a recording longer than a group is embedded in parts of this length
SHORTEST_S = 0.5
EMBEDDED_FROM = 40  # frames: less is too short for an embedding
FRAME_SAMPLES, HOP_SAMPLES = 400, 160  # per feature frame
LENGTH_STEP = 20  # frames: pieces are cut to multiples of this, so that all pieces of a batch have one length and need no padding


@dataclass(frozen=True, slots=True)
class SpokenStretch:
    """A stretch of one speaker; speakers are A, B, C in the order of their first speech."""

    start_s: float
    end_s: float
    speaker: str


class Diarizer(Protocol):
    """The interface of the diarization engines."""

    def diarize(self, sounds: Iterable[Track]) -> Iterator[list[SpokenStretch]]:
        """The stretches of each recording (mono float32 at 16 kHz), ordered by start, in the order of the recordings.

        Recordings are consumed lazily, so a generator that decodes keeps memory flat. The result for one recording never depends on the
        others.
        """
        ...


@functools.cache
def get_diarizer(profile: str, models_dir: Path) -> Diarizer:
    """The profile's diarizer, loaded once per process.

    Raises ModelError when the weights are missing or changed.
    """
    segmentation = registry.entry(profile, "segmentation")
    if segmentation.engine == "pyannote-pipeline":
        registry.quiet()
        return _HubDiarizer(installed.weights(models_dir, segmentation))
    registry.stay_offline()
    return _OfflineDiarizer(segmentation, registry.entry(profile, "embedding"), models_dir)


class _OfflineDiarizer:
    """Segmentation windows and voice embeddings of many recordings in the same batches."""

    def __init__(self, segmentation: registry.ModelEntry, embedding: registry.ModelEntry, models_dir: Path) -> None:
        import_pyannote()
        from models.diarization.campplus import CamPlusPlus
        from models.diarization.segmentation import Segmentation

        checkpoint = installed.weights(models_dir, segmentation) / "pytorch_model.bin"
        self._segmentation = Segmentation(checkpoint, **segmentation.parameters)
        self._voices = CamPlusPlus(installed.weights(models_dir, embedding) / "campplus_cn_en_common.pt")
        self._longest = round(embedding.parameters["longest_s"] * FRAMES_A_SECOND)
        self._batch_size = int(embedding.parameters["batch_size"])

    def diarize(self, sounds: Iterable[Track]) -> Iterator[list[SpokenStretch]]:
        for group in in_groups(map(_Clean, sounds), lambda sound: len(sound) / RATE_HZ, GROUP_S):
            with one_thread():
                yield from self._diarize_group(group)

    def _diarize_group(self, sounds: Sequence[Track]) -> list[list[SpokenStretch]]:
        pieces = [cut_pieces(active, self._longest) for active in self._segmentation.active(sounds, 1 / FRAMES_A_SECOND)]
        embeddings = self._embed(sounds, pieces)
        return [_stretches(own, vectors) for own, vectors in zip(pieces, embeddings, strict=True)]

    def _embed(self, sounds: Sequence[Track], pieces: Sequence[Sequence[VoiceSegment]]) -> list[dict[int, Any]]:
        """The embedding of the middle of each piece that is long enough, by recording and index of the piece.

        Recordings of one group are embedded together; one that is longer than a group is embedded in parts.
        """
        found: list[dict[int, Any]] = [{} for _ in sounds]
        parts = [part for n, (sound, own) in enumerate(zip(sounds, pieces, strict=True)) for part in _parts(n, sound, own)]
        for group in in_groups(parts, lambda part: (part.last - part.first) / FRAMES_A_SECOND, GROUP_S):
            self._embed_parts(sounds, group, found)
        return found

    def _embed_parts(self, sounds: Sequence[Track], parts: Sequence[_Part], found: list[dict[int, Any]]) -> None:
        """Add the embeddings of some parts; all pieces of a batch have one length."""
        import torch

        by_length: dict[int, list[tuple[int, int, Any]]] = defaultdict(list)
        of_parts = on_every_core(lambda part: _features(sounds[part.sound], part.first, part.last), parts)
        for part, features in zip(parts, of_parts, strict=True):
            for index, first, length in part.middles:
                by_length[length].append((part.sound, index, features[first - part.first : first - part.first + length]))
        alike = [by_length[length] for length in sorted(by_length, reverse=True)]  # longest first, so that all cores finish together
        batches = [some[at : at + self._batch_size] for some in alike for at in range(0, len(some), self._batch_size)]

        def embed(batch: Sequence[tuple[int, int, Any]]) -> npt.NDArray[np.float32]:
            stacked = torch.stack([cut for _, _, cut in batch])
            made: npt.NDArray[np.float32] = self._voices(stacked - stacked.mean(dim=1, keepdim=True)).numpy()
            return made

        for batch, made in zip(batches, on_every_core(embed, batches), strict=True):
            for (n, index, _), embedding in zip(batch, made, strict=True):
                if np.isfinite(embedding).all():
                    found[n][index] = embedding


class _HubDiarizer:
    """The complete pyannote pipeline from the hub, one recording at a time; it does its own batching."""

    def __init__(self, folder: Path) -> None:
        import_pyannote()
        import torch
        from pyannote.audio import Pipeline

        self._pipeline: Any = Pipeline.from_pretrained(folder)
        self._pipeline.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))

    def diarize(self, sounds: Iterable[Track]) -> Iterator[list[SpokenStretch]]:
        import torch

        for sound in map(_Clean, sounds):
            if not len(sound):
                yield []
                continue
            file = {"waveform": torch.from_numpy(sound[:])[None], "sample_rate": RATE_HZ}
            with one_thread(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about the number of speakers found in very short calls, and torch's own
                output = self._pipeline(file, min_speakers=1, max_speakers=3)
            tracks = output.speaker_diarization.itertracks(yield_label=True)
            yield _named([(float(s.start), float(s.end), label) for s, _, label in tracks])


def import_pyannote() -> None:
    """Import pyannote with telemetry off, without its warning about torchcodec: samples are passed directly, not files."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = "false"
    spare_torchaudio()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyannote.audio  # noqa: F401


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one intra-op thread on a CPU.

    More threads gain little for these small networks, and on a busy machine take ten times as long. Threads started inside the block are
    limited as well: parallelism comes from one batch per core.
    """
    import torch

    threads = torch.get_num_threads()
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Clean:
    """A track with non-finite samples replaced by silence; anything shorter than half a second counts as empty."""

    def __init__(self, track: Track) -> None:
        self._track = track

    def __len__(self) -> int:
        return len(self._track) if len(self._track) >= SHORTEST_S * RATE_HZ else 0

    def __getitem__(self, part: slice) -> Samples:
        return np.ascontiguousarray(np.nan_to_num(self._track[part], nan=0.0, posinf=0.0, neginf=0.0), np.float32)


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of a recording whose features are computed at once, with the middles of the pieces in it to embed."""

    sound: int  # index of the recording
    first: int  # frames of the features
    last: int
    middles: tuple[tuple[int, int, int], ...]  # index of the piece, first frame, frames


def _parts(number: int, sound: Track, pieces: Sequence[VoiceSegment]) -> list[_Part]:
    """The parts of a recording: one unless it is longer than a group, none where no piece is embedded."""
    frames = 1 + (len(sound) - FRAME_SAMPLES) // HOP_SAMPLES
    middles: list[tuple[int, int, int]] = []
    for index, piece in enumerate(pieces):
        length = min(piece.last - piece.first, frames) // LENGTH_STEP * LENGTH_STEP
        if not piece.is_overlap and length >= EMBEDDED_FROM:
            middles.append((index, min(piece.first + (piece.last - piece.first - length) // 2, frames - length), length))
    if len(sound) <= GROUP_S * RATE_HZ:
        return [_Part(number, 0, frames, tuple(middles))] if middles else []
    found = []
    for _, some in groupby(middles, key=lambda middle: int(middle[1] // (PART_S * FRAMES_A_SECOND))):
        own = tuple(some)
        found.append(_Part(number, min(first for _, first, _ in own), max(first + length for _, first, length in own), own))
    return found


def _features(sound: Track, first: int = 0, last: int | None = None) -> Any:
    """Log mel features of some frames of a recording [frames, 80]."""
    import torch
    from torchaudio.compliance.kaldi import fbank

    end = len(sound) if last is None else (last - 1) * HOP_SAMPLES + FRAME_SAMPLES
    samples = torch.from_numpy(sound[first * HOP_SAMPLES : end])
    return fbank(samples[None] * 32768, num_mel_bins=80, sample_frequency=RATE_HZ, dither=0.0)


def _stretches(pieces: Sequence[VoiceSegment], embeddings: dict[int, Any]) -> list[SpokenStretch]:
    placed = stretches_of(pieces, speakers_of_pieces(pieces, embeddings))
    return _named([(first / FRAMES_A_SECOND, last / FRAMES_A_SECOND, speaker) for first, last, speaker in placed])


def _named(tracks: Iterable[tuple[float, float, Any]]) -> list[SpokenStretch]:
    """Stretches in order, with speakers named A, B, C by first occurrence."""
    names: dict[Any, str] = {}
    ordered = sorted(tracks, key=lambda t: t[:2])
    return [SpokenStretch(start_s, end_s, names.setdefault(who, chr(ord("A") + len(names)))) for start_s, end_s, who in ordered]
