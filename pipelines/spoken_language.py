"""Which language each stretch of a call is spoken in, among those that the centre serves.

Whisper's own detector tells apart languages that sound different. Russian and Ukrainian it hears by the accent rather than by the words:
a Russian sentence said by a Ukrainian is Ukrainian to it. Speech in such languages is therefore turned into words in each of them, and
each stretch keeps the words that the model believes more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import numpy.typing as npt

from models import asr
from pipelines.chunks import Packed, pack
from pipelines.records import Interval, Word

Samples = npt.NDArray[np.float32]
Chunks = list[tuple[Packed, tuple[str, ...]]]

RIVALS = (("ru", "uk"),)  # languages that the detector takes for each other
UNSURE_SHARE = 0.1  # a chunk with this much of an unlike second language is looked at stretch by stretch
LANGUAGE_STRETCH_S = 2.0  # less speech than this does not tell its language
SWITCH_PROBABILITY = 0.8  # a stretch is taken for another language than the call's only when this sure
PRIOR_WORDS = 15  # how many words the whole track weighs when a stretch is judged: people seldom change language for one sentence
NO_WORDS = log(0.1)  # belief in a language that has no words at all for a stretch


def allowed(languages: Sequence[str], logged: str | None) -> list[str]:
    """The centre's languages; the one that the call log names goes first, even if the centre does not list it."""
    return list(dict.fromkeys([*([logged] if logged else []), *languages]))


def pack_by_language(tracks: Samples, speech: Sequence[Interval], recogniser: asr.Recogniser, languages: Sequence[str]) -> Chunks:
    """Chunks with the languages to hear them in, in the order of the tracks and of time.

    Where a chunk sounds mixed of unlike languages, its stretches are heard one by one and packed anew by language.
    """
    chunks = [chunk for track in range(tracks.shape[0]) for chunk in pack(tracks[track], track, speech)]
    families = list(dict.fromkeys(_family(language, languages) for language in languages))
    if len(families) == 1 or not chunks:
        return [(chunk, families[0]) for chunk in chunks]
    likely = _likely(recogniser, [chunk.samples for chunk in chunks], families)
    seconds = {family: sum(p[family] * len(c.samples) for c, p in zip(chunks, likely, strict=True)) for family in families}
    main = max(families, key=lambda family: seconds[family])
    found: Chunks = []
    for chunk, probability in zip(chunks, likely, strict=True):
        first, second = sorted(families, key=lambda family: -probability[family])[:2]
        if probability[second] < UNSURE_SHARE:
            found.append((chunk, first))
        else:
            found += _split(tracks[chunk.track], chunk, recogniser, families, main)
    return found


def choose(chunks: Sequence[Packed], versions: Sequence[dict[str, list[Word]]]) -> list[list[Word]]:
    """For each chunk its words: of several versions, each stretch's words in the language that the model believes more."""
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
    """The languages of the centre that the detector takes for this one, itself included."""
    for rivals in RIVALS:
        if language in rivals:
            return tuple(other for other in languages if other in rivals)
    return (language,)


def _likely(
    recogniser: asr.Recogniser, sounds: Sequence[Samples], families: Sequence[tuple[str, ...]]
) -> list[dict[tuple[str, ...], float]]:
    languages = [language for family in families for language in family]
    found = recogniser.language_probabilities(sounds, languages)
    return [{family: sum(probability[language] for language in family) for family in families} for probability in found]


def _split(track: Samples, chunk: Packed, recogniser: asr.Recogniser, families: Sequence[tuple[str, ...]], main: tuple[str, ...]) -> Chunks:
    stretches: list[tuple[float, float]] = []
    for piece in chunk.pieces:  # a stretch too short to tell its language joins its neighbour
        if stretches and stretches[-1][1] - stretches[-1][0] < LANGUAGE_STRETCH_S:
            stretches[-1] = (stretches[-1][0], piece.end_s)
        else:
            stretches.append((piece.start_s, piece.end_s))
    if len(stretches) > 1 and stretches[-1][1] - stretches[-1][0] < LANGUAGE_STRETCH_S:
        stretches[-2:] = [(stretches[-2][0], stretches[-1][1])]
    spoken: list[tuple[str, ...]] = []
    for probability in _likely(recogniser, [track[int(s * asr.RATE_HZ) : int(e * asr.RATE_HZ)] for s, e in stretches], families):
        best = max(probability, key=probability.__getitem__)
        spoken.append(best if probability[best] >= SWITCH_PROBABILITY else main)
    found: Chunks = []
    for family in dict.fromkeys(spoken):
        inside = [stretch for stretch, of in zip(stretches, spoken, strict=True) if of == family]
        speech = [
            Interval(chunk.track, p.start_s, p.end_s) for p in chunk.pieces if any(s <= p.start_s and p.end_s <= e for s, e in inside)
        ]
        found += [(packed, family) for packed in pack(track, chunk.track, speech)]
    return found
