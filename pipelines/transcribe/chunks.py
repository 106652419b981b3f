"""Packs speech into chunks for recognition, and maps chunk times back to the recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.asr import engine
from pipelines.core.intervals import union
from pipelines.core.records import Finding, Interval, Word

LONGEST_GAP_S = 0.3  # longer silences inside a chunk are shortened to this
WORD_REACH_S = 0.35  # the tolerance of a word's times
SHORTEST_MISS_S = 1.2  # speech of this length without a word is recognised once more


@dataclass(frozen=True, slots=True)
class ChunkPart:
    """The position of a stretch of a track in a chunk; seconds."""

    chunk_start_s: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class PackedChunk:
    """A chunk of one track: its audio, and the mapping to the recording's time."""

    track: int
    samples: engine.Sound
    pieces: tuple[ChunkPart, ...]


def pack(track: engine.Track, number: int, speech: Iterable[Interval], longest_s: float) -> list[PackedChunk]:
    """Pack a track's stretches of speech into chunks of at most `longest_s`, with long silences between them shortened."""
    groups: list[list[tuple[float, float]]] = []
    length = 0.0
    for start, end in _pieces(speech, number, longest_s):
        gap = min(start - groups[-1][-1][1], LONGEST_GAP_S) if groups else 0.0
        if not groups or length + gap + end - start > longest_s:
            groups.append([])
            length = gap = 0.0
        groups[-1].append((start, end))
        length += gap + end - start
    return [_pack_group(track, number, group) for group in groups]


def uncovered(chunk: PackedChunk, words: Sequence[Word], dropped: Sequence[Finding]) -> list[Interval]:
    """Speech of a chunk that no word covers: Whisper sometimes ends a chunk early or skips a sentence."""
    covered = [(w.start_s - WORD_REACH_S, w.end_s + WORD_REACH_S) for w in words if w.track == chunk.track]
    covered = union([*covered, *((f.start_s, f.end_s) for f in dropped)])
    gaps = []
    for piece in chunk.pieces:
        at = piece.start_s
        for start, end in [*covered, (piece.end_s, piece.end_s)]:
            if min(start, piece.end_s) - at >= SHORTEST_MISS_S:
                gaps.append(Interval(chunk.track, at, min(start, piece.end_s)))
            at = max(at, end)
            if at >= piece.end_s:
                break
    return gaps


def piece_at(chunk: PackedChunk, moment_s: float) -> ChunkPart:
    """The piece at a time of the chunk, or the nearest one within a shortened silence."""
    return min(chunk.pieces, key=lambda p: max(p.chunk_start_s - moment_s, moment_s - p.chunk_start_s - (p.end_s - p.start_s)))


def _pieces(speech: Iterable[Interval], track: int, longest_s: float) -> list[tuple[float, float]]:
    """The track's stretches; one longer than a chunk is split into equal parts."""
    pieces = []
    for i in speech:
        if i.track == track:
            parts = max(1, int(np.ceil((i.end_s - i.start_s) / longest_s)))
            step = (i.end_s - i.start_s) / parts
            pieces += [(i.start_s + k * step, i.start_s + (k + 1) * step) for k in range(parts)]
    return pieces


def _pack_group(track: engine.Track, number: int, group: Sequence[tuple[float, float]]) -> PackedChunk:
    parts: list[tuple[int, int]] = []
    pieces: list[ChunkPart] = []
    at, before = 0, None
    for start, end in group:
        if before is not None:
            a = int(before * engine.RATE_HZ)
            parts.append((a, a + int(min(start - before, LONGEST_GAP_S) * engine.RATE_HZ)))
            at += len(engine.Excerpt(track, (parts[-1],)))
        parts.append((int(start * engine.RATE_HZ), int(end * engine.RATE_HZ)))
        pieces.append(ChunkPart(at / engine.RATE_HZ, start, end))
        at += len(engine.Excerpt(track, (parts[-1],)))
        before = end
    return PackedChunk(number, engine.Excerpt(track, tuple(parts)), tuple(pieces))
