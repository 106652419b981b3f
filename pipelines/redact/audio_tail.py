"""Extends personal data in the audio over unrecognised speech: the last digits of a card, cut off by "no, do not dictate it".

Masked text ends with its last word. Speech of the same track that follows immediately, and of which nothing was recognised, is beeped
with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipelines.core.records import AudioFacts, PersonalData, Turn

AT_ONCE_S = 0.5  # the pause of somebody who dictates
MOST_S = 4.0  # longer speech is something else
_TOUCHES_S = 0.15  # the measurement error of the edges of speech and of words


def with_tails(data: Iterable[PersonalData], turns: Sequence[Turn], audio: AudioFacts) -> list[PersonalData]:
    """The personal data of one call, each extended over the unrecognised speech that follows it."""
    track_of = {turn.turn_no: turn.track for turn in turns}
    words: dict[int, list[tuple[float, float]]] = {}
    for turn in turns:
        words.setdefault(turn.track, []).extend((token.start_s, token.end_s) for token in turn.tokens)
    return [
        replace(piece, end_s=_tail_s(piece, words[track_of[piece.turn_no]], _speech_of(audio, track_of[piece.turn_no]))) for piece in data
    ]


def _speech_of(audio: AudioFacts, track: int) -> list[tuple[float, float]]:
    return sorted((one.start_s, one.end_s) for one in audio.speech if one.track == track)


def _tail_s(piece: PersonalData, words: Iterable[tuple[float, float]], speech: Iterable[tuple[float, float]]) -> float:
    """The end of the extension: over stretches of speech that follow immediately, up to the next word on the track."""
    next_s = min((start_s for start_s, end_s in words if end_s > piece.end_s + _TOUCHES_S), default=float("inf"))
    end_s = piece.end_s
    for start_s, stop_s in speech:
        if stop_s > end_s + _TOUCHES_S and start_s <= end_s + AT_ONCE_S:
            end_s = min(stop_s, next_s, piece.end_s + MOST_S)
    return max(end_s, piece.end_s)
