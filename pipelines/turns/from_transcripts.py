"""Turns from a given transcript: replaces audio, transcribe, diarize and turns where there is no recording.

It writes the same outputs as those steps, so that everything after them runs as for recordings. Fields that need audio stay empty:
voice levels, raised voices, music on hold. A pause in which nobody speaks is a hold under the same rule as in a recording.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.languages.language import languages_of_script, words_of
from pipelines.audio import voice_activity
from pipelines.audio.step import LEVEL_HOP_S, LOWEST_DB
from pipelines.centres.profile import centre_of
from pipelines.core.errors import BadRecordingError
from pipelines.core.records import AudioFacts, Call, CallRoles, Interval, Rejection, Role, Turn, Word
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.intake.transcripts import Transcript, TranscriptTurn, read_transcript
from pipelines.turns.roles import decide_roles
from pipelines.turns.step import build_turns

CODEC = "transcript"
WORD_PROBABILITY = 0.95  # of a word without a probability
GIVEN_ROLE_CONFIDENCE = 0.99

log = logging.getLogger("callgrade")


def run(batch: Batch, settings: Settings) -> None:
    """Write `audio`, `spoken_turns` (unmasked, private), `roles` and an empty `dropped` for every call; reject invalid transcripts."""
    calls: list[Call] = batch.calls("audio")
    facts: list[AudioFacts] = []
    turns: list[Turn] = []
    roles: list[CallRoles] = []
    rejected: list[Rejection] = []
    for n, call in enumerate(calls, 1):
        log.info("transcripts %d/%d %s", n, len(calls), call.call_id)
        try:
            call_facts, call_turns, call_roles = turns_of_transcript(call, read_transcript(Path(call.recording), call.recording_sha256))
        except BadRecordingError as error:
            rejected.append(Rejection.of_call(call, "audio", error.reason))
            continue
        facts.append(call_facts)
        turns += call_turns
        roles.append(call_roles)
    batch.write("audio", facts)
    batch.write("spoken_turns", turns)
    batch.write("roles", roles)
    batch.write("dropped", ())
    batch.write_rejected("audio", rejected)


def turns_of_transcript(call: Call, transcript: Transcript) -> tuple[AudioFacts, list[Turn], CallRoles]:
    """The inputs of redaction for a call: facts without audio, turns with roles, and the role summary.

    Consecutive turns of one speaker are merged, by the same rule as for recognised words. Roles are taken from the transcript where
    every turn has one, and otherwise determined from the words.
    """
    given = sorted((turn for turn in transcript.turns if turn.text), key=lambda t: (t.start_s, t.end_s))
    has_roles = all(turn.role for turn in given)
    voices = [str(turn.role if has_roles else turn.speaker or turn.role) for turn in given]
    track_of = {voice: track for track, voice in enumerate(dict.fromkeys(voices))}
    language = _main_language(call, given)
    words = [word for turn, voice in zip(given, voices, strict=True) for word in _words(call.call_id, turn, track_of[voice], language)]
    audio = _facts(call, given, [track_of[voice] for voice in voices])
    turns = [replace(turn, voice_level_db=None, raised_voice=False) for turn in build_turns(call.call_id, audio, words, ())]
    if has_roles:
        of_track: dict[int, Role] = {track: voice for voice, track in track_of.items()}  # type: ignore[misc]
        named = [replace(turn, role=of_track[turn.track], role_confidence=GIVEN_ROLE_CONFIDENCE) for turn in turns]
        return audio, named, CallRoles(call.call_id, GIVEN_ROLE_CONFIDENCE, "The transcript gives the roles.", False)
    decided = decide_roles(replace(call, operator_channel=None), turns, stereo=len(track_of) > 1)
    named = [replace(turn, role=decided.of[turn.speaker][0], role_confidence=decided.of[turn.speaker][1]) for turn in turns]
    return audio, named, decided.summary


def _facts(call: Call, given: Sequence[TranscriptTurn], tracks: Sequence[int]) -> AudioFacts:
    duration_s = max(turn.end_s for turn in given)
    speech = tuple(Interval(track, turn.start_s, turn.end_s) for turn, track in zip(given, tracks, strict=True))
    silence = np.full((1, max(1, int(duration_s / LEVEL_HOP_S))), LOWEST_DB)
    return AudioFacts(
        call_id=call.call_id,
        duration_s=round(duration_s, 3),
        sample_rate_hz=0,
        codec=CODEC,
        channels=0,
        tracks=max(2, len(set(tracks))),  # each voice is separate, as on a stereo recording
        speech=speech,
        holds=tuple(voice_activity.find_holds(speech, silence, LEVEL_HOP_S, duration_s)),
        level_hop_s=LEVEL_HOP_S,
        level_db=(),
    )


def _words(call_id: str, turn: TranscriptTurn, track: int, language: str) -> list[Word]:
    """The words of a turn with the given times, or with the turn's time divided in proportion to their letters."""
    language = turn.lang or _written_language(turn.text, language)
    words = [w for w in turn.words if w.text]
    if words and " ".join(w.text for w in words).split() == turn.text.split():
        return [
            Word(call_id, track, w.start_s, w.end_s, text, WORD_PROBABILITY if w.probability is None else w.probability, language)
            for w in words
            for text in w.text.split()
        ]
    texts = turn.text.split()
    letters = sum(len(text) for text in texts)
    found: list[Word] = []
    at_s = turn.start_s
    for text in texts:
        end_s = at_s + (turn.end_s - turn.start_s) * len(text) / letters
        found.append(Word(call_id, track, round(at_s, 3), round(end_s, 3), text, WORD_PROBABILITY, language))
        at_s = end_s
    return found


def _main_language(call: Call, given: Sequence[TranscriptTurn]) -> str:
    named = Counter(turn.lang for turn in given if turn.lang)
    return call.language or (named.most_common(1)[0][0] if named else None) or centre_of(call).languages[0]


def _written_language(text: str, main: str) -> str:
    """The main language of the call, unless the turn is in the script of other languages."""
    votes = Counter(language for word in words_of(text) for language in languages_of_script(word))
    return main if not votes or votes[main] else votes.most_common(1)[0][0]
