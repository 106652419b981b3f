"""Speech acts and findings of a call as rows with their position and quote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.core.records import SPEECH_ACTS, AudioFacts, Call, CallRoles, Finding, PersonalData, Role, SpeechAct, Turn
from pipelines.score.quotes import sentences_of
from pipelines.score.speech_acts import Act

_CLEARLY_FORBIDDEN = 0.84
_CLEARLY_DONE = 0.8  # above the score of a plain sentence that only counts as an answer because it does nothing else


def speech_acts(turns: Sequence[Turn], acts: Iterable[Act]) -> list[SpeechAct]:
    """The clear speech acts, the most confident of each turn and act; none that would blame somebody."""
    by_no, acts = {turn.turn_no: turn for turn in turns}, list(acts)
    thanked = [act for act in acts if act.act == "hold_thanks"]
    best: dict[tuple[int, str], Act] = {}
    for act in sorted(acts, key=lambda a: (a.confidence, -a.first), reverse=True):
        if act.act == "hold_ask" and any(t.turn_no == act.turn_no and t.first <= act.first and act.last <= t.last for t in thanked):
            continue  # "thank you for waiting" does not ask anybody to wait
        if act.confidence >= _CLEARLY_DONE and act.act in SPEECH_ACTS:
            best.setdefault((act.turn_no, act.act), act)
    return [_as_row(by_no[turn_no], act) for (turn_no, _), act in sorted(best.items(), key=lambda item: item[0])]


def forbidden(turns: Sequence[Turn], acts: Iterable[Act]) -> list[Finding]:
    """The operator's words that are clearly forbidden."""
    by_no = {t.turn_no: t for t in turns}
    found = []
    for act in acts:
        turn = by_no[act.turn_no]
        if act.act == "forbidden" and act.confidence >= _CLEARLY_FORBIDDEN and turn.role == "operator":
            start_s, end_s = _span_s(turn, act.first, act.last)
            found.append(
                Finding(
                    call_id=turn.call_id,
                    kind="forbidden_phrase",
                    role=turn.role,
                    turn_no=turn.turn_no,
                    start_s=start_s,
                    end_s=end_s,
                    quote=turn.quote(act.first, act.last),
                    confidence=act.confidence,
                    detector="acts-1",
                )
            )
    return found


def personal(turns: Sequence[Turn], personal_data: Iterable[PersonalData]) -> list[Finding]:
    """The times at which personal data was said, without its content."""
    role_of: dict[int, Role] = {t.turn_no: t.role for t in turns}
    return [
        Finding(
            call_id=d.call_id,
            kind="personal_data",
            role=role_of.get(d.turn_no, "unknown"),
            turn_no=d.turn_no,
            start_s=d.start_s,
            end_s=d.end_s,
            quote=None,
            detector=f"redact:{d.kind}",
        )
        for d in personal_data
    ]


def suspect_mapping(call: Call, audio: AudioFacts, roles: CallRoles | None) -> list[Finding]:
    """A finding over the whole call where its channels seem swapped."""
    if roles is None or not roles.is_mapping_suspect:
        return []
    sure = roles.role_confidence
    return [Finding(call.call_id, "channel_mapping", "unknown", None, 0.0, audio.duration_s, None, confidence=sure, detector="roles")]


def _as_row(turn: Turn, act: Act) -> SpeechAct:
    """The act with its full sentences: "минуточку" alone is too short to listen to."""
    around = [(first, last) for first, last in sentences_of(turn) if first < act.last and act.first < last]
    first, last = min([act.first, *(one for one, _ in around)]), max([act.last, *(one for _, one in around)])
    return SpeechAct(
        turn.call_id, turn.turn_no, act.act, turn.role, *_span_s(turn, first, last), turn.quote(first, last), round(act.confidence, 3)
    )


def _span_s(turn: Turn, first: int, last: int) -> tuple[float, float]:
    tokens = turn.tokens[first:last]
    return tokens[0].start_s, max(token.end_s for token in tokens)
