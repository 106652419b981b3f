"""Calls written as spoken dialogue: turns with even word times, for tests of judgement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipelines.core.records import AudioFacts, Call, Hold, Interval, Role, Token, Turn, TurnSentiment

WORD_S = 0.4


def turns_of(*said: tuple[str, str], language: str = "ru", heard: float = 0.95, role_confidence: float = 0.95) -> list[Turn]:
    """Turns from ("operator", "text") pairs, one after another; "operator+12" begins 12 seconds later."""
    turns: list[Turn] = []
    at = 1.0
    for number, (who, text) in enumerate(said, 1):
        role, _, pause = who.partition("+")
        at += float(pause or 0.3)
        words = text.split()
        tokens = tuple(Token(w, at + n * WORD_S, at + (n + 1) * WORD_S, heard) for n, w in enumerate(words))
        end = at + len(words) * WORD_S
        named: Role = "operator" if role == "operator" else "client" if role == "client" else "unknown"
        turns.append(
            Turn(
                call_id="c-1",
                turn_no=number,
                track=0,
                speaker=role,
                role=named,
                role_confidence=role_confidence,
                start_s=at,
                end_s=end,
                tokens=tokens,
                language=language,
                asr_confidence=heard,
                voice_level_db=0.0,
                raised_voice=False,
                overlap_s=0.0,
                interrupts=False,
            )
        )
        at = end
    return turns


def call_of(centre: str, **given: object) -> Call:
    """A call of a centre at noon, hung up by the client."""
    values: dict[str, object] = {
        "call_id": "c-1",
        "centre_id": centre,
        "recording": "/x/c-1.wav",
        "recording_sha256": "0" * 64,
        "size_bytes": 1,
        "started_at": datetime.fromisoformat("2025-03-03T12:00:00+03:00"),
        "disconnect_party": "client",
        **given,
    }
    return Call(**values)  # type: ignore[arg-type]


def audio_of(turns: Sequence[Turn], holds: Sequence[Hold] = ()) -> AudioFacts:
    """The sound that such turns would have."""
    end = max((t.end_s for t in turns), default=0.0) + 1.0
    speech = tuple(Interval(0, t.start_s, t.end_s) for t in turns)
    return AudioFacts("c-1", end, 8000, "pcm_s16le", 1, 1, speech, tuple(holds), 0.1, ((),))


def sentiments_of(turns: Sequence[Turn], **by_turn: str) -> list[TurnSentiment]:
    """Sentiments: t3="negative" names turn 3; all others are neutral."""
    return [
        TurnSentiment("c-1", t.turn_no, by_turn.get(f"t{t.turn_no}", "neutral"), 0.9)  # type: ignore[arg-type]
        for t in turns
    ]
