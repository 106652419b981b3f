"""Turns from the reference transcripts of the sample calls, or from a few lines of dialogue, in the form that the steps produce."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pipelines.core.records import AudioFacts, Call, Hold, Segment, Token, Turn, Word

Line = tuple[Literal["operator", "client", "unknown"], str]


def references(folder: Path) -> list[dict[str, Any]]:
    """The references of the shipped calls, in order of their ids."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "reference").glob("*.json"))]


def call_of(reference: dict[str, Any]) -> Call:
    """The call of a reference as a log without an operator's channel gives it."""
    return Call(reference["id"], reference["centre"], "/recordings/x.wav", "0" * 64, 1, None, direction=reference["direction"])


def words_of(reference: dict[str, Any]) -> list[Word]:
    """The reference's words, spread over the time of their turn; in stereo the operator is on track 0."""
    words = []
    for turn in reference["turns"]:
        at = turn["start_s"]
        per_letter = (turn["end_s"] - turn["start_s"]) / (len(turn["text"]) + 1)
        for text in turn["text"].split():
            end = at + per_letter * (len(text) + 1)
            words.append(Word(reference["id"], _track(reference, turn), at, end - per_letter / 2, text, 0.9, turn["lang"]))
            at = end
    return words


def segments_of(reference: dict[str, Any]) -> list[Segment]:
    """A diarization without errors."""
    return [Segment(reference["id"], _track(reference, t), t["start_s"], t["end_s"], f"voice-{t['role']}") for t in reference["turns"]]


def audio_of(reference: dict[str, Any]) -> AudioFacts:
    """Plain audio facts: an even level, the reference's holds."""
    tracks = 2 if reference["layout"] == "stereo" else 1
    holds = tuple(Hold(h["start_s"], h["end_s"], "silence") for h in reference["holds"])
    return audio(reference["duration_s"], tracks, holds, reference["id"])


def audio(duration_s: float, tracks: int = 1, holds: Sequence[Hold] = (), call_id: str = "c") -> AudioFacts:
    """Audio facts with an even level on every track."""
    level = tuple(tuple([-20.0] * int(duration_s / 0.05 + 1)) for _ in range(tracks))
    return AudioFacts(call_id, duration_s, 8000, "pcm_s16le", tracks, tracks, (), tuple(holds), 0.05, level)


def dialogue(*lines: Line, language: str = "ru") -> list[Turn]:
    """Turns of a conversation, one a line: (role, text). A word takes half a second."""
    turns: list[Turn] = []
    at = 0.0
    for n, (role, text) in enumerate(lines, 1):
        tokens = []
        for word in text.split():
            tokens.append(Token(word, at, at + 0.4, 0.9))
            at += 0.5
        start = tokens[0].start_s if tokens else at
        turns.append(Turn("c", n, 0, role, role, 0.98, start, at, tuple(tokens), language, 0.9, None, False, 0.0, False))
    return turns


def _track(reference: dict[str, Any], turn: dict[str, Any]) -> int:
    return int(reference["layout"] == "stereo" and turn["role"] == "client")
