"""The turns step: combines words and diarization into turns with speaker, time, level and overlap.

A mono recording has one stream of words and diarized speakers; each word is assigned to a speaker by a minimum-cost path through the
words (`assign_speakers`). In a stereo recording a track is a speaker. Roles (operator, client) come from `roles`.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from pipelines.core.errors import BadRecordingError
from pipelines.core.grouping import by_call
from pipelines.core.intervals import overlap_s
from pipelines.core.records import AudioFacts, Call, CallRoles, Rejection, Segment, Token, Turn, Word
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.turns.roles import StraySentence, decide_roles, mistaken_stretches

if TYPE_CHECKING:
    from pyannote.core import Timeline

log = logging.getLogger("callgrade")

PHRASE_GAP_S = 0.6  # a longer pause inside one speaker's words ends a phrase; another speaker may take the floor there
SILENCE_SPLIT_S = 4.0  # the same speaker after a longer silence starts a new turn
RAISED_DB = 4.0  # this far above the speaker's median counts as a raised voice; a level, never an emotion
MIN_LEVEL_FRAMES = 5
LATE_INTERRUPTION_S = 0.25  # less than this before the end of the other's words is ordinary turn-taking, not an interruption
YIELD_S = 1.5  # an interrupted speaker stops within this time, otherwise nobody took the floor

# Costs of the path through the words of a mono recording, in arbitrary units where 1 is a change of speaker inside a sentence.
OUTSIDE_COST = 0.35  # a word outside every segment of its speaker, plus its distance in seconds up to MAX_DISTANCE_S
MAX_DISTANCE_S = 2.0
CHANGE_INSIDE = 1.0
CHANGE_AT_PAUSE = 0.3  # the speaker changes at the end of a sentence or after a pause of PAUSE_S
PAUSE_S = 0.35
_SENTENCE_END = (".", "?", "!", "…")


def run(batch: Batch, settings: Settings) -> None:
    """Write `spoken_turns` (unmasked, private) and `roles` of every call of the batch.

    A call in which no word was recognised is rejected as unscoreable.
    """
    audio = {a.call_id: a for a in batch.read("audio")}
    words, segments = by_call(batch.read("words")), by_call(batch.read("segments"))
    turns: list[Turn] = []
    roles: list[CallRoles] = []
    rejected: list[Rejection] = []
    calls = batch.calls("turns")
    for n, call in enumerate(calls, 1):
        log.info("turns %d/%d %s", n, len(calls), call.call_id)
        try:
            call_turns, call_roles = turns_of_call(call, audio[call.call_id], words[call.call_id], segments[call.call_id])
        except BadRecordingError as error:
            rejected.append(Rejection.of_call(call, "turns", error.reason))
            continue
        turns += call_turns
        roles.append(call_roles)
    batch.write("spoken_turns", turns)
    batch.write("roles", roles)
    batch.write_rejected("turns", rejected)


def turns_of_call(call: Call, audio: AudioFacts, words: Sequence[Word], segments: Sequence[Segment]) -> tuple[list[Turn], CallRoles]:
    """The turns of one call with their roles, and the role summary.

    Raises BadRecordingError (unscoreable) when there are no words.
    """
    if not words:
        raise BadRecordingError(Reason(Key.NO_WORD))
    stereo = audio.tracks > 1
    turns = build_turns(call.call_id, audio, words, segments)
    decided = decide_roles(call, turns, stereo)
    mistaken = [] if stereo else mistaken_stretches(call, turns, decided)
    if mistaken:
        turns = build_turns(call.call_id, audio, words, reassign(segments, mistaken))
        decided = decide_roles(call, turns, stereo)
    placed = [replace(t, role=decided.of[t.speaker][0], role_confidence=decided.of[t.speaker][1]) for t in turns]
    return placed, decided.summary


def build_turns(call_id: str, audio: AudioFacts, words: Sequence[Word], segments: Sequence[Segment]) -> list[Turn]:
    """Turns in order of their start, every word in exactly one of them; roles are still unknown."""
    ordered = sorted(words, key=lambda w: (w.start_s, w.end_s, w.track))
    stereo = audio.tracks > 1
    speakers = [f"track{w.track}" for w in ordered] if stereo else assign_speakers(ordered, segments)
    holds = [(h.start_s, h.end_s) for h in audio.holds]
    groups = _take_floor(_phrases(ordered, speakers, stereo), holds)
    groups.sort(key=lambda g: (g[1][0].start_s, g[1][-1].end_s))
    drafts = [_draft(call_id, n, speaker, said) for n, (speaker, said) in enumerate(groups, 1)]
    return _with_levels(_with_overlaps(drafts, segments), audio)


def reassign(segments: Sequence[Segment], stretches: Sequence[StraySentence]) -> list[Segment]:
    """The segments, with each stretch reassigned from all its diarized speakers to its actual speaker."""
    out = list(segments)
    for stretch in stretches:
        kept: list[Segment] = []
        for s in out:
            if s.end_s <= stretch.start_s or s.start_s >= stretch.end_s:
                kept.append(s)
                continue
            if s.start_s < stretch.start_s:
                kept.append(replace(s, end_s=stretch.start_s))
            if s.end_s > stretch.end_s:
                kept.append(replace(s, start_s=stretch.end_s))
        out = [*kept, Segment(stretch.call_id, 0, stretch.start_s, stretch.end_s, stretch.speaker)]
    return sorted(out, key=lambda s: (s.start_s, s.end_s, s.speaker))


def assign_speakers(words: Sequence[Word], segments: Sequence[Segment]) -> list[str]:
    """The speaker of each word (sorted by time) of a mono recording: a minimum-cost path through the words.

    A word should be in a segment of its speaker; a change of speaker should be at a pause or the end of a sentence. So a single word
    that the diarization separated from its phrase is put back, and a sentence stays with one speaker.
    """
    names = sorted({s.speaker for s in segments})
    if len(names) < 2:
        return [names[0] if names else "speaker"] * len(words)
    spans = {name: [(s.start_s, s.end_s) for s in segments if s.speaker == name] for name in names}
    cost = {name: 0.0 for name in names}
    back: list[dict[str, str]] = []
    for i, word in enumerate(words):
        change = CHANGE_INSIDE
        if i and (words[i - 1].text.endswith(_SENTENCE_END) or word.start_s - words[i - 1].end_s >= PAUSE_S):
            change = CHANGE_AT_PAUSE
        cheapest = min(names, key=lambda n: cost[n])
        came = {n: n if cost[n] <= cost[cheapest] + change else cheapest for n in names}
        cost = {n: cost[came[n]] + (change if came[n] != n else 0.0) + _outside(word, spans[n]) for n in names}
        back.append(came)
    path = [min(names, key=lambda n: cost[n])]
    for came in reversed(back[1:]):
        path.append(came[path[-1]])
    return path[::-1]


def _outside(word: Word, spans: Sequence[tuple[float, float]]) -> float:
    middle, length = (word.start_s + word.end_s) / 2, max(word.end_s - word.start_s, 0.02)
    distance = min(max(a - middle, middle - b, 0.0) for a, b in spans)
    if distance > 0:
        return OUTSIDE_COST + min(distance, MAX_DISTANCE_S)
    covered = sum(overlap_s(span, (word.start_s, word.end_s)) for span in spans)
    return OUTSIDE_COST / 2 * (1 - min(covered / length, 1.0))


def _phrases(words: Sequence[Word], speakers: Sequence[str], stereo: bool) -> list[tuple[str, list[Word]]]:
    """One speaker's words without a pause; in mono also without another speaker's word between."""
    phrases: list[tuple[str, list[Word]]] = []
    open_at: dict[str, int] = {}
    for word, speaker in zip(words, speakers, strict=True):
        at = open_at.get(speaker)
        if at is not None and word.start_s - phrases[at][1][-1].end_s <= PHRASE_GAP_S and (stereo or at == len(phrases) - 1):
            phrases[at][1].append(word)
        else:
            open_at[speaker] = len(phrases)
            phrases.append((speaker, [word]))
    return phrases


def _take_floor(phrases: Sequence[tuple[str, list[Word]]], holds: Sequence[tuple[float, float]]) -> list[tuple[str, list[Word]]]:
    """Join a speaker's phrases until the other takes the floor, a hold starts, or the speaker is silent for long."""
    groups: list[tuple[str, list[Word]]] = []
    for speaker, words in phrases:
        if groups and groups[-1][0] == speaker:
            before, after = groups[-1][1][-1].end_s, words[0].start_s
            held = any(a >= before - 0.5 and b <= after + 0.5 for a, b in holds)
            talked_over = any(name != speaker and said[0].start_s < after and said[-1].end_s > before for name, said in phrases)
            if after - before < SILENCE_SPLIT_S and not held and not talked_over:
                groups[-1][1].extend(words)
                continue
        groups.append((speaker, list(words)))
    return groups


def _draft(call_id: str, turn_no: int, speaker: str, words: Sequence[Word]) -> Turn:
    languages: Counter[str] = Counter()
    for word in words:
        languages[word.language] += max(1, round(100 * (word.end_s - word.start_s)))
    return Turn(
        call_id=call_id,
        turn_no=turn_no,
        track=words[0].track,
        speaker=speaker,
        role="unknown",
        role_confidence=0.0,
        start_s=words[0].start_s,
        end_s=max(w.end_s for w in words),
        tokens=tuple(Token(w.text, w.start_s, w.end_s, w.probability) for w in words),
        language=languages.most_common(1)[0][0],
        asr_confidence=round(sum(w.probability for w in words) / len(words), 4),
        voice_level_db=None,
        raised_voice=False,
        overlap_s=0.0,
        interrupts=False,
    )


def _with_overlaps(turns: Sequence[Turn], segments: Sequence[Segment]) -> list[Turn]:
    """Add each turn's overlap with others' speech, and whether it took the floor.

    Speech is a diarized segment of the speaker, or the span of the words where there is none.
    """
    from pyannote.core import Segment as Span
    from pyannote.core import Timeline

    tracks = {t.track for t in turns}
    speech: dict[str, Timeline] = defaultdict(Timeline)
    for turn in turns:
        for token in turn.tokens:
            if token.end_s > token.start_s:
                speech[turn.speaker].add(Span(token.start_s, token.end_s))
    if len(tracks) == 1:  # words of a mono stream never overlap; only the diarization has overlaps
        for s in segments:
            if s.speaker in speech and s.end_s > s.start_s:
                speech[s.speaker].add(Span(s.start_s, s.end_s))
    speech = {name: timeline.support(collar=0.2) for name, timeline in speech.items()}
    out = []
    for turn in turns:
        span = Span(turn.start_s, max(turn.end_s, turn.start_s + 0.01))
        others = Timeline([s for name, timeline in speech.items() if name != turn.speaker for s in timeline]).support()
        own = speech[turn.speaker].crop(span, mode="intersection") if turn.speaker in speech else Timeline()
        overlap = sum(s.duration for piece in own for s in others.crop(piece, mode="intersection"))
        out.append(replace(turn, overlap_s=round(overlap, 3), interrupts=_interrupts(turn, speech)))
    return out


def _interrupts(turn: Turn, speech: Mapping[str, Timeline]) -> bool:
    for name, timeline in speech.items():
        if name == turn.speaker:
            continue
        for s in timeline:
            cut_in = s.start + LATE_INTERRUPTION_S < turn.start_s < s.end - LATE_INTERRUPTION_S
            if cut_in and s.end - turn.start_s <= YIELD_S and turn.end_s > s.end:
                return True
    return False


def _with_levels(turns: Sequence[Turn], audio: AudioFacts) -> list[Turn]:
    """Add each turn's level relative to its speaker's median, and whether that is a raised voice."""
    levels: dict[int, list[float]] = {}
    for turn in turns:
        frames = audio.level_db[turn.track] if turn.track < len(audio.level_db) else ()
        levels_db: list[float] = []
        for token in turn.tokens:
            first, last = int(token.start_s / audio.level_hop_s), math.ceil(token.end_s / audio.level_hop_s)
            levels_db += [db for db in frames[first:last] if math.isfinite(db) and db > -60]
        levels[turn.turn_no] = levels_db
    own = {
        speaker: median(all_frames)
        for speaker in {t.speaker for t in turns}
        if (all_frames := [db for t in turns if t.speaker == speaker for db in levels[t.turn_no]])
    }
    out = []
    for turn in turns:
        levels_db = levels[turn.turn_no]
        if len(levels_db) < MIN_LEVEL_FRAMES:
            out.append(turn)
            continue
        difference = median(levels_db) - own[turn.speaker]
        out.append(replace(turn, voice_level_db=round(difference, 2), raised_voice=difference >= RAISED_DB))
    return out
