"""A call's sound for a browser: rendered once with personal data beeped, cached beside the warehouse, with both voices' waveforms.

The recording itself is never served. Accounts with access to personal data get a rendering without beeps, stored separately. The file name
is derived from the recording's sha256 and the beeped intervals, so a call judged again with other words gets another rendering.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models import atomic_files, private_files
from pipelines.audio import step as audio
from pipelines.coaching.clip_extraction import beeps_within, spans_of_calls
from pipelines.core import staging
from pipelines.core.errors import BadRecordingError, TransientError
from pipelines.core.intervals import Span
from pipelines.core.published import Published, Row
from pipelines.core.settings import Settings

log = logging.getLogger("callgrade")

PEAKS = 1000  # columns of the drawing, which is 1000 wide
LOOK_AGAIN_S = 30.0  # after an unsuccessful search for a missing recording
_RENDERING = threading.BoundedSemaphore(2)  # decoding a long recording takes memory


class NoSoundError(Exception):
    """The recording of this call cannot be played; the text is the message key of the reason."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """The file that a browser plays, and the peaks that the timeline draws."""

    sound: Path
    peaks: Path


class CallSounds:
    """The renderings of a site."""

    MOST_WAITING = 16  # requests that wait for a rendering; the server has 40 threads, and the others serve pages

    def __init__(self, settings: Settings) -> None:
        self._places = threading.BoundedSemaphore(self.MOST_WAITING)
        self._settings = settings
        self.folder = settings.site / "sound"
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._staged = Staged(settings)

    def rendering(self, call: Row, personal: Sequence[Span], *, whole: bool) -> Rendering:
        """The sound of a graded call, rendered if necessary; `whole` only for accounts with access to personal data.

        Raises NoSoundError when the recording is missing, changed, or cannot be decoded, and TransientError when too many requests wait
        already.
        """
        name = _name(call, () if whole else personal)
        found = Rendering(self.folder / f"{name}.ogg", self.folder / f"{name}.json")
        if found.sound.exists() and found.peaks.exists():
            return found
        if not self._places.acquire(blocking=False):
            raise TransientError(f"{self.MOST_WAITING} requests are waiting for recordings; try again soon.")
        try:
            with self._lock:
                making = self._making.setdefault(name, threading.Lock())
            with making:
                if not (found.sound.exists() and found.peaks.exists()):
                    self._make(call, () if whole else personal, found)
        finally:
            self._places.release()
        return found

    def _make(self, call: Row, personal: Sequence[Span], target: Rendering) -> None:
        if call["medium"] == "transcript":
            raise NoSoundError("transcript_only")
        recording = self._staged.recording(call["call_id"])
        if recording is None or not call["recording_sha256"]:
            raise NoSoundError("sound_gone")
        private_files.make_folder(self.folder)
        part = self.folder / f".{target.sound.stem}.part.ogg"
        try:
            with _RENDERING:
                tracks = audio.channels(recording, call["recording_sha256"], self.folder)
                audio.write_clip(tracks, 0.0, audio.MAX_LENGTH_S, beeps_within((0.0, audio.MAX_LENGTH_S), personal), part)
                peaks = peaks_of(audio.decode(part, scratch=self.folder).tracks)
            staging.write_whole(target.peaks, json.dumps(peaks).encode())
            atomic_files.put_in_place(part, target.sound)
        except audio.ChangedRecordingError as error:
            raise NoSoundError("sound_gone") from error  # another file is there now: its personal data would not be beeped
        except BadRecordingError as error:
            log.warning("sound of %s: %s", call["call_id"], error.reason)
            raise NoSoundError("sound_unplayable") from error
        except OSError as error:
            raise TransientError(f"{self.folder} could not be written: {error.strerror}.") from error
        finally:
            part.unlink(missing_ok=True)


class Staged:
    """The paths of recordings from the staged batches. Each batch is read once; new ones are looked for periodically."""

    def __init__(self, settings: Settings) -> None:
        self._stage = settings.stage
        self._lock = threading.Lock()
        self._recordings: dict[str, Path] = {}
        self._read: dict[Path, tuple[int, int]] = {}
        self._looked: tuple[int, float] = (-1, -LOOK_AGAIN_S)

    def recording(self, call_id: str) -> Path | None:
        """The path of a call's recording, if the file still exists."""
        with self._lock:
            if call_id not in self._recordings:
                self._look()
            found = self._recordings.get(call_id)
        return found if found is not None and found.is_file() else None

    def _look(self) -> None:
        """Read new and rewritten batches; skipped while there can be none, and for a while after the last time."""
        try:
            mark = self._stage.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if mark == self._looked[0] and time.monotonic() - self._looked[1] < LOOK_AGAIN_S:
            return
        for file in sorted(self._stage.glob("*/calls.parquet")):
            try:
                found = file.stat()
                if self._read.get(file) == (found.st_mtime_ns, found.st_size):
                    continue
                rows: list[tuple[Any, ...]] = pl.read_parquet(file, columns=["call_id", "recording"]).rows()
            except (OSError, pl.exceptions.PolarsError):
                continue  # being written, or truncated: the next run rebuilds it
            self._read[file] = (found.st_mtime_ns, found.st_size)
            self._recordings |= {call_id: Path(recording) for call_id, recording in rows}
        self._looked = (mark, time.monotonic())


def personal_spans(published: Published, call_id: str) -> list[Span]:
    """The intervals in which personal data is said in a call."""
    return spans_of_calls(published, "personal_data", [call_id])[call_id]


def peaks_of(tracks: audio.Tracks) -> list[list[int]]:
    """The loudness of each track in `PEAKS` equal intervals, 0 to 100 of the call's usual maximum."""
    length = tracks.shape[1]
    edges = np.linspace(0, length, PEAKS + 1).astype(int)[:-1]
    ends = np.append(edges[1:], length)
    loudness = np.stack([np.abs(tracks[:, a : max(a + 1, b)]).max(axis=1) for a, b in zip(edges, ends, strict=True)], axis=1)
    top = max(float(np.percentile(loudness, 99)), 1e-4)
    return [[int(v) for v in np.clip(row / top * 100, 0, 100)] for row in loudness]


def remove(settings: Settings, recordings: Collection[str]) -> None:
    """Remove the renderings of recordings, given by their sha256, and those a stopped server left unfinished."""
    parts = {_recording_part(recording_sha256) for recording_sha256 in recordings}
    for file in (settings.site / "sound").glob("*"):
        if file.name.lstrip(".").split("-")[0] in parts:
            file.unlink(missing_ok=True)


def remove_others(settings: Settings, published: Published) -> None:
    """Remove the renderings of recordings that are no longer among the graded calls, and those a stopped server left unfinished."""
    folder = settings.site / "sound"
    if not folder.exists():
        return
    kept = {_recording_part(r["recording_sha256"]) for r in published.rows("select recording_sha256 from calls where status = 'graded'")}
    for file in folder.iterdir():
        if file.name.startswith(".") or file.name.split("-")[0] not in kept:
            file.unlink(missing_ok=True)


def _name(call: Row, beeped: Sequence[Span]) -> str:
    spans = hashlib.sha256(json.dumps([list(span) for span in beeped]).encode()).hexdigest()[:16]
    return f"{_recording_part(call['recording_sha256'])}-{spans}"


def _recording_part(recording_sha256: str | None) -> str:
    return (recording_sha256 or "none")[:32]
