"""The sound of a pack's moments: cut from the call's beeped rendering, with the client's voice disguised if the pack says so.

Clips are never cut from the recording itself, so they cannot expose beeped data. A moment's file is in the folder of its pack, under a name
derived from its content, and is removed with the pack.
"""

from __future__ import annotations

import hashlib
import json
import threading
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import private_files
from pipelines.audio import step as audio
from pipelines.coaching import packs
from pipelines.coaching.call_sound import CallSounds, NoSoundError, personal_spans
from pipelines.coaching.clip_extraction import beeps_within, spans_of_calls
from pipelines.coaching.voice_disguise import disguise_client
from pipelines.core.errors import BadRecordingError, TransientError
from pipelines.core.intervals import Span
from pipelines.core.published import Published, Row
from pipelines.core.settings import Settings

_CUTTING = threading.BoundedSemaphore(1)


@dataclass(frozen=True, slots=True)
class PackClip:
    """A moment's sound: its interval in the recording, the beeped intervals, and its file."""

    span: Span
    beeps: tuple[Span, ...]
    is_disguised: bool
    file: Path


def piece(settings: Settings, published: Published, pack: Row, moment: Row, call: Row) -> PackClip:
    """The location of a moment's sound, whether cut yet or not."""
    return pieces(settings, published, pack, [(moment, call)])[0]


def pieces(settings: Settings, published: Published, pack: Row, moments: Sequence[tuple[Row, Row]]) -> list[PackClip]:
    """The same for several moments, each with its call, in two queries of the published copy."""
    ids = sorted({call["call_id"] for _, call in moments})
    turns, personal = spans_of_calls(published, "turns", ids), spans_of_calls(published, "personal_data", ids)
    is_disguised = bool(pack["is_disguised"])
    found = []
    for moment, call in moments:
        span = packs.span(turns[call["call_id"]], call, moment)
        beeps = beeps_within(span, personal[call["call_id"]])
        content = hashlib.sha256(json.dumps([call["recording_sha256"], span, beeps, is_disguised]).encode()).hexdigest()[:16]
        found.append(PackClip(span, beeps, is_disguised, packs.folder(settings) / pack["pack_id"] / f"{moment['moment_id']}-{content}.ogg"))
    return found


def cut(sounds: CallSounds, published: Published, moment: Row, call: Row, wanted: PackClip) -> Path:
    """The file of a moment, cut if necessary.

    Raises NoSoundError when the recording is missing, differs from the one the moment was selected from, or cannot be decoded.
    """
    if call["recording_sha256"] != moment["recording_sha256"]:
        raise NoSoundError("sound_gone")
    if wanted.file.exists():
        return wanted.file
    whole = sounds.rendering(call, personal_spans(published, call["call_id"]), whole=False).sound
    turns = published.of_calls("turns", [call["call_id"]], "turn_no", "turn_no, role, track, start_s, end_s")
    try:
        with _CUTTING:
            if not wanted.file.exists():
                private_files.make_folder(wanted.file.parent)
                _make(whole, turns, wanted)
    except (BadRecordingError, ValueError) as error:
        raise NoSoundError("sound_unplayable") from error
    except OSError as error:
        raise TransientError(f"{wanted.file.parent} could not be written: {error.strerror}.") from error
    return wanted.file


def _make(whole: Path, turns: Sequence[Row], wanted: PackClip) -> None:
    if not wanted.is_disguised:
        audio.cut_clip(whole, *wanted.span, wanted.beeps, wanted.file)  # beeping the same interval again is harmless
        return
    part = wanted.file.with_name(f"{wanted.file.stem}.part.wav")
    start_s, end_s = wanted.span
    try:
        tracks = audio.decode(whole, scratch=whole.parent).tracks[:, int(start_s * audio.RATE_HZ) : int(end_s * audio.RATE_HZ)]
        pcm = (np.clip(disguise_client(tracks, turns, start_s), -1, 1) * 32767).astype("<i2")
        with wave.open(str(part), "wb") as file:
            file.setnchannels(pcm.shape[0])
            file.setsampwidth(2)
            file.setframerate(audio.RATE_HZ)
            file.writeframes(np.ascontiguousarray(pcm.T).tobytes())
        audio.cut_clip(part, 0.0, end_s - start_s, [(s - start_s, e - start_s) for s, e in wanted.beeps], wanted.file)
    finally:
        part.unlink(missing_ok=True)
