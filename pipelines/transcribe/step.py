"""The transcribe step: words with their times, track by track, each stretch in its own language.

A track's stretches of speech are packed into chunks, with the long silences between them shortened, so that Whisper has no silence to
hallucinate in. The chunks of many calls go to the engine together, because those of one short call would leave its batches nearly
empty; meanwhile the next calls are decoded. Remaining hallucinations are removed and recorded as findings.
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

GROUP_S = 1200.0  # seconds of speech in memory at a time: enough for full batches, and the same for a thousand calls as for ten
LONG_CALL_S = 3600.0  # after a call of this length, memory is worth more to the later steps than the loaded model is to the next batch
LEAST_SPEECH_SHARE = 0.25  # of a track: calls with long silences count as if they had this much speech, as all their audio is in memory
log = logging.getLogger("callgrade")


@dataclass(slots=True)
class CallTranscription:
    """A call during transcription."""

    call: Call
    sound: language_id.CallTracks
    chunks: language_id.Chunks = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    dropped: list[Finding] = field(default_factory=list)

    @property
    def size_s(self) -> float:
        """Its share of a group: its seconds of speech, or a share of its audio where there is little speech."""
        tracks, samples = self.sound.tracks.shape
        speech_s = sum(i.end_s - i.start_s for i in self.sound.speech)
        return float(max(speech_s, LEAST_SPEECH_SHARE * tracks * samples / engine.RATE_HZ))


def run(batch: Batch, settings: Settings) -> None:
    """Write the words of every call, and the stretches that were removed from them."""
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
    """A call ready for recognition; arguments and errors are those of `audio.decode`."""
    from pipelines.centres.profile import centre_of

    tracks = audio.decode(call.recording, call.recording_sha256, scratch).tracks
    if tracks.shape[0] != facts.tracks:
        raise BadRecordingError(Reason(Key.CHANGED, file=call.call_id))
    centre = centre_of(call)
    return CallTranscription(
        call, language_id.CallTracks(tracks, facts.speech, language_id.allowed(centre.languages, call.language), centre.terms)
    )


def listen(group: Sequence[CallTranscription], recogniser: engine.Recogniser) -> None:
    """Recognise the words of some calls, each ordered by time, with a `dropped_speech` finding for each removed stretch.

    The result of a call does not depend on the others of its group.
    """
    for one, chunks in zip(group, language_id.pack_by_language([one.sound for one in group], recogniser), strict=True):
        one.chunks = chunks
    _recognise(group, recogniser)
    for one in group:  # speech that no word covers is recognised once more
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
    """Recognise the chunks of all calls at once, and add words and removed stretches to each."""
    chunks = [
        engine.Chunk(chunk.samples, languages, tuple(", ".join(one.sound.terms.get(language, ())) for language in languages))
        for one in group
        for chunk, languages in one.chunks
    ]
    transcripts = iter(recogniser.transcribe_chunks(chunks))
    for one in group:
        results = [next(transcripts) for _ in one.chunks]
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
    """The calls ready for recognition; those that cannot be decoded are rejected."""
    for call in calls:
        try:
            yield prepare(call, facts[call.call_id], scratch)
        except BadRecordingError as error:
            rejected.append(Rejection.of_call(call, "transcribe", error.reason))


def _ahead(groups: Iterator[list[CallTranscription]]) -> Iterator[list[CallTranscription]]:
    """The same groups; each is prepared while the previous one is processed."""
    with threads(1) as pool:
        coming = pool.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = pool.submit(next, groups, None)
            yield group


def _word(call_id: str, chunk: PackedChunk, word: engine.ChunkWord, language: str) -> Word:
    """A word in the recording's time, inside its piece of speech."""
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
        quote=None,  # nobody said it, and the words of a loop are in the turn
        confidence=round(1 - float(np.mean([w.probability for w in words])), 4),
        detector=f"hallucination:{why}",
    )
