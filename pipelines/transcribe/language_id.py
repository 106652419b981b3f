"""Identifies the language of each stretch of a call, among those of the centre.

Whisper's own detector distinguishes languages that sound different. Between Russian and Ukrainian it decides by accent rather than
words: a Russian sentence said by a Ukrainian is classified as Ukrainian. Speech in such languages is therefore recognised in each of
them, and each stretch takes the version with the higher model probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log

from models.asr import engine
from pipelines.core.records import Interval, Word
from pipelines.decoding.tracks import Tracks
from pipelines.transcribe.chunks import PackedChunk, pack

Chunks = list[tuple[PackedChunk, tuple[str, ...]]]

RIVALS = (("ru", "uk"),)  # languages that the detector confuses
UNSURE_SHARE = 0.1  # a chunk with this much of a dissimilar second language is examined stretch by stretch
LANGUAGE_STRETCH_S = 2.0  # less speech than this does not determine its language
SWITCH_PROBABILITY = 0.8  # a stretch is assigned a language other than the call's only at this probability
PRIOR_WORDS = 15  # the weight of the whole track, in words, when a stretch is examined: people seldom change language for one sentence
NO_WORDS = log(0.1)  # the log probability of a language without any words for a stretch


def allowed(languages: Sequence[str], logged: str | None) -> tuple[str, ...]:
    """The centre's languages, with the one in the call log first, even if the centre does not list it."""
    return tuple(dict.fromkeys([*([logged] if logged else []), *languages]))


@dataclass(frozen=True, slots=True)
class CallTracks:
    """The recognition input of a call: its tracks [n, samples], speech stretches, and candidate languages, the likeliest first."""

    tracks: Tracks
    speech: tuple[Interval, ...]
    languages: tuple[str, ...]
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)  # language → the centre's names and words


def pack_by_language(sounds: Sequence[CallTracks], recogniser: engine.Recogniser) -> list[Chunks]:
    """For each call, its chunks with their candidate languages, in the order of the tracks and of time.

    Where a chunk seems to mix dissimilar languages, its stretches are examined one by one and repacked by language.
    """
    found: list[Chunks] = [[] for _ in sounds]
    for languages in dict.fromkeys(sound.languages for sound in sounds):
        families = list(dict.fromkeys(_family(language, languages) for language in languages))
        numbers = [i for i, sound in enumerate(sounds) if sound.languages == languages]
        packs = [
            [
                chunk
                for n in range(len(sounds[i].tracks))
                for chunk in pack(sounds[i].tracks[n], n, sounds[i].speech, recogniser.longest_chunk_s)
            ]
            for i in numbers
        ]
        if len(families) == 1:
            assigned: list[Chunks] = [[(chunk, families[0]) for chunk in chunks] for chunks in packs]
        else:
            assigned = _tell_apart([sounds[i].tracks for i in numbers], packs, recogniser, families)
        for i, chunks in zip(numbers, assigned, strict=True):
            found[i] = chunks
    return found


def choose(chunks: Sequence[PackedChunk], versions: Sequence[dict[str, list[Word]]]) -> list[list[Word]]:
    """The words of each chunk: of several versions, each stretch takes the language with the higher model probability."""
    said: dict[tuple[int, str], list[Word]] = {}
    for chunk, version in zip(chunks, versions, strict=True):
        for language, words in version.items():
            said.setdefault((chunk.track, language), []).extend(words)
    found: list[list[Word]] = []
    for chunk, version in zip(chunks, versions, strict=True):
        if len(version) == 1:
            found.append(next(iter(version.values())))
            continue
        chosen: list[Word] = []
        for piece in chunk.pieces:
            inside = {
                language: [w for w in words if piece.start_s <= (w.start_s + w.end_s) / 2 <= piece.end_s]
                for language, words in version.items()
            }
            most = max(len(words) for words in inside.values())
            belief = {
                language: most * _belief(words) + PRIOR_WORDS * _belief(said[chunk.track, language]) for language, words in inside.items()
            }
            chosen += inside[max(belief, key=lambda language: belief[language])]
        found.append(chosen)
    return found


def _belief(words: Sequence[Word]) -> float:
    """Mean log probability of a word."""
    return sum(log(max(w.probability, 0.01)) for w in words) / len(words) if words else NO_WORDS


def _family(language: str, languages: Sequence[str]) -> tuple[str, ...]:
    """The languages of the centre that the detector confuses with this one, including itself."""
    for rivals in RIVALS:
        if language in rivals:
            return tuple(other for other in languages if other in rivals)
    return (language,)


def _tell_apart(
    tracks: Sequence[Tracks], packs: Sequence[Sequence[PackedChunk]], recogniser: engine.Recogniser, families: Sequence[tuple[str, ...]]
) -> list[Chunks]:
    of_chunk = iter(_likely(recogniser, [chunk.samples for chunks in packs for chunk in chunks], families))
    likely = [[next(of_chunk) for _ in chunks] for chunks in packs]
    mixed = {
        (call, n): _stretches(chunk)
        for call, chunks in enumerate(packs)
        for n, chunk in enumerate(chunks)
        if sorted(likely[call][n].values())[-2] >= UNSURE_SHARE
    }
    cut = [
        engine.Excerpt(tracks[call][packs[call][n].track], ((int(s * engine.RATE_HZ), int(e * engine.RATE_HZ)),))
        for (call, n), some in mixed.items()
        for s, e in some
    ]
    of_stretch = iter(_likely(recogniser, cut, families))
    found: list[Chunks] = []
    for call, chunks in enumerate(packs):
        seconds = {family: sum(p[family] * len(c.samples) for c, p in zip(chunks, likely[call], strict=True)) for family in families}
        main = max(families, key=lambda family, seconds=seconds: seconds[family])  # type: ignore[misc]
        found.append([])
        for n, chunk in enumerate(chunks):
            if (call, n) in mixed:
                spoken = [_sure(next(of_stretch), main) for _ in mixed[call, n]]
                found[-1] += _packed_anew(tracks[call], chunk, mixed[call, n], spoken, recogniser.longest_chunk_s)
            else:
                found[-1].append((chunk, max(families, key=lambda family, p=likely[call][n]: p[family])))  # type: ignore[misc]
    return found


def _likely(
    recogniser: engine.Recogniser, sounds: Sequence[engine.Sound], families: Sequence[tuple[str, ...]]
) -> list[dict[tuple[str, ...], float]]:
    languages = [language for family in families for language in family]
    found = recogniser.language_probabilities(sounds, languages)
    return [{family: sum(probability[language] for language in family) for family in families} for probability in found]


def _sure(probability: dict[tuple[str, ...], float], main: tuple[str, ...]) -> tuple[str, ...]:
    best = max(probability, key=probability.__getitem__)
    return best if probability[best] >= SWITCH_PROBABILITY else main


def _stretches(chunk: PackedChunk) -> list[tuple[float, float]]:
    """The stretches of a chunk; one too short to identify its language is merged with its neighbour."""
    stretches: list[tuple[float, float]] = []
    for piece in chunk.pieces:
        if stretches and stretches[-1][1] - stretches[-1][0] < LANGUAGE_STRETCH_S:
            stretches[-1] = (stretches[-1][0], piece.end_s)
        else:
            stretches.append((piece.start_s, piece.end_s))
    if len(stretches) > 1 and stretches[-1][1] - stretches[-1][0] < LANGUAGE_STRETCH_S:
        stretches[-2:] = [(stretches[-2][0], stretches[-1][1])]
    return stretches


def _packed_anew(
    tracks: Tracks, chunk: PackedChunk, stretches: Sequence[tuple[float, float]], spoken: Sequence[tuple[str, ...]], longest_s: float
) -> Chunks:
    found: Chunks = []
    for family in dict.fromkeys(spoken):
        inside = [stretch for stretch, of in zip(stretches, spoken, strict=True) if of == family]
        speech = [
            Interval(chunk.track, p.start_s, p.end_s) for p in chunk.pieces if any(s <= p.start_s and p.end_s <= e for s, e in inside)
        ]
        found += [(packed, family) for packed in pack(tracks[chunk.track], chunk.track, speech, longest_s)]
    return found
