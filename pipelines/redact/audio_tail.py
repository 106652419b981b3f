"""Finds how far personal data goes on in the sound where no word of it was recognised: the last digits of a card, cut off by "no, do not dictate it".

What is masked in the text ends with its last word. Speech of the same track that follows at once, and of which nothing was understood, is beeped with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipelines.core.records import AudioFacts, PersonalData, Turn

AT_ONCE_S = 0.5  # a pause of somebody who dictates
MOST_S = 4.0  # what goes on for longer is something else
_TOUCHES_S = 0.15  # the edges of speech and of words are not measured better than that


def with_tails(data: Iterable[PersonalData], turns: Sequence[Turn], audio: AudioFacts) -> list[PersonalData]:
    """The personal data of one call, each piece until the end of what was said on and not understood."""
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
    """Until when the piece is to be covered: over stretches of speech that follow at once, up to the next word on the track."""
    next_s = min((start_s for start_s, end_s in words if end_s > piece.end_s + _TOUCHES_S), default=float("inf"))
    end_s = piece.end_s
    for start_s, stop_s in speech:
        if stop_s > end_s + _TOUCHES_S and start_s <= end_s + AT_ONCE_S:
            end_s = min(stop_s, next_s, piece.end_s + MOST_S)
    return max(end_s, piece.end_s)
