"""Words with their times, track by track, each stretch in the language it is spoken in.

A track's stretches of speech are packed into chunks of at most 28 s, with the long silences between them cut short: what Whisper would
invent in a silence it never hears. What it invents all the same (subtitle credits, loops, words in a sound that it takes for silence
itself) is left out and recorded as a finding.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import numpy as np

from models import asr
from models.registry import ModelError
from pipelines import audio, spoken_language
from pipelines.chunks import Packed, pack, piece_at, uncovered
from pipelines.errors import BadRecordingError, MisconfiguredError
from pipelines.records import AudioFacts, Call, Finding, PutAside, Word
from pipelines.settings import Settings
from pipelines.store import Batch

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
    packed = spoken_language.pack_by_language(tracks, facts.speech, recogniser, spoken_language.allowed(languages, call.language))
    words, dropped = _hear(call.call_id, packed, recogniser)
    missed = [
        (again, languages)
        for chunk, languages in packed
        for again in pack(tracks[chunk.track], chunk.track, uncovered(chunk, words, dropped))
    ]
    if missed:
        more, also_dropped = _hear(call.call_id, missed, recogniser)
        words, dropped = words + more, dropped + also_dropped
    return sorted(words, key=lambda w: (w.start_s, w.end_s, w.track)), sorted(dropped, key=lambda f: f.start_s)


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


def _hear(call_id: str, packed: Sequence[tuple[Packed, tuple[str, ...]]], recogniser: asr.Recogniser) -> tuple[list[Word], list[Finding]]:
    heard = recogniser.transcribe_chunks([asr.Chunk(chunk.samples, languages) for chunk, languages in packed])
    versions = [
        {language: [_word(call_id, chunk, w, language) for w in version.words] for language, version in result.items()}
        for (chunk, _), result in zip(packed, heard, strict=True)
    ]
    words: list[Word] = []
    dropped: list[Finding] = []
    chosen = spoken_language.choose([chunk for chunk, _ in packed], versions)
    for found, result in zip(chosen, heard, strict=True):
        kept, stretches = guard(found, all(version.is_doubtful for version in result.values()))
        words += kept
        dropped += [_dropped(call_id, stretch, why) for stretch, why in stretches]
    return words, dropped


def _word(call_id: str, chunk: Packed, word: asr.HeardWord, language: str) -> Word:
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
