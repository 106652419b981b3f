"""Conversation metrics without judgement: talk time, interruptions, dead air."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from pipelines.core.intervals import length_s, union
from pipelines.core.records import AudioFacts, Finding, Role, Turn, TurnSentiment

DETECTOR = "conversation-1"
_VALUE = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
_QUOTE_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Conversation:
    """The metrics of one conversation; durations in seconds, ratios 0 to 1 of the time that anybody speaks."""

    handling_time_s: float
    operator_talk_ratio: float | None
    client_talk_ratio: float | None
    overlap_ratio: float
    dead_air_s: float
    hold_s: float
    operator_words_per_min: float | None
    client_words_per_min: float | None
    interruptions_by_operator: int
    interruptions_by_client: int
    client_sentiment_start: float | None
    client_sentiment_end: float | None
    asr_confidence: float


def measure(audio: AudioFacts, turns: Sequence[Turn], sentiments: Iterable[TurnSentiment], least_dead_air_s: float = 5.0) -> Conversation:
    """The metrics of one call. Ratios are None when nobody with that role spoke."""
    talk = {role: length_s(union((t.start_s, t.end_s) for t in turns if t.role == role)) for role in ("operator", "client")}
    anyone = length_s(union((t.start_s, t.end_s) for t in turns))
    each = sum(length_s(union((t.start_s, t.end_s) for t in turns if t.speaker == speaker)) for speaker in {t.speaker for t in turns})
    words = {role: sum(len(t.tokens) for t in turns if t.role == role) for role in talk}
    start, end = sentiment_trend(turns, sentiments)
    return Conversation(
        handling_time_s=round(audio.duration_s, 3),
        operator_talk_ratio=_ratio(talk["operator"], anyone),
        client_talk_ratio=_ratio(talk["client"], anyone),
        overlap_ratio=_ratio(max(0.0, each - anyone), anyone) or 0.0,
        dead_air_s=round(sum(e - s for s, e in dead_air(audio, turns, least_dead_air_s)), 3),
        hold_s=round(sum(h.end_s - h.start_s for h in audio.holds), 3),
        operator_words_per_min=_rate(words["operator"], talk["operator"]),
        client_words_per_min=_rate(words["client"], talk["client"]),
        interruptions_by_operator=sum(t.interrupts for t in turns if t.role == "operator"),
        interruptions_by_client=sum(t.interrupts for t in turns if t.role == "client"),
        client_sentiment_start=start,
        client_sentiment_end=end,
        asr_confidence=round(fmean([t.asr_confidence for t in turns]), 3) if turns else 0.0,
    )


def find_events(audio: AudioFacts, turns: Sequence[Turn], least_dead_air_s: float = 5.0) -> list[Finding]:
    """Raised voices of clients, interruptions, and dead air, in order of time.

    An operator's voice level is shown in its turn and is never a finding: no employee's emotions are inferred from the voice.
    """
    found: list[Finding] = []
    for turn in turns:
        if not turn.tokens:
            continue
        if turn.raised_voice and turn.role == "client":
            found.append(_about(turn, "raised_voice", turn.role_confidence))
        if turn.interrupts:
            found.append(_about(turn, "interruption", turn.role_confidence))
    call_id = turns[0].call_id if turns else audio.call_id
    for start, end in dead_air(audio, turns, least_dead_air_s):
        found.append(Finding(call_id, "dead_air", "unknown", None, round(start, 3), round(end, 3), None, detector=DETECTOR))
    return sorted(found, key=lambda f: (f.start_s, f.kind))


def dead_air(audio: AudioFacts, turns: Sequence[Turn], least_s: float = 5.0) -> list[tuple[float, float]]:
    """Stretches of at least `least_s` seconds between the first and the last word where nobody speaks and the client is not on hold."""
    speech = union([(i.start_s, i.end_s) for i in audio.speech] + [(t.start_s, t.end_s) for t in turns])
    if not speech:
        return []
    busy = union(speech + [(h.start_s, h.end_s) for h in audio.holds])
    first, last = speech[0][0], speech[-1][1]
    return [(a[1], b[0]) for a, b in pairwise(busy) if b[0] - a[1] >= least_s and a[1] >= first and b[0] <= last]


def sentiment_trend(turns: Sequence[Turn], sentiments: Iterable[TurnSentiment]) -> tuple[float | None, float | None]:
    """The client's mean sentiment in the first and in the last third of the client's turns, -1 to 1; None without client turns."""
    said = {s.turn_no: _VALUE[s.sentiment] * s.confidence for s in sentiments}
    values = [said[t.turn_no] for t in turns if t.role == "client" and t.turn_no in said]
    if not values:
        return None, None
    third = max(1, round(len(values) / 3))
    return round(fmean(values[:third]), 3), round(fmean(values[-third:]), 3)


def _about(turn: Turn, kind: str, confidence: float) -> Finding:
    role: Role = turn.role
    last = min(len(turn.tokens), _QUOTE_TOKENS)
    return Finding(
        call_id=turn.call_id, kind=kind, role=role, turn_no=turn.turn_no, start_s=turn.start_s, end_s=turn.end_s,
        quote=turn.quote(0, last), confidence=round(confidence, 3), detector=DETECTOR,
    )  # fmt: skip


def _ratio(part_s: float, whole_s: float) -> float | None:
    return round(min(1.0, part_s / whole_s), 3) if whole_s > 0 and part_s > 0 else (0.0 if whole_s > 0 else None)


def _rate(words: int, seconds: float) -> float | None:
    return round(60 * words / seconds, 1) if seconds > 1.0 else None
