"""Decoded tracks: arrays for short recordings, otherwise temporary files of which only the part in use is in memory."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from pipelines.decoding.formats import RATE_HZ

Samples = npt.NDArray[np.float32]

BLOCK = 60 * RATE_HZ  # samples of each track per read
_WIDTH = np.dtype(np.float32).itemsize


class FileTrack:
    """One track in an open float32 file, sliceable like an array; the file is closed with the last reference."""

    def __init__(self, descriptor: int, samples: int) -> None:
        self._descriptor, self._samples = descriptor, samples
        weakref.finalize(self, os.close, descriptor)

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, part: slice) -> Samples:
        start, stop, step = part.indices(self._samples)
        found = np.empty(max(0, stop - start), np.float32)
        target, at = memoryview(found.data).cast("B"), start * _WIDTH
        while target:
            read = os.preadv(self._descriptor, [target], at)
            if not read:
                raise OSError(errno.EIO, f"the temporary file of a decoded track ends at byte {at}")
            target, at = target[read:], at + read
        return found[::step]


class FileTracks:
    """Tracks in files, sliceable like an array [tracks, samples]: by a number, or by a number or slice and a slice."""

    def __init__(self, tracks: Sequence[FileTrack]) -> None:
        self._tracks = tuple(tracks)
        self.shape = (len(tracks), len(tracks[0]))

    def __len__(self) -> int:
        return len(self._tracks)

    @overload
    def __getitem__(self, part: int) -> FileTrack: ...
    @overload
    def __getitem__(self, part: tuple[int, slice] | tuple[slice, slice]) -> Samples: ...
    def __getitem__(self, part: int | tuple[int | slice, slice]) -> FileTrack | Samples:
        if isinstance(part, int):
            return self._tracks[part]
        number, span = part
        return self._tracks[number][span] if isinstance(number, int) else np.stack([track[span] for track in self._tracks[number]])

    def __iter__(self) -> Iterator[FileTrack]:
        return iter(self._tracks)


Tracks = Samples | FileTracks


def only(tracks: Tracks, number: int) -> Tracks:
    """A single track, as tracks."""
    return FileTracks([tracks[number]]) if isinstance(tracks, FileTracks) else tracks[[number]]


def blocks(tracks: Tracks, samples: int = BLOCK) -> Iterator[Samples]:
    """The tracks in arrays [tracks, samples] of a bounded length, in order."""
    for first in range(0, tracks.shape[1], samples):
        yield tracks[:, first : first + samples]
