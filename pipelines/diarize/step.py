"""The diarize step: on stereo each track is one person; mono calls go to the diarizer together, to fill its batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from models.asr.engine import Track
from models.diarization import diarizer
from models.registry import ModelError
from pipelines.audio import step as audio
from pipelines.core.errors import BadRecordingError, MisconfiguredError
from pipelines.core.intervals import overlap_s
from pipelines.core.records import AudioFacts, Call, Interval, Rejection, Segment
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch

log = logging.getLogger("callgrade")


def run(batch: Batch, settings: Settings) -> None:
    """Write the segments of every call: intervals of a track, with speakers that are local to the call."""
    facts = {f.call_id: f for f in batch.read("audio")}
    calls: list[Call] = batch.calls("diarize")
    segments, rejected = segments_of_calls(
        calls, facts, lambda: diarizer.get_diarizer(settings.profile, settings.models_dir), settings.stage
    )
    batch.write_rejected("diarize", rejected)
    batch.write("segments", [s for call in calls for s in segments.get(call.call_id, ())])


def segments_of_calls(
    calls: Sequence[Call], facts: Mapping[str, AudioFacts], get: Callable[[], diarizer.Diarizer], scratch: Path | None = None
) -> tuple[dict[str, list[Segment]], list[Rejection]]:
    """The segments of each call, by its id, and the calls whose recording can no longer be decoded.

    `get` returns the diarizer and is called only if there is a mono call; `scratch` is that of `audio.decode`. Raises
    MisconfiguredError when its models are missing.
    """
    segments = {c.call_id: segments_of_tracks(facts[c.call_id]) for c in calls if facts[c.call_id].tracks == 2}
    for number, call_id in enumerate(segments, 1):
        log.info("diarize %d/%d %s", number, len(calls), call_id)
    mono = [c for c in calls if c.call_id not in segments]
    given: list[Call] = []
    rejected: list[Rejection] = []

    def sounds() -> Iterator[Track]:
        for call in mono:
            try:
                samples = audio.decode(call.recording, call.recording_sha256, scratch).tracks[0]
            except BadRecordingError as error:
                rejected.append(Rejection.of_call(call, "diarize", error.reason))
                continue
            given.append(call)
            yield samples

    try:
        for n, found in enumerate(get().diarize(sounds()) if mono else ()):
            call_id = given[n].call_id
            segments[call_id] = segments_of_mono(facts[call_id], found)
            log.info("diarize %d/%d %s", len(segments) + len(rejected), len(calls), call_id)
    except ModelError as error:
        raise MisconfiguredError(str(error)) from error
    return segments, rejected


def segments_of_tracks(facts: AudioFacts) -> list[Segment]:
    """The segments of a stereo call, ordered by start: its speakers are `track0` and `track1`."""
    return [Segment(facts.call_id, i.track, i.start_s, i.end_s, f"track{i.track}") for i in facts.speech]


def segments_of_mono(facts: AudioFacts, found: Sequence[diarizer.SpokenStretch]) -> list[Segment]:
    """The segments of a mono call, ordered by start: A, B, C from the diarizer, or one speaker's where it found nobody."""
    spoken = within(found, facts.speech) or [diarizer.SpokenStretch(i.start_s, i.end_s, "A") for i in facts.speech]
    return [Segment(facts.call_id, 0, round(s.start_s, 3), round(s.end_s, 3), s.speaker) for s in spoken]


def within(stretches: Sequence[diarizer.SpokenStretch], speech: Sequence[Interval]) -> list[diarizer.SpokenStretch]:
    """The stretches that overlap speech: diarized stretches of hold music or noise are dropped."""
    return [
        s for s in stretches if sum(overlap_s((s.start_s, s.end_s), (i.start_s, i.end_s)) for i in speech) > 0.3 * (s.end_s - s.start_s)
    ]
