"""Words with their times, track by track, each stretch in the language it is spoken in.

A track's stretches of speech are packed into chunks of at most 28 s, with the long silences between them cut short: what Whisper would
invent in a silence it never hears. What it invents all the same (subtitle credits, loops, words in a sound that it takes for silence
itself) is left out and recorded as a finding.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models import asr
from models.registry import ModelError
from pipelines import audio
from pipelines.crosstalk import merge
from pipelines.errors import BadRecordingError, MisconfiguredError
from pipelines.records import AudioFacts, Call, Finding, Interval, PutAside, Word
from pipelines.settings import Settings
from pipelines.store import Batch

Samples = npt.NDArray[np.float32]

LONGEST_GAP_S = 0.6  # longer silences inside a chunk are cut to this
LANGUAGE_STRETCH_S = 2.0  # less speech than this does not tell its language
SWITCH_PROBABILITY = 0.8  # a stretch is taken for another language than the call's only when this sure
UNSURE_SHARE = 0.1  # a chunk with this much of a second language is looked at stretch by stretch
WORD_REACH_S = 0.35  # a word's times may be off by so much
SHORTEST_MISS_S = 1.2  # speech that long without a word is heard once more
LOOP_WORDS, LOOP_TIMES = 6, 4  # a loop: up to 6 words, said 4 times in a row
# What Whisper learned from subtitles and says over noise; nobody says it on the telephone.
CREDITS = re.compile(
    r"(субтитр\w* (сделал|делал|создавал|подготовил|подогнал|предоставил)\w* ?)?dimatorzok|amara\.? ?org|"
    r"субтитр\w* (сделал|делал|создавал|подготовил|подогнал|предоставил)\w*( \w+)?|редактор\w* субтитров( [а-я]\.\w+)?|"
    r"продолжение следует(?! ?\w)|(спасибо|дякую|дякуємо) за (просмотр|перегляд)|"
    r"(подписывайтесь|підписуйтесь|підписуйтеся) на (канал|мой|наш)\w*|"
    r"thank(s| you) for watching|subtitles by( \w+)?|(magyar )?felirat(ok)? ?:( \w+)?|a feliratot készítette( \w+)?",
    re.IGNORECASE,
)
log = logging.getLogger("callgrade")


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a stretch of a track lies in a chunk; seconds."""

    chunk_start_s: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Packed:
    """A chunk of one track: its sound, and how to get back to the recording's time."""

    track: int
    samples: Samples
    pieces: tuple[Piece, ...]


def run(batch: Batch, settings: Settings) -> None:
    """Write the words of every call, and what was left out of them."""
    from pipelines.score.scorecard import load_centre

    facts = {f.call_id: f for f in batch.read("audio")}
    words: list[Word] = []
    dropped: list[Finding] = []
    put_aside: list[PutAside] = []
    calls: list[Call] = batch.calls()
    for number, call in enumerate(calls, 1):
        log.info("transcribe %d/%d %s", number, len(calls), call.call_id)
        try:
            recogniser = asr.get_recogniser(settings.profile, settings.models_dir)
            heard, left_out = words_of_call(call, facts[call.call_id], recogniser, load_centre(call.centre_id).languages)
        except ModelError as error:
            raise MisconfiguredError(str(error)) from error
        except BadRecordingError as error:
            put_aside.append(audio.put_aside("transcribe", call, error))
            continue
        words += heard
        dropped += left_out
    batch.write_put_aside("transcribe", put_aside)
    batch.write("words", words)
    batch.write("dropped", dropped)


def words_of_call(call: Call, facts: AudioFacts, recogniser: asr.Recogniser, languages: Sequence[str]) -> tuple[list[Word], list[Finding]]:
    """The words of one call ordered by time, and a `dropped_speech` finding for each stretch that was left out.

    `languages` are the centre's, its main one first. Raises BadRecordingError when the recording changed since it was looked at.
    """
    tracks = audio.decode(call.recording).tracks
    if tracks.shape[0] != facts.tracks:
        raise BadRecordingError(f"{call.call_id}: the recording changed while it was being graded. Grade it again.")
    packed = pack_by_language(tracks, facts.speech, recogniser, _allowed(languages, call.language))
    words, dropped = _hear(call.call_id, packed, recogniser)
    missed = [
        (again, language)
        for chunk, language in packed
        for again in pack(tracks[chunk.track], chunk.track, uncovered(chunk, words, dropped))
    ]
    if missed:
        more, also_dropped = _hear(call.call_id, missed, recogniser)
        words, dropped = words + more, dropped + also_dropped
    return sorted(words, key=lambda w: (w.start_s, w.end_s, w.track)), sorted(dropped, key=lambda f: f.start_s)


def uncovered(chunk: Packed, words: Sequence[Word], dropped: Sequence[Finding]) -> list[Interval]:
    """Speech of a chunk that no word covers: Whisper ends a chunk early now and then, or leaps over a sentence."""
    heard = [(w.start_s - WORD_REACH_S, w.end_s + WORD_REACH_S) for w in words if w.track == chunk.track]
    heard = merge([*heard, *((f.start_s, f.end_s) for f in dropped)])
    gaps = []
    for piece in chunk.pieces:
        at = piece.start_s
        for start, end in [*heard, (piece.end_s, piece.end_s)]:
            if min(start, piece.end_s) - at >= SHORTEST_MISS_S:
                gaps.append(Interval(chunk.track, at, min(start, piece.end_s)))
            at = max(at, end)
            if at >= piece.end_s:
                break
    return gaps


def pack_by_language(
    tracks: Samples, speech: Sequence[Interval], recogniser: asr.Recogniser, languages: Sequence[str]
) -> list[tuple[Packed, str]]:
    """Chunks with their language, in the order of the tracks and of time.

    Each chunk is heard for its language; where it sounds mixed, its stretches are heard one by one and packed anew by language.
    """
    chunks = [chunk for track in range(tracks.shape[0]) for chunk in pack(tracks[track], track, speech)]
    if len(languages) == 1 or not chunks:
        return [(chunk, languages[0]) for chunk in chunks]
    likely = recogniser.language_probabilities([chunk.samples for chunk in chunks], languages)
    main = _main_language(chunks, likely, languages)
    found: list[tuple[Packed, str]] = []
    for chunk, probability in zip(chunks, likely, strict=True):
        ranked = sorted(probability, key=lambda language: -probability[language])
        if probability[ranked[1]] < UNSURE_SHARE:
            found.append((chunk, ranked[0]))
        else:
            found += _split_by_language(tracks[chunk.track], chunk, recogniser, languages, main)
    return found


def pack(track: Samples, number: int, speech: Iterable[Interval], longest_s: float = asr.CHUNK_S) -> list[Packed]:
    """Cut a track's stretches of speech into chunks of at most `longest_s`, long silences between them cut short."""
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


def guard(words: Sequence[Word], is_doubtful: bool = False) -> tuple[list[Word], list[tuple[Sequence[Word], str]]]:
    """Take out what nobody said: all of a doubtful chunk, subtitle credits, loops.

    Returns the words kept, and each stretch taken out with the reason: silence, credits or loop.
    """
    if is_doubtful and words:
        return [], [(words, "silence")]
    bad: dict[int, str] = {}
    text, starts = "", []
    for word in words:
        starts.append(len(text))
        text += word.text + " "
    for match in CREDITS.finditer(text):
        bad.update({i: "credits" for i, s in enumerate(starts) if s < match.end() and s + len(words[i].text) > match.start()})
    plain = [re.sub(r"\W", "", word.text.lower()) for word in words]
    for first, last in loops(plain):
        bad.update({i: "loop" for i in range(first, last) if i not in bad})
    stretches: list[tuple[Sequence[Word], str]] = []
    i = 0
    while i < len(words):
        j = i
        while j < len(words) and bad.get(j) == bad.get(i):
            j += 1
        if i in bad:
            stretches.append((words[i:j], bad[i]))
        i = j
    return [word for i, word in enumerate(words) if i not in bad], stretches


def loops(words: Sequence[str]) -> list[tuple[int, int]]:
    """Stretches [first, last) that say again what was just said; the first two times of a loop are kept.

    One word may be said four times in a row before it is a loop (digits, "yes yes yes").
    """
    found = []
    i = 0
    while i < len(words):
        for n in range(1, LOOP_WORDS + 1):
            times = 1
            while words[i + times * n : i + (times + 1) * n] == words[i : i + n] and i + (times + 1) * n <= len(words):
                times += 1
            if times >= LOOP_TIMES + (2 if n == 1 else 0):
                found.append((i + 2 * n, i + times * n))
                i += times * n - 1
                break
        i += 1
    return found


def _hear(call_id: str, packed: Sequence[tuple[Packed, str]], recogniser: asr.Recogniser) -> tuple[list[Word], list[Finding]]:
    words: list[Word] = []
    dropped: list[Finding] = []
    heard = recogniser.transcribe_chunks([asr.Chunk(chunk.samples, language) for chunk, language in packed])
    for (chunk, language), result in zip(packed, heard, strict=True):
        kept, stretches = guard([_word(call_id, chunk, w, language) for w in result.words], result.is_doubtful)
        words += kept
        dropped += [_dropped(call_id, stretch, why) for stretch, why in stretches]
    return words, dropped


def _allowed(languages: Sequence[str], logged: str | None) -> list[str]:
    """The centre's languages; the one that the call log names goes first, even if the centre does not list it."""
    return list(dict.fromkeys([*([logged] if logged else []), *languages]))


def _main_language(chunks: Sequence[Packed], likely: Sequence[dict[str, float]], languages: Sequence[str]) -> str:
    """The language that most of the call's speech is in; the first named one wins where nothing tells."""
    seconds = {language: sum(p[language] * len(c.samples) for c, p in zip(chunks, likely, strict=True)) for language in languages}
    return max(languages, key=lambda language: seconds[language])


def _split_by_language(
    track: Samples, chunk: Packed, recogniser: asr.Recogniser, languages: Sequence[str], main: str
) -> list[tuple[Packed, str]]:
    stretches: list[tuple[float, float]] = []
    for piece in chunk.pieces:  # a stretch too short to tell its language joins its neighbour
        if stretches and stretches[-1][1] - stretches[-1][0] < LANGUAGE_STRETCH_S:
            stretches[-1] = (stretches[-1][0], piece.end_s)
        else:
            stretches.append((piece.start_s, piece.end_s))
    if len(stretches) > 1 and stretches[-1][1] - stretches[-1][0] < LANGUAGE_STRETCH_S:
        stretches[-2:] = [(stretches[-2][0], stretches[-1][1])]
    sounds = [track[int(start * asr.RATE_HZ) : int(end * asr.RATE_HZ)] for start, end in stretches]
    spoken: list[str] = []
    for probability in recogniser.language_probabilities(sounds, languages):
        best = max(probability, key=lambda language: probability[language])
        spoken.append(best if probability[best] >= SWITCH_PROBABILITY else main)
    found: list[tuple[Packed, str]] = []
    for language in dict.fromkeys(spoken):
        inside = [s for s, of in zip(stretches, spoken, strict=True) if of == language]
        speech = [
            Interval(chunk.track, p.start_s, p.end_s) for p in chunk.pieces if any(s <= p.start_s and p.end_s <= e for s, e in inside)
        ]
        found += [(packed, language) for packed in pack(track, chunk.track, speech)]
    return found


def _pieces(speech: Iterable[Interval], track: int, longest_s: float) -> list[tuple[float, float]]:
    """The track's stretches; one longer than a chunk is cut into equal parts."""
    pieces = []
    for i in speech:
        if i.track == track:
            parts = max(1, int(np.ceil((i.end_s - i.start_s) / longest_s)))
            step = (i.end_s - i.start_s) / parts
            pieces += [(i.start_s + k * step, i.start_s + (k + 1) * step) for k in range(parts)]
    return pieces


def _pack_group(track: Samples, number: int, group: Sequence[tuple[float, float]]) -> Packed:
    blocks: list[Samples] = []
    pieces: list[Piece] = []
    at, before = 0, None
    for start, end in group:
        if before is not None:
            gap = int(min(start - before, LONGEST_GAP_S) * asr.RATE_HZ)
            a = int(before * asr.RATE_HZ)
            blocks.append(track[a : a + gap])
            at += len(blocks[-1])
        blocks.append(track[int(start * asr.RATE_HZ) : int(end * asr.RATE_HZ)])
        pieces.append(Piece(at / asr.RATE_HZ, start, end))
        at += len(blocks[-1])
        before = end
    return Packed(number, np.concatenate(blocks), tuple(pieces))


def _word(call_id: str, chunk: Packed, word: asr.HeardWord, language: str) -> Word:
    middle = (word.start_s + word.end_s) / 2
    inside = min(chunk.pieces, key=lambda p: max(p.chunk_start_s - middle, middle - p.chunk_start_s - (p.end_s - p.start_s)))
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
