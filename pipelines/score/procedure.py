"""The warn-before-hang-up procedure: an explicit state machine over one call, with probabilities.

The rule of every centre: on abuse the operator first warns; if it continues, announces that the call is being ended; only then hangs
up. The call is a sequence of events. `STEPS` defines the transitions between states, `ENDINGS` the outcome of each state by who hung
up. Every fact has a probability, so the call has many readings; `chances_of` sums the probability of each outcome over all of them. An
outcome with too low a probability is `cannot_tell`, and one that blames the operator must be nearly certain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from statistics import fmean
from typing import Any, Protocol

from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import Call, Finding, Procedure, Turn
from pipelines.score.explanations import Explanation, why

ACCUSING = frozenset({"ended_without_warning", "ended_without_notice", "operator_at_fault"})
OUTCOMES = (
    "not_needed", "calmed", "ended_after_warning", "ended_without_warning", "ended_without_notice",
    "tolerated", "client_hung_up", "operator_at_fault", "cannot_tell",
)  # fmt: skip
PARTIES = ("operator", "client", "system")
_SURE = 0.6  # a finding below this is considered both ways
_SURE_ACT = 0.78  # the same for what the operator did
_IGNORED = 0.35  # a fact below this is ignored
_ACT_IGNORED = 0.05  # the same for what the operator did: a warning is easily phrased differently
_HINT = 0.5  # words that may be a warning or an announced end
_SUSPECTED = 0.5  # from this probability that the operator abused the client, a person decides
_LEAST_MEAN_PROBABILITY = 0.65  # below this mean recognition probability of one side's words, abuse or a warning may have been missed
_RESTS_ON_A_WARNING = ("calmed", "ended_after_warning", "client_hung_up")
_RESTS_ON_NO_WARNING = ("ended_without_warning", "ended_without_notice", "tolerated")
LEAST_TO_BLAME = 0.95  # minimum probability to report an outcome that blames the operator: on held-out writers no accusation was wrong
LEAST_TO_TELL = 0.8  # the same for all others
_WORTH_NAMING = 0.05


class ActLike(Protocol):
    """The part of a speech act that this module needs (see `speech_acts.Act`)."""

    @property
    def act(self) -> str: ...
    @property
    def turn_no(self) -> int: ...
    @property
    def confidence(self) -> float: ...


class ProcedureEvent(StrEnum):
    """An event of the warn-before-hang-up procedure in a turn."""

    ABUSE = "abuse"  # the client abuses the operator or the company
    CALM = "calm"  # the client speaks without abuse
    WARN = "warn"  # the operator asks to stop and warns
    NOTICE = "notice"  # the operator says that the call is being ended
    GOODBYE = "goodbye"  # the operator says goodbye
    ANSWER = "answer"  # the operator speaks, none of the above


class ProcedureState(StrEnum):
    """The state of a call in the warn-before-hang-up procedure."""

    QUIET = "quiet"  # no abuse so far
    ABUSED = "abused"  # abuse, and the operator has not spoken since
    ANSWERED = "answered"  # abuse, the operator answered without a warning, the client has not spoken since
    PASSED = "passed"  # the operator let it pass, and the client's last words are abusive again
    REPEATED = "repeated"  # the operator let it pass more than once, the client has not spoken since
    SETTLED = "settled"  # the operator let it pass, the client has just said something without abuse
    DROPPED = "dropped"  # the operator let it pass, and the conversation continued without abuse
    CLOSED = "closed"  # the same, and the operator said goodbye
    ANNOUNCED_ONLY = "announced_only"  # the operator announced the end, but never warned
    WARNED = "warned"  # warned, the client has not spoken since
    COOLED = "cooled"  # warned, the client has just said something without abuse
    RESUMED = "resumed"  # the same, and the operator continued, the client has not spoken since
    CALMED = "calmed"  # warned, and the conversation continued without abuse
    PARTED = "parted"  # the same, and the operator said goodbye or announced the end
    WENT_ON = "went_on"  # warned, abusive again
    WARNED_AND_ANNOUNCED = "warned_and_announced"  # warned, and the end was announced


_S = ProcedureState
# state: (ABUSE, CALM, WARN, NOTICE, GOODBYE, ANSWER) -> next state
_ROWS: dict[ProcedureState, tuple[ProcedureState, ...]] = {
    _S.QUIET: (_S.ABUSED, _S.QUIET, _S.WARNED, _S.QUIET, _S.QUIET, _S.QUIET),
    _S.ABUSED: (_S.ABUSED, _S.ABUSED, _S.WARNED, _S.ANNOUNCED_ONLY, _S.ANSWERED, _S.ANSWERED),
    _S.ANSWERED: (_S.PASSED, _S.SETTLED, _S.WARNED, _S.ANNOUNCED_ONLY, _S.ANSWERED, _S.ANSWERED),
    _S.PASSED: (_S.PASSED, _S.SETTLED, _S.WARNED, _S.ANNOUNCED_ONLY, _S.CLOSED, _S.REPEATED),
    _S.REPEATED: (_S.PASSED, _S.SETTLED, _S.WARNED, _S.ANNOUNCED_ONLY, _S.CLOSED, _S.REPEATED),
    _S.SETTLED: (_S.PASSED, _S.DROPPED, _S.WARNED, _S.ANNOUNCED_ONLY, _S.CLOSED, _S.SETTLED),
    _S.DROPPED: (_S.PASSED, _S.DROPPED, _S.WARNED, _S.CLOSED, _S.CLOSED, _S.DROPPED),
    _S.CLOSED: (_S.PASSED, _S.CLOSED, _S.WARNED, _S.CLOSED, _S.CLOSED, _S.CLOSED),
    _S.ANNOUNCED_ONLY: (_S.ANNOUNCED_ONLY, _S.ANNOUNCED_ONLY, _S.WARNED, _S.ANNOUNCED_ONLY, _S.ANNOUNCED_ONLY, _S.ANNOUNCED_ONLY),
    _S.WARNED: (_S.WENT_ON, _S.COOLED, _S.WARNED, _S.WARNED_AND_ANNOUNCED, _S.WARNED_AND_ANNOUNCED, _S.WARNED),
    _S.COOLED: (_S.WENT_ON, _S.CALMED, _S.WARNED, _S.WARNED_AND_ANNOUNCED, _S.PARTED, _S.RESUMED),
    _S.RESUMED: (_S.WENT_ON, _S.CALMED, _S.WARNED, _S.WARNED_AND_ANNOUNCED, _S.PARTED, _S.RESUMED),
    _S.CALMED: (_S.WENT_ON, _S.CALMED, _S.WARNED, _S.PARTED, _S.PARTED, _S.CALMED),
    _S.PARTED: (_S.WARNED_AND_ANNOUNCED, _S.PARTED, _S.WARNED_AND_ANNOUNCED, _S.PARTED, _S.PARTED, _S.PARTED),
    _S.WENT_ON: (_S.WENT_ON, _S.COOLED, _S.WARNED, _S.WARNED_AND_ANNOUNCED, _S.WARNED_AND_ANNOUNCED, _S.WENT_ON),
    _S.WARNED_AND_ANNOUNCED: (
        _S.WARNED_AND_ANNOUNCED,
        _S.WARNED_AND_ANNOUNCED,
        _S.WARNED_AND_ANNOUNCED,
        _S.WARNED_AND_ANNOUNCED,
        _S.WARNED_AND_ANNOUNCED,
        _S.WARNED_AND_ANNOUNCED,
    ),
}
STEPS: dict[tuple[ProcedureState, ProcedureEvent], ProcedureState] = {
    (state, event): after for state, row in _ROWS.items() for event, after in zip(ProcedureEvent, row, strict=True)
}

# state: what it means when (operator, client, system) ended the call
_ENDS: dict[ProcedureState, tuple[str, str, str]] = {
    _S.QUIET: ("not_needed", "not_needed", "not_needed"),
    _S.ABUSED: ("ended_without_warning", "client_hung_up", "cannot_tell"),
    _S.ANSWERED: ("ended_without_warning", "client_hung_up", "cannot_tell"),
    _S.PASSED: ("ended_without_warning", "client_hung_up", "tolerated"),
    _S.REPEATED: ("ended_without_warning", "tolerated", "tolerated"),
    _S.SETTLED: ("ended_without_warning", "tolerated", "tolerated"),
    _S.DROPPED: ("tolerated", "tolerated", "tolerated"),
    _S.CLOSED: ("tolerated", "tolerated", "tolerated"),
    _S.ANNOUNCED_ONLY: ("ended_without_warning", "client_hung_up", "cannot_tell"),
    _S.WARNED: ("ended_without_notice", "client_hung_up", "cannot_tell"),
    _S.COOLED: ("cannot_tell", "client_hung_up", "calmed"),
    _S.RESUMED: ("cannot_tell", "calmed", "calmed"),
    _S.CALMED: ("calmed", "calmed", "calmed"),
    _S.PARTED: ("calmed", "calmed", "calmed"),
    _S.WENT_ON: ("ended_without_notice", "client_hung_up", "cannot_tell"),
    _S.WARNED_AND_ANNOUNCED: ("ended_after_warning", "client_hung_up", "cannot_tell"),
}
ENDINGS: dict[tuple[ProcedureState, str], str] = {
    (state, party): outcome for state, row in _ENDS.items() for party, outcome in zip(PARTIES, row, strict=True)
}


@dataclass(frozen=True, slots=True)
class ProcedureRule:
    """The warn-before-hang-up rule of one centre; the defaults are the rule that all five share."""

    warnings: int = 1
    is_notice_required: bool = True
    severities: tuple[str, ...] = ("profanity", "insult", "threat")
    targets: tuple[str, ...] = ("operator", "company")
    threat_ends_at_once: bool = False  # a threat may be answered by hanging up at once

    @classmethod
    def of(cls, config: object) -> ProcedureRule:
        """The rule in a centre's `procedure` settings: a mapping, an object with the same names, or None for the defaults.

        Raises MisconfiguredError with the invalid name or value.
        """
        if isinstance(config, cls):
            return config
        names = {f.name for f in fields(cls)}
        given = config if isinstance(config, dict) else {n: getattr(config, n) for n in names if hasattr(config, n)}
        values: dict[str, Any] = dict(given)
        if unknown := sorted(set(values) - names):
            raise MisconfiguredError(f"procedure: {unknown[0]!r} is not a setting; allowed: {', '.join(sorted(names))}.")
        for name, allowed in (("severities", cls().severities), ("targets", (*cls().targets, "other"))):
            values[name] = tuple(values.get(name, getattr(cls(), name)))
            if wrong := [v for v in values[name] if v not in allowed]:
                raise MisconfiguredError(f"procedure: {name} has {wrong[0]!r}; allowed: {', '.join(allowed)}.")
        rule = cls(**values)
        if rule.warnings < 1:
            raise MisconfiguredError(f"procedure: warnings is {rule.warnings}; it must be 1 or more.")
        return rule


@dataclass(frozen=True, slots=True)
class ProcedureStep:
    """One event of the call; `confidence` below certainty makes it one of two readings."""

    turn_no: int
    event: ProcedureEvent
    otherwise: ProcedureEvent | None = None  # the event if the uncertain fact is wrong
    confidence: float = 1.0
    is_threat: bool = False


def judge_procedure(
    call: Call, turns: Sequence[Turn], findings: Sequence[Finding], acts: Sequence[ActLike], config: object = None
) -> Procedure:
    """The outcome of the warn-before-hang-up rule: outcome, times in seconds, confidence 0 to 1 and an explanation.

    Args:
        call: has `disconnect_party`, from the exchange; it is never guessed.
        turns: the turns of the call.
        findings: of kind `abuse`; other kinds are ignored.
        acts: of the operator; `warn_abuse`, `end_notice`, `farewell` and `operator_abuse` matter.
        config: the centre's `procedure` settings (see ProcedureRule).
    """
    rule = ProcedureRule.of(config)
    abuse = [f for f in findings if f.kind == "abuse" and f.confidence >= _IGNORED]
    at_client = [f for f in abuse if f.role == "operator" and f.target == "client"]
    by_client = [f for f in abuse if f.role != "operator" and f.target in rule.targets and f.severity in rule.severities]
    steps = read_events(turns, by_client, acts)
    outcome, confidence, reason = _decide(call.disconnect_party, steps, rule)
    trusted = {t.turn_no: t.role_confidence for t in turns}
    blame = max((min(f.confidence, trusted.get(f.turn_no or 0, 0.0)) for f in at_client), default=0.0)
    if blame >= _SURE:
        outcome, confidence, reason = "operator_at_fault", blame, why("operator_at_fault")
    elif (blame > 0 and outcome != "not_needed") or max(
        (a.confidence for a in acts if a.act == "operator_abuse"), default=0.0
    ) >= _SUSPECTED:
        outcome, confidence, reason = "cannot_tell", 1 - blame, why("maybe_operator_at_fault")
    if (missed := _missed_speech(outcome, turns, steps)) is not None:
        outcome, confidence, reason = "cannot_tell", 0.4, missed
    first_abuse = min((f.start_s for f in by_client), default=None)
    return Procedure(
        call_id=call.call_id,
        outcome=outcome,
        warned_at_s=_when(turns, acts, "warn_abuse", None),
        ended_notice_at_s=_when(turns, acts, "end_notice", first_abuse),
        confidence=round(confidence, 3),
        explanation=reason.text,
        explanation_json=reason.as_json,
    )


def _missed_speech(outcome: str, turns: Sequence[Turn], steps: Sequence[ProcedureStep]) -> Explanation | None:
    """The reason why an outcome cannot be reported: it depends on what somebody did not say, and too few of their words were recognised."""
    sure = [s for s in steps if s.confidence >= _SURE]
    abused = min((s.turn_no for s in sure if s.event is ProcedureEvent.ABUSE), default=None)
    warned = min((s.turn_no for s in sure if s.event is ProcedureEvent.WARN), default=None)
    if outcome == "not_needed" and _is_badly_recognised(turns, "client"):
        return why("abuse_may_be_unheard")
    if outcome in _RESTS_ON_A_WARNING and abused is None and warned is not None:  # the operator's word is the only evidence
        before = [t for t in turns if t.turn_no < warned]
        said_nothing = not any(t.tokens for t in before if t.role != "operator")
        if said_nothing or _is_badly_recognised(before, "client") or _is_badly_recognised(turns, "client"):
            return why("abuse_may_be_unheard")
    if outcome == "calmed" and _is_badly_recognised(turns, "client"):
        return why("abuse_may_have_gone_on")
    if outcome in _RESTS_ON_NO_WARNING and _is_badly_recognised([t for t in turns if t.turn_no > (abused or 0)], "operator"):
        return why("warning_may_be_unheard")
    return None


def _is_badly_recognised(turns: Iterable[Turn], role: str) -> bool:
    """Whether the words of one side, or of an unknown speaker, are recognised too poorly to rule anything out."""
    probabilities = [token.probability for turn in turns if turn.role in (role, "unknown") for token in turn.tokens]
    return bool(probabilities) and fmean(probabilities) < _LEAST_MEAN_PROBABILITY


def read_events(turns: Sequence[Turn], by_client: Iterable[Finding], acts: Iterable[ActLike]) -> list[ProcedureStep]:
    """The events of a call in order, one per turn (an abusive turn of an unknown speaker is uncertain)."""
    worst: dict[int, Finding] = {}
    for f in by_client:
        if f.turn_no is not None and (f.turn_no not in worst or f.confidence > worst[f.turn_no].confidence):
            worst[f.turn_no] = f
    done: dict[int, dict[str, float]] = {}
    for act in acts:
        if act.confidence >= _ACT_IGNORED:
            here = done.setdefault(act.turn_no, {})
            here[act.act] = max(here.get(act.act, 0.0), act.confidence)
    steps: list[ProcedureStep] = []
    for turn in sorted(turns, key=lambda t: t.turn_no):
        finding, did = worst.get(turn.turn_no), done.get(turn.turn_no, {})
        if finding is not None and turn.role != "operator":
            known = turn.role == "client" and turn.role_confidence >= _SURE
            sure = finding.confidence if known else min(finding.confidence, _HINT)
            steps.append(ProcedureStep(turn.turn_no, ProcedureEvent.ABUSE, ProcedureEvent.CALM, sure, finding.severity == "threat"))
        elif turn.role == "operator" or (turn.role == "unknown" and did):
            for name, event in (
                ("warn_abuse", ProcedureEvent.WARN),
                ("end_notice", ProcedureEvent.NOTICE),
                ("farewell", ProcedureEvent.GOODBYE),
            ):
                # a warning mentions the end of the call; that is not a notice yet, unless nothing came after it
                is_echo = (
                    event is not ProcedureEvent.WARN
                    and did.get("warn_abuse", 0.0) >= _HINT
                    and any(t.turn_no > turn.turn_no and t.role == "client" for t in turns)
                )
                if name in did and not is_echo:
                    steps.append(
                        ProcedureStep(
                            turn.turn_no, event, ProcedureEvent.ANSWER, did[name] if turn.role == "operator" else min(did[name], _HINT)
                        )
                    )
            if not did.keys() & {"warn_abuse", "end_notice", "farewell"}:
                steps.append(ProcedureStep(turn.turn_no, ProcedureEvent.ANSWER))
        elif turn.role == "client":
            steps.append(ProcedureStep(turn.turn_no, ProcedureEvent.CALM))
    return steps


def follow(events: Iterable[ProcedureEvent]) -> ProcedureState:
    """The state of a call after a sequence of events."""
    state = ProcedureState.QUIET
    for event in events:
        state = STEPS[state, event]
    return state


def outcome_of(events: Sequence[ProcedureEvent], party: str, rule: ProcedureRule, had_threat: bool = False) -> str:
    """The outcome of one certain reading of a call, when `party` (operator, client or system) ended it."""
    return _outcome_at(follow(events), sum(e is ProcedureEvent.WARN for e in events), had_threat, party, rule)


def _outcome_at(state: ProcedureState, warnings: int, had_threat: bool, party: str, rule: ProcedureRule) -> str:
    if party not in PARTIES:
        met = {_outcome_at(state, warnings, had_threat, p, rule) for p in PARTIES}
        return met.pop() if len(met) == 1 else "cannot_tell"
    outcome = ENDINGS[state, party]
    if outcome in ("ended_without_notice", "ended_after_warning") and warnings < rule.warnings:
        outcome = "ended_without_warning"
    if outcome == "ended_without_notice" and not rule.is_notice_required:
        outcome = "ended_after_warning" if state is ProcedureState.WENT_ON else "cannot_tell"
    if outcome in ("ended_without_warning", "ended_without_notice") and had_threat and rule.threat_ends_at_once:
        outcome = "not_needed"
    return outcome


def chances_of(steps: Iterable[ProcedureStep], party: str, rule: ProcedureRule) -> dict[str, float]:
    """The probability of each outcome over all readings of the call, where each step is true with its own probability."""
    at: dict[tuple[ProcedureState, int, bool], float] = {(ProcedureState.QUIET, 0, False): 1.0}
    for step in steps:
        after: defaultdict[tuple[ProcedureState, int, bool], float] = defaultdict(float)
        readings = [(step.event, step.confidence if step.otherwise is not None else 1.0)]
        if step.otherwise is not None:
            readings.append((step.otherwise, 1 - step.confidence))
        for (state, warnings, had_threat), before in at.items():
            for event, chance in readings:
                is_threat = step.is_threat and event is ProcedureEvent.ABUSE
                after[STEPS[state, event], warnings + (event is ProcedureEvent.WARN), had_threat or is_threat] += before * chance
        at = after
    chances: defaultdict[str, float] = defaultdict(float)
    for (state, warnings, had_threat), chance in at.items():
        chances[_outcome_at(state, warnings, had_threat, party, rule)] += chance
    return dict(chances)


def _decide(party: str, steps: Sequence[ProcedureStep], rule: ProcedureRule) -> tuple[str, float, Explanation]:
    abused = [s for s in steps if s.event is ProcedureEvent.ABUSE]
    warned = [s for s in steps if s.event is ProcedureEvent.WARN]
    if not abused:
        return _without_abuse(party, steps, rule, warned)
    chances = chances_of(steps, party, rule)
    outcome = max(chances, key=lambda name: chances[name])
    chance = chances[outcome]
    if outcome == "cannot_tell":
        return outcome, chance, why("who_hung_up_decides") if party not in PARTIES else why("too_doubtful")
    if chance < (LEAST_TO_BLAME if outcome in (*ACCUSING, "tolerated") else LEAST_TO_TELL):
        likely = tuple(sorted(name for name, p in chances.items() if p >= _WORTH_NAMING))
        return "cannot_tell", chance, why("doubts_decide", outcomes=likely) if len(likely) > 1 else why("too_doubtful")
    if outcome == "ended_without_warning" and any(s.confidence >= _SURE for s in warned):
        return outcome, chance, why("too_few_warnings", given=len(warned), needed=rule.warnings)
    return outcome, chance, why("abuse_too_uncertain") if outcome == "not_needed" else why(outcome)


def _without_abuse(
    party: str, steps: Sequence[ProcedureStep], rule: ProcedureRule, warned: Sequence[ProcedureStep]
) -> tuple[str, float, Explanation]:
    """The outcome when no abuse was found: nothing was due, unless the operator's own warning suggests that there was some."""
    sure = max((s.confidence for s in warned), default=0.0)
    if sure < _SURE_ACT:
        return "not_needed", 0.9, why("not_needed")
    outcome = outcome_of([s.event for s in steps], party, rule)
    if outcome in ACCUSING or outcome == "cannot_tell":
        return "cannot_tell", 0.4, why("warned_but_abuse_unheard")
    return outcome, min(sure, 0.6), why("abuse_unheard", outcome=why(outcome))


def _when(turns: Sequence[Turn], acts: Iterable[ActLike], name: str, after_s: float | None) -> float | None:
    starts = {t.turn_no: t.start_s for t in turns}
    times = [starts[a.turn_no] for a in acts if a.act == name and a.turn_no in starts and a.confidence >= _SURE_ACT]
    return min((t for t in times if after_s is None or t >= after_s), default=None)
