"""Words with their times, track by track, each stretch in the language it is spoken in.

A track's stretches of speech are packed into chunks, with the long silences between them cut short: what Whisper would invent in a silence it
never hears. The chunks of many calls go to the engine together, because those of one short call would leave its batches nearly empty; while
they are heard, the next calls are decoded. What is invented all the same is left out and recorded as a finding.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.asr import engine, loading
from models.batches import in_groups
from models.cores import threads
from models.registry import ModelError
from pipelines.audio import step as audio
from pipelines.core.errors import BadRecordingError, MisconfiguredError
from pipelines.core.records import AudioFacts, Call, Finding, Rejection, Word
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.transcribe import language_id
from pipelines.transcribe.chunks import PackedChunk, pack, piece_at, uncovered
from pipelines.transcribe.hallucinations import keep_said

GROUP_S = 1200.0  # seconds of speech that are in memory at a time: enough for full batches, and as much for a thousand calls as for ten
LONG_CALL_S = 3600.0  # after a call as long as this the later steps need the memory more than the next batch needs the loaded model
LEAST_SPEECH_SHARE = 0.25  # of a track: calls with long silences count as if they had this much speech, since all their sound is held
log = logging.getLogger("callgrade")


@dataclass(slots=True)
class CallTranscription:
    """A call while its words are being found."""

    call: Call
    sound: language_id.CallTracks
    chunks: language_id.Chunks = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    dropped: list[Finding] = field(default_factory=list)

    @property
    def size_s(self) -> float:
        """How much of a group it takes: its seconds of speech, or a share of its sound where little is said."""
        tracks, samples = self.sound.tracks.shape
        speech_s = sum(i.end_s - i.start_s for i in self.sound.speech)
        return float(max(speech_s, LEAST_SPEECH_SHARE * tracks * samples / engine.RATE_HZ))


def run(batch: Batch, settings: Settings) -> None:
    """Write the words of every call, and what was left out of them."""
    facts = {f.call_id: f for f in batch.read("audio")}
    words: list[Word] = []
    dropped: list[Finding] = []
    rejected: list[Rejection] = []
    calls: list[Call] = batch.calls("transcribe")
    done = 0
    for group in _ahead(in_groups(_prepared(calls, facts, rejected, settings.stage), lambda one: one.size_s, GROUP_S)):
        try:
            listen(group, loading.get_recogniser(settings.profile, settings.models_dir))
        except ModelError as error:
            raise MisconfiguredError(str(error)) from error
        for one in group:
            done += 1
            log.info("transcribe %d/%d %s", done, len(calls), one.call.call_id)
            words += one.words
            dropped += one.dropped
    if any(f.duration_s > LONG_CALL_S for f in facts.values()):
        loading.get_recogniser.cache_clear()
    batch.write_rejected("transcribe", rejected)
    batch.write("words", words)
    batch.write("dropped", dropped)


def prepare(call: Call, facts: AudioFacts, scratch: Path | None = None) -> CallTranscription:
    """A call ready to be listened to; arguments and errors are those of `audio.decode`."""
    from pipelines.centres.profile import load_centre

    tracks = audio.decode(call.recording, call.recording_sha256, scratch).tracks
    if tracks.shape[0] != facts.tracks:
        raise BadRecordingError(Reason(Key.CHANGED, file=call.call_id))
    centre = load_centre(call.centre_id)
    return CallTranscription(
        call, language_id.CallTracks(tracks, facts.speech, language_id.allowed(centre.languages, call.language), centre.terms)
    )


def listen(group: Sequence[CallTranscription], recogniser: engine.Recogniser) -> None:
    """Find the words of some calls, each ordered by time, and a `dropped_speech` finding for each stretch that was left out.

    What is found in a call does not depend on the others of its group.
    """
    for one, chunks in zip(group, language_id.pack_by_language([one.sound for one in group], recogniser), strict=True):
        one.chunks = chunks
    _recognise(group, recogniser)
    for one in group:  # what no word covers is heard once more
        one.chunks = [
            (again, languages)
            for chunk, languages in one.chunks
            for again in pack(
                one.sound.tracks[chunk.track], chunk.track, uncovered(chunk, one.words, one.dropped), recogniser.longest_chunk_s
            )
        ]
    _recognise(group, recogniser)
    for one in group:
        one.words.sort(key=lambda w: (w.start_s, w.end_s, w.track))
        one.dropped.sort(key=lambda f: f.start_s)


def _recognise(group: Sequence[CallTranscription], recogniser: engine.Recogniser) -> None:
    """Hear the chunks of all calls at once, and add what was said, or left out, to each."""
    chunks = [
        engine.Chunk(chunk.samples, languages, tuple(", ".join(one.sound.terms.get(language, ())) for language in languages))
        for one in group
        for chunk, languages in one.chunks
    ]
    heard = iter(recogniser.transcribe_chunks(chunks))
    for one in group:
        results = [next(heard) for _ in one.chunks]
        versions = [
            {language: [_word(one.call.call_id, chunk, w, language) for w in version.words] for language, version in result.items()}
            for (chunk, _), result in zip(one.chunks, results, strict=True)
        ]
        chosen = language_id.choose([chunk for chunk, _ in one.chunks], versions)
        for (chunk, _), found, result in zip(one.chunks, chosen, results, strict=True):
            is_doubtful = all(version.is_doubtful for version in result.values())
            kept, stretches = keep_said(found, is_doubtful, [(p.start_s, p.end_s) for p in chunk.pieces])
            one.words += kept
            one.dropped += [_dropped(one.call.call_id, stretch, why) for stretch, why in stretches]


def _prepared(calls: Sequence[Call], facts: dict[str, AudioFacts], rejected: list[Rejection], scratch: Path) -> Iterator[CallTranscription]:
    """The calls ready to be listened to; those that cannot be decoded are rejected."""
    for call in calls:
        try:
            yield prepare(call, facts[call.call_id], scratch)
        except BadRecordingError as error:
            rejected.append(Rejection.of_call(call, "transcribe", error.reason))


def _ahead(groups: Iterator[list[CallTranscription]]) -> Iterator[list[CallTranscription]]:
    """The same groups; each is made ready while the one before it is worked on."""
    with threads(1) as pool:
        coming = pool.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = pool.submit(next, groups, None)
            yield group


def _word(call_id: str, chunk: PackedChunk, word: engine.ChunkWord, language: str) -> Word:
    """A word in the recording's time, inside the piece of speech that it lies in."""
    inside = piece_at(chunk, (word.start_s + word.end_s) / 2)
    shift = inside.start_s - inside.chunk_start_s
    start = min(max(word.start_s + shift, inside.start_s), inside.end_s)
    end = min(max(word.end_s + shift, start), inside.end_s)
    return Word(call_id, chunk.track, round(start, 3), round(end, 3), word.text, round(word.probability, 4), language)


def _dropped(call_id: str, words: Sequence[Word], why: str) -> Finding:
    return Finding(
        call_id=call_id,
        kind="dropped_speech",
        role="unknown",
        turn_no=None,
        start_s=words[0].start_s,
        end_s=max(w.end_s for w in words),
        quote=None,  # nobody said it, and what was said in a loop stands in the turn
        confidence=round(1 - float(np.mean([w.probability for w in words])), 4),
        detector=f"hallucination:{why}",
    )
