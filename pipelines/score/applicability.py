"""The probability that a criterion applies to a call: its conditions, each with the probability that it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from pipelines.centres.log_conditions import fits_direction, fits_line, is_at_night
from pipelines.centres.profile import Centre
from pipelines.centres.scorecard import Applies
from pipelines.core.records import Call, Finding, Procedure, Turn, TurnSentiment
from pipelines.score.combination import load_combination, negative_features
from pipelines.score.explanations import Explanation, why
from pipelines.score.topic import Ranking

_ENDED_BY_ABUSE = ("ended_after_warning", "ended_without_warning", "ended_without_notice", "client_hung_up")
_NOT_READ = 0.15  # the probability that a turn without a sentiment is negative
_OF_DOUBT = {"neutral": 0.8, "positive": 0.2}  # the share of the doubt about another sentiment that is negative
_ENDED_UNRECOGNISED = 0.25  # a badly recognised call that the client did not end may have ended over abuse that was not recognised


@dataclass(frozen=True, slots=True)
class Likely:
    """The probability (0 to 1) that a criterion applies, and the condition that decides most."""

    probability: float
    because: Explanation


def how_likely(
    applies: Applies,
    call: Call,
    centre: Centre,
    turns: Sequence[Turn],
    topic: Ranking,
    sentiments: Iterable[TurnSentiment],
    findings: Iterable[Finding],
    procedure: Procedure,
) -> Likely:
    """The probability that all conditions hold together, and the least likely of them in words."""
    sentiments, findings = list(sentiments), list(findings)
    chances: list[tuple[float, Explanation]] = []
    if applies.topics:
        wanted = applies.topics
        chances.append((topic.probability(lambda t: t in wanted), _off_topic(topic, wanted)))
    if applies.except_topics:
        unwanted = applies.except_topics
        is_spared = topic.best in unwanted
        reason = why("because_topic_is_spared", topic=topic.best) if is_spared else why("because_topic_is_doubtful", topic=topic.best)
        chances.append((topic.probability(lambda t: t not in unwanted), reason))
    if applies.directions:
        chances.append((float(fits_direction(applies, call)), why("because_of_direction", direction=call.direction)))
    if applies.lines:
        chances.append((float(fits_line(applies, call)), why("because_of_line", line=call.line or "")))
    if applies.is_night is not None:
        chances.append(_night(call, centre, applies.is_night))
    if applies.upset_client is not None:
        by_topic = topic.probability(lambda t: t in centre.upsetting_topics)
        upset = 1 - (1 - by_topic) * (1 - _several_negative(turns, sentiments))
        if applies.upset_client:
            chances.append((upset, why("because_not_upset")))
        else:
            chances.append((1 - upset, why("because_upset")))
    if applies.rude_client is not None:
        rude = max((f.confidence for f in findings if f.kind == "abuse" and f.role != "operator"), default=0.0)
        rude = max(rude, _several_negative(turns, sentiments))
        chances.append((rude, why("because_not_rude")) if applies.rude_client else (1 - rude, why("because_rude")))
    if applies.considerate_client is not None:
        kind = _considerate(turns, sentiments, findings)
        chances.append((kind, why("because_not_considerate")) if applies.considerate_client else (1 - kind, why("because_considerate")))
    if applies.unless_ended_by_abuse:
        ended = procedure.confidence if procedure.outcome in _ENDED_BY_ABUSE else 0.0
        if procedure.outcome == "cannot_tell":
            was_abusive = any(f.kind == "abuse" and f.role != "operator" for f in findings)
            ended = 0.5 if was_abusive else _ENDED_UNRECOGNISED if call.disconnect_party != "client" else 0.0
        chances.append((1 - ended, why("because_ended_by_abuse")))
    if not chances:
        return Likely(1.0, why("because_always"))
    return Likely(prod(p for p, _ in chances), min(chances, key=lambda c: c[0])[1])


def _off_topic(topic: Ranking, wanted: tuple[str, ...]) -> Explanation:
    """The reason why a criterion for certain topics may not apply: another topic, or one of them with low confidence."""
    if topic.best in wanted:
        return why("because_topic_is_doubtful", topic=topic.best)
    return why("because_of_topic", topic=topic.best, topics=wanted)


def _night(call: Call, centre: Centre, wanted: bool) -> tuple[float, Explanation]:
    is_night = is_at_night(call, centre)
    if is_night is None:
        return 0.5, why("because_hour_is_unknown")
    return float(is_night == wanted), why("because_by_day") if not is_night else why("because_by_night")


def several_negative(turns: Sequence[Turn], sentiments: Iterable[TurnSentiment]) -> float:
    """The probability that at least two of the client's turns are negative, if each turn is so independently of the others."""
    read = {s.turn_no: s for s in sentiments}
    none, one = 1.0, 0.0
    for turn in turns:
        if turn.role == "client" and turn.tokens:
            p = _negative(read.get(turn.turn_no))
            none, one = none * (1 - p), one * (1 - p) + none * p
    return 1 - none - one


def _negative(read: TurnSentiment | None) -> float:
    """The probability that a turn is negative."""
    if read is None:
        return _NOT_READ
    return read.confidence if read.sentiment == "negative" else _OF_DOUBT[read.sentiment] * (1 - read.confidence)


def _several_negative(turns: Sequence[Turn], sentiments: Iterable[TurnSentiment]) -> float:
    """The same probability, as measured on held-out writers: turns of a call are not independent."""
    return load_combination().several_negative.chance(negative_features(several_negative(turns, sentiments)))


def _considerate(turns: Sequence[Turn], sentiments: Iterable[TurnSentiment], findings: Iterable[Finding]) -> float:
    clients = {t.turn_no for t in turns if t.role == "client"}
    if any(f.kind == "abuse" and f.role == "client" for f in findings):
        return 0.0
    return float(any(s.sentiment == "positive" and s.confidence >= 0.5 for s in sentiments if s.turn_no in clients))
