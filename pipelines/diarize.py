"""Who speaks when: on stereo each track is one person; a mono call goes through pyannote."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from models import diarizer
from models.registry import ModelError
from pipelines import audio
from pipelines.errors import BadRecordingError, MisconfiguredError
from pipelines.records import AudioFacts, Call, Interval, PutAside, Segment
from pipelines.settings import Settings
from pipelines.store import Batch

Diarize = Callable[[audio.Samples], list[diarizer.SpokenStretch]]

log = logging.getLogger("callgrade")


def run(batch: Batch, settings: Settings) -> None:
    """Write the segments of every call: intervals of a track, each with a speaker that means something in that call only."""
    facts = {f.call_id: f for f in batch.read("audio")}
    segments: list[Segment] = []
    put_aside: list[PutAside] = []
    calls: list[Call] = batch.calls()
    for number, call in enumerate(calls, 1):
        log.info("diarize %d/%d %s", number, len(calls), call.call_id)
        try:
            segments += segments_of_call(call, facts[call.call_id], lambda: diarizer.get_diarizer(settings.profile, settings.models_dir))
        except ModelError as error:
            raise MisconfiguredError(str(error)) from error
        except BadRecordingError as error:
            put_aside.append(audio.put_aside("diarize", call, error))
    batch.write_put_aside("diarize", put_aside)
    batch.write("segments", segments)


def segments_of_call(call: Call, facts: AudioFacts, get: Callable[[], Diarize]) -> list[Segment]:
    """The segments of one call, ordered by start; `get` gives the diarizer and is asked only for mono.

    Speakers of stereo calls are `track0` and `track1`; of mono calls A, B, C. Where the diarizer hears nobody, all speech is one speaker's.
    Raises BadRecordingError when the recording cannot be decoded any more.
    """
    if facts.tracks == 2:
        return [Segment(call.call_id, i.track, i.start_s, i.end_s, f"track{i.track}") for i in facts.speech]
    found = get()(audio.decode(call.recording).tracks[0])
    spoken = within(found, facts.speech) or [diarizer.SpokenStretch(i.start_s, i.end_s, "A") for i in facts.speech]
    return [Segment(call.call_id, 0, round(s.start_s, 3), round(s.end_s, 3), s.speaker) for s in spoken]


def within(stretches: Sequence[diarizer.SpokenStretch], speech: Sequence[Interval]) -> list[diarizer.SpokenStretch]:
    """Stretches that hold speech at all: what the diarizer hears in hold music or noise is left out."""
    return [
        s
        for s in stretches
        if sum(max(0.0, min(s.end_s, i.end_s) - max(s.start_s, i.start_s)) for i in speech) > 0.3 * (s.end_s - s.start_s)
    ]
