"""The rules for criteria: one function each, which returns the verdict that the evidence supports, and its strength."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

from pipelines.centres.scorecard import Criterion
from pipelines.core.records import Hold, VerdictName
from pipelines.score.call_context import (
    HINT,
    MAY_HIDE,
    ROLE_SURE,
    Case,
    Region,
    RuleResult,
    about_finding,
    absent,
    believed,
    hits,
    look_for,
    not_said,
    quoted,
    region,
    searched,
    uncovered,
)
from pipelines.score.conversation import sentiment_trend
from pipelines.score.explanations import Explanation, read_why, why
from pipelines.score.question_rule import judge_question
from pipelines.score.speech_acts import SURE, Act

_CLEARLY_FORBIDDEN = 0.84
_LEAST_PROBABILITY = 0.35  # nobody is blamed for a word with a lower probability
_BEFORE_HOLD = 2  # operator turns before a hold in which it may be announced
_CLOSING_TURNS = 2  # the operator's last turns, which are searched for a goodbye
_UNCOVERED_END_S = 0.3  # speech without words at the end of a turn: a goodbye is no longer
_PROCEDURE_PASS = ("calmed", "ended_after_warning")
_PROCEDURE_NA = ("not_needed", "client_hung_up")


def _said(case: Case, criterion: Criterion) -> RuleResult:
    return look_for(case, criterion, region(case, criterion.where))


def _not_said(case: Case, criterion: Criterion) -> RuleResult:
    """Fails by a quote; passes when the whole call was searched and nothing was found."""
    where = region(case, criterion.where)
    bad = [f for f in case.findings if f.kind in ("abuse", "forbidden_phrase") and f.role == "operator" and f.quote]
    sure = [f for f in bad if f.confidence >= SURE and f.target in (None, "client")]
    if sure:
        return about_finding(max(sure, key=lambda f: f.confidence), "fail", why("forbidden_said"))
    best = max(hits(case, criterion, where.turns), key=lambda hit: hit[1], default=None)
    if best is not None and best[1] >= HINT:
        turn = case.turn(best[0].turn_no)
        tokens = turn.tokens[best[0].first : best[0].last]
        is_recognised = turn.role_confidence >= ROLE_SURE and min(t.probability for t in tokens) >= _LEAST_PROBABILITY
        if best[1] >= _CLEARLY_FORBIDDEN and is_recognised and turn.role == "operator":
            return quoted(case, best[0], "fail", best[1], why("forbidden_said"), why("maybe_forbidden"))
        return quoted(case, best[0], "unsure", best[1], why("maybe_forbidden"))
    if bad:
        return about_finding(bad[0], "unsure", why("maybe_forbidden"))
    confidences = [t.asr_confidence for t in where.turns if t.role == "operator" for _ in t.tokens]
    if not confidences or fmean(confidences) < criterion.least_trust:
        return searched("unsure", 0.4, why("forbidden_unheard"), 0.0, case.duration_s)
    none = min(believed(fmean(confidences)), not_said(hits(case, criterion, where.turns)))
    return searched("pass", none, why("forbidden_none"), 0.0, case.duration_s, why("forbidden_unheard"))


def _identified(case: Case, criterion: Criterion) -> RuleResult:
    """Fails where account information was given to a client without any identification request; passes after one."""
    where = region(case, "anywhere")
    asked = max(hits(case, criterion, where.turns), key=lambda hit: hit[1], default=None)
    disclosed = max((a for a in case.acts if a.act == "discloses"), key=lambda a: a.confidence, default=None)
    if (
        disclosed is not None
        and disclosed.confidence >= HINT
        and (asked is None or asked[1] < SURE or disclosed.turn_no <= asked[0].turn_no)
    ):
        verdict: VerdictName = (
            "fail" if case.turn(disclosed.turn_no).role == "operator" and where.trust >= criterion.least_trust else "unsure"
        )
        return quoted(case, disclosed, verdict, disclosed.confidence, why("disclosed_unasked"), why("maybe_disclosed"))
    not_disclosed = 1 - (disclosed.confidence if disclosed is not None else 0.0)
    if asked is not None and asked[1] >= HINT:
        verdict = "pass" if case.turn(asked[0].turn_no).role == "operator" else "unsure"
        return quoted(case, asked[0], verdict, min(asked[1], not_disclosed), why("identified"), why("identity_half_heard"))
    if not criterion.acts:
        return searched("unsure", 0.4, why("identity_unclear"), 0.0, case.duration_s)
    not_asked = 1 - (asked[1] if asked is not None else 0.0)
    return RuleResult(
        "na", round(min(believed(where.trust), not_asked, not_disclosed), 3), why("identity_not_needed"), doubt=why("identity_unheard")
    )


def _hold_announced(case: Case, criterion: Criterion) -> RuleResult:
    def before(hold: Hold) -> Region | None:
        turns = [t for t in case.turns if t.role != "client" and t.tokens and t.start_s < hold.start_s][-_BEFORE_HOLD:]
        return Region(tuple(turns), turns[0].start_s, hold.start_s) if turns else None

    return _every_hold(case, criterion, before)


def _hold_thanked(case: Case, criterion: Criterion) -> RuleResult:
    def after(hold: Hold) -> Region | None:
        for turn in case.turns:
            if turn.role == "operator" and turn.tokens and turn.tokens[-1].end_s > hold.end_s:
                return Region((turn,), min(hold.end_s, turn.start_s), turn.end_s)
        return None

    return _every_hold(case, criterion, after)


def _every_hold(case: Case, criterion: Criterion, region_of: Callable[[Hold], Region | None]) -> RuleResult:
    """Evaluated for every hold: the worst result counts."""
    if not case.holds:
        return RuleResult("na", 0.95, why("no_hold"))
    answers = [look_for(case, criterion, where) for hold in case.holds if (where := region_of(hold)) is not None]
    if not answers:
        return RuleResult("na", 0.8, why("no_words_beside_hold"))
    order: Sequence[VerdictName] = ("fail", "unsure", "pass")
    return min(answers, key=lambda answer: (order.index(answer.verdict), answer.confidence))


def _farewell(case: Case, criterion: Criterion) -> RuleResult:
    found = look_for(case, criterion, region(case, "anywhere"))
    if found.verdict != "fail" or not case.turns:
        return found
    last = case.turns[-1]
    if case.call.disconnect_party == "client" and last.role == "client" and last.role_confidence >= ROLE_SURE:
        return RuleResult("na", 0.85, why("client_last"), doubt=why("goodbye_who_ended"))
    if case.call.disconnect_party not in ("operator", "client") and last.role == "client":
        return searched("unsure", 0.5, why("goodbye_who_ended"), 0.0, case.duration_s)
    closing = [t for t in case.turns if t.role != "client" and t.tokens][-_CLOSING_TURNS:]
    if closing:
        where = Region(tuple(closing), closing[0].start_s, case.duration_s)
        spoken = [(t.start_s, t.end_s) for turn in case.turns for t in turn.tokens]
        uncovered_s = (uncovered(i.start_s, i.end_s, spoken) for i in case.speech if i.end_s > closing[-1].start_s)
        swallowed = MAY_HIDE if any(gap >= _UNCOVERED_END_S for gap in uncovered_s) else 0.0
        hidden = 1 - (1 - swallowed) * not_said(hits(case, criterion, region(case, "anywhere").turns))
        return replace(absent(region(case, "anywhere"), criterion, why("not_said"), hidden), start_s=round(where.start_s, 3))
    return found


def _abuse_procedure(case: Case, criterion: Criterion) -> RuleResult:
    done = case.procedure
    reason = read_why(done.explanation_json)
    if done.outcome in _PROCEDURE_NA:
        return RuleResult("na", done.confidence, reason)
    abuse = [f for f in case.findings if f.kind == "abuse" and f.quote]
    if done.outcome == "cannot_tell":
        first = next(iter(abuse), None)
        return about_finding(first, "unsure", reason) if first else RuleResult("unsure", done.confidence, reason)
    if done.outcome in _PROCEDURE_PASS:
        warned = next((a for a in case.acts if a.act == "warn_abuse" and a.confidence >= HINT), None)
        if warned is not None:
            return quoted(case, warned, "pass", max(done.confidence, HINT), reason)
        return RuleResult("unsure", done.confidence, reason)
    by_operator = done.outcome == "operator_at_fault"
    accused = [f for f in abuse if (f.role == "operator") == by_operator]
    evidence = max(accused or abuse, key=lambda f: f.confidence, default=None)
    if evidence is None:
        return RuleResult("unsure", done.confidence, reason)
    answer = about_finding(evidence, "fail", reason)
    return replace(answer, confidence=min(answer.confidence, done.confidence))


def _good_impression(case: Case, criterion: Criterion) -> RuleResult:
    """Applies when the client began upset: the sentiment of the client's last words."""
    start, _ = sentiment_trend(case.turns, case.sentiments)
    if start is None or start > -0.3:
        return RuleResult("na", 0.7, why("not_called_upset"))
    if case.procedure.outcome in ("ended_after_warning", "client_hung_up"):
        return RuleResult("na", 0.8, why("impression_after_abuse"))
    said = {s.turn_no: s for s in case.sentiments}
    last = next((t for t in reversed(case.turns) if t.role == "client" and t.turn_no in said and t.tokens), None)
    if last is None:
        return RuleResult("unsure", 0.3, why("last_words_unheard"))
    sentiment = said[last.turn_no]
    whole = Act("impression", last.turn_no, 0, len(last.tokens), sentiment.confidence)
    if sentiment.confidence < ROLE_SURE or last.role_confidence < ROLE_SURE:
        return quoted(case, whole, "unsure", sentiment.confidence, why("last_words_either"))
    reason: Explanation = why("last_words", mood=sentiment.sentiment)
    return quoted(
        case, whole, "fail" if sentiment.sentiment == "negative" else "pass", sentiment.confidence, reason, why("last_words_either")
    )


RULES: dict[str, Callable[[Case, Criterion], RuleResult]] = {
    "said": _said,
    "request_taken": _said,
    "not_said": _not_said,
    "identified": _identified,
    "hold_announced": _hold_announced,
    "hold_thanked": _hold_thanked,
    "farewell": _farewell,
    "abuse_procedure": _abuse_procedure,
    "good_impression": _good_impression,
    "question": judge_question,
}
