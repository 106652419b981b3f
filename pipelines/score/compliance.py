"""Whether the operator kept to the script: each criterion of the centre's scorecard asked of one call, answered with its evidence.

A wrong fail is the worst thing that can happen here. So a pass needs a quote, a fail by absence needs a stretch of the call that was heard
well enough to have shown it, and everything between goes to a person as `unsure`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from pipelines.records import Call, Finding, Hold, Interval, Procedure, Role, Turn, TurnSentiment, Verdict, VerdictName
from pipelines.score.acts import OPENING_TURNS, SURE, Act, find_own_phrases
from pipelines.score.applicability import Likely, how_likely
from pipelines.score.conversation import sentiment_trend
from pipelines.score.reasons import Why, read_why, why
from pipelines.score.scorecard import Centre, Criterion
from pipelines.score.topic import Ranking

_HINT = 0.5  # an act found with less than this says nothing
_YES = 0.7  # a condition likelier than this holds; see `Criterion.na_below` for when it does not
_LEAST_CERTAIN = 0.6  # a point that is less certain is not decided
_YES_TO_FAIL = 0.85  # and before silence is a fail it must be likelier than this
_HOLD_SLACK_S = 0.5
_BEFORE_HOLD = 2  # operator turns before a hold in which it may be announced
_ROLE_SURE = 0.6
_DOUBTED_WORD = 0.7  # recognition probability under which a word may be another
_UNHEARD_S = 0.7  # speech this long without words may be a name
_UNHEARD_END_S = 0.3  # at the end of a turn a goodbye takes less
_CLOSING_TURNS = 2  # the operator's last turns, where a goodbye is looked for
_IDENTITY = ("[ACCOUNT]", "[NAME]", "[CODE_WORD]", "[ADDRESS]", "[PASSPORT]", "[BIRTH_DATE]")
_PROCEDURE_PASS = ("calmed", "ended_after_warning")
_PROCEDURE_NA = ("not_needed", "client_hung_up")


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is known of one call when it is judged."""

    call: Call
    centre: Centre
    turns: tuple[Turn, ...]
    acts: tuple[Act, ...]
    findings: tuple[Finding, ...]
    procedure: Procedure
    sentiments: tuple[TurnSentiment, ...]
    holds: tuple[Hold, ...]
    topic: Ranking
    client_type: Ranking
    duration_s: float
    speech: tuple[Interval, ...] = ()  # where somebody speaks, as the sound says

    def turn(self, turn_no: int) -> Turn:
        """One turn by its number."""
        return next(t for t in self.turns if t.turn_no == turn_no)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says of one call."""

    verdict: VerdictName
    confidence: float
    reason: Why
    quote: str | None = None
    role: Role | None = None
    turn_no: int | None = None
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of the call in which something was looked for."""

    turns: tuple[Turn, ...]
    start_s: float
    end_s: float

    @property
    def trust(self) -> float:
        """How well the words there were heard and ascribed, 0 to 1; 0 when the operator says nothing there."""
        heard = [t.asr_confidence for t in self.turns if t.role == "operator" for _ in t.tokens]
        if not heard or any(t.role == "unknown" for t in self.turns):
            return 0.0
        return fmean(heard) if min(t.role_confidence for t in self.turns if t.role == "operator") >= _ROLE_SURE else 0.0


def judge(case: Case) -> list[Verdict]:
    """The verdict on every criterion of the centre's scorecard, in its order."""
    return [_verdict(case, criterion) for criterion in case.centre.scorecard.criteria]


def _verdict(case: Case, criterion: Criterion) -> Verdict:
    likely = how_likely(criterion.applies, case.call, case.centre, case.turns, case.topic, case.sentiments, case.findings, case.procedure)
    if likely.probability <= criterion.na_below:
        answer = Answer("na", round(1 - likely.probability, 3), why("not_asked", because=likely.because))
    else:
        answer = RULES[criterion.rule](case, criterion)
        least = _YES_TO_FAIL if answer.verdict == "fail" and answer.quote is None else _YES
        if likely.probability < least and answer.verdict in ("pass", "fail"):
            answer = _doubt(answer, likely)
    if answer.verdict in ("pass", "fail") and answer.confidence < _LEAST_CERTAIN and criterion.rule != "abuse_procedure":
        answer = replace(answer, verdict="unsure", reason=why("half_heard"))  # the procedure weighs its own doubts
    decided = answer.verdict in ("pass", "fail")
    return Verdict(
        call_id=case.call.call_id,
        scorecard_id=case.centre.scorecard.scorecard_id,
        scorecard_version=case.centre.scorecard.version,
        criterion_id=criterion.criterion_id,
        verdict=answer.verdict,
        confidence=round(min(answer.confidence, likely.probability if decided else 1.0), 3),
        points=criterion.weight if answer.verdict == "pass" else 0.0,
        max_points=0.0 if answer.verdict == "na" else criterion.weight,
        quote=answer.quote,
        role=answer.role,
        turn_no=answer.turn_no,
        start_s=answer.start_s,
        end_s=answer.end_s,
        explanation=answer.reason.text,
        explanation_json=answer.reason.as_json,
    )


def _doubt(answer: Answer, likely: Likely) -> Answer:
    return Answer(
        "unsure", 1 - abs(2 * likely.probability - 1), why("maybe_not_asked", because=likely.because),
        answer.quote, answer.role, answer.turn_no, answer.start_s, answer.end_s,
    )  # fmt: skip


def _said(case: Case, criterion: Criterion) -> Answer:
    return _look_for(case, criterion, _region(case, criterion.where))


def _look_for(case: Case, criterion: Criterion, region: Region) -> Answer:
    """A pass with its quote, a fail by absence with what was searched, or unsure."""
    best = max(_hits(case, criterion, region.turns), key=lambda hit: hit[1], default=None)
    if best is not None:
        act, confidence = best
        if confidence >= SURE and case.turn(act.turn_no).role == "operator":
            return _quoted(case, act, "pass", confidence, why("said"))
        if confidence >= _HINT:
            return _quoted(case, act, "unsure", confidence, why("half_heard"))
    if criterion.where == "opening" and _may_hide(case, region.turns, region.start_s, region.end_s):
        return _hidden(region)
    return _absent(region, criterion, why("not_said"))


def _may_hide(case: Case, turns: Sequence[Turn], start_s: float, end_s: float, unheard_s: float = _UNHEARD_S) -> bool:
    """Whether a few words may be said there unheard: a word that recognition doubts and nothing explains, or speech without words."""
    for turn in turns:
        explained = {n for a in case.acts if a.turn_no == turn.turn_no and a.confidence >= SURE for n in range(a.first, a.last)}
        for n, token in enumerate(turn.tokens):
            if n not in explained and token.probability < _DOUBTED_WORD and len(token.text) > 2:
                return True
    heard = [(t.start_s, t.end_s) for turn in case.turns for t in turn.tokens]
    return any(_uncovered(i.start_s, i.end_s, heard) >= unheard_s for i in case.speech if i.end_s > start_s and i.start_s < end_s)


def _uncovered(start_s: float, end_s: float, heard: Iterable[tuple[float, float]]) -> float:
    """The longest stretch of an interval that no word covers."""
    at, longest = start_s, 0.0
    for since, until in sorted(heard):
        if until > at and since < end_s:
            longest = max(longest, since - at)
            at = max(at, until)
    return max(longest, end_s - at)


def _hidden(region: Region) -> Answer:
    reason = why("may_be_hidden")
    return Answer("unsure", 0.5, reason, None, "operator", None, round(region.start_s, 3), round(region.end_s, 3))


def _hits(case: Case, criterion: Criterion, turns: Sequence[Turn]) -> list[tuple[Act, float]]:
    """What answers a criterion in some turns, with how sure each is; a later mention of equal strength does not displace an earlier."""
    numbers = {t.turn_no: t for t in turns}
    acts = [a for a in case.acts if a.act in criterion.acts and a.turn_no in numbers]
    if criterion.phrases:
        acts += find_own_phrases([t for t in turns if t.role != "client"], criterion.phrases)
    return [(a, a.confidence * (1.0 if numbers[a.turn_no].role == "operator" else 0.75)) for a in acts]


def _region(case: Case, where: str) -> Region:
    turns = [t for t in case.turns if t.role != "client" and t.tokens]
    if where == "opening":
        kept: list[Turn] = []
        for turn in turns:
            if sum(t.role == "operator" for t in kept) == OPENING_TURNS:
                break
            kept.append(turn)
        return Region(tuple(kept), 0.0, kept[-1].end_s if kept else case.duration_s)
    return Region(tuple(turns), 0.0, case.duration_s)


def _absent(region: Region, criterion: Criterion, reason: Why) -> Answer:
    trust = region.trust
    if trust >= criterion.least_trust:
        return Answer("fail", round(min(trust, 0.95), 3), reason, None, "operator", None, round(region.start_s, 3), round(region.end_s, 3))
    return Answer(
        "unsure", round(trust, 3), why("badly_heard"),
        None, "operator", None, round(region.start_s, 3), round(region.end_s, 3),
    )  # fmt: skip


def _quoted(case: Case, act: Act, verdict: VerdictName, confidence: float, reason: Why) -> Answer:
    turn = case.turn(act.turn_no)
    tokens = turn.tokens[act.first : act.last]
    sure = confidence * (0.5 + 0.5 * fmean(t.probability for t in tokens)) * (0.5 + 0.5 * turn.role_confidence)
    return Answer(
        verdict, round(min(sure, 0.99), 3), reason, turn.quote(act.first, act.last), turn.role, turn.turn_no,
        round(tokens[0].start_s, 3), round(max(t.end_s for t in tokens), 3),
    )  # fmt: skip


def _about_finding(finding: Finding, verdict: VerdictName, reason: Why) -> Answer:
    return Answer(
        verdict, round(finding.confidence, 3), reason, finding.quote, finding.role, finding.turn_no,
        round(finding.start_s, 3), round(finding.end_s, 3),
    )  # fmt: skip


def _not_said(case: Case, criterion: Criterion) -> Answer:
    """Fails by a quote; passes when the whole call was searched and nothing was found."""
    region = _region(case, criterion.where)
    bad = [f for f in case.findings if f.kind in ("abuse", "forbidden_phrase") and f.role == "operator" and f.quote]
    sure = [f for f in bad if f.confidence >= SURE and f.target in (None, "client")]
    if sure:
        return _about_finding(max(sure, key=lambda f: f.confidence), "fail", why("forbidden_said"))
    best = max(_hits(case, criterion, region.turns), key=lambda hit: hit[1], default=None)
    if best is not None and best[1] >= _HINT:
        turn = case.turn(best[0].turn_no)
        tokens = turn.tokens[best[0].first : best[0].last]
        is_clear = best[1] >= 0.84 and turn.role_confidence >= _ROLE_SURE and min(t.probability for t in tokens) >= 0.35
        if is_clear and turn.role == "operator":
            return _quoted(case, best[0], "fail", best[1], why("forbidden_said"))
        return _quoted(case, best[0], "unsure", best[1], why("maybe_forbidden"))
    if bad:
        return _about_finding(bad[0], "unsure", why("maybe_forbidden"))
    heard = [t.asr_confidence for t in region.turns if t.role == "operator" for _ in t.tokens]
    if not heard or fmean(heard) < criterion.least_trust:
        reason = why("forbidden_unheard")
        return Answer("unsure", 0.4, reason, None, "operator", None, 0.0, round(case.duration_s, 3))
    reason = why("forbidden_none")
    return Answer("pass", round(min(0.9, fmean(heard)), 3), reason, None, "operator", None, 0.0, round(case.duration_s, 3))


def _identified(case: Case, criterion: Criterion) -> Answer:
    """Asked before account information was given, by the order of the words."""
    region = _region(case, "anywhere")
    asked = sorted((h for h in _hits(case, criterion, region.turns) if h[1] >= _HINT), key=lambda h: (h[0].turn_no, h[0].first))
    told = [a for a in case.acts if a.act == "discloses" and a.confidence >= _HINT and case.turn(a.turn_no).role == "operator"]
    sure = [h for h in asked if h[1] >= SURE and case.turn(h[0].turn_no).role == "operator"]
    if sure and (not told or sure[0][0].turn_no <= told[0].turn_no):
        return _quoted(case, *_best_first(sure), why("identified"))
    if asked:
        reason = why("identity_half_heard")
        if told:
            reason = why("identity_maybe_late")
        return _quoted(case, asked[0][0], "unsure", asked[0][1], reason)
    given = next((t for t in case.turns if t.role == "client" and any(token.text.startswith(_IDENTITY) for token in t.tokens)), None)
    if criterion.acts and not told and given is not None:
        reason = why("identity_told")
        return Answer("unsure", 0.5, reason, None, "operator", None, 0.0, round(given.end_s, 3))
    if criterion.acts and not told:
        if region.trust >= criterion.least_trust:
            return Answer("na", round(region.trust, 3), why("identity_not_needed"))
        return Answer("unsure", 0.4, why("identity_unheard"))
    if told and told[0].confidence >= SURE and region.trust >= criterion.least_trust:
        return _quoted(case, told[0], "fail", told[0].confidence, why("disclosed_unasked"))
    if told:
        return _quoted(case, told[0], "unsure", told[0].confidence, why("maybe_disclosed"))
    reason = why("identity_unclear")
    return Answer("unsure", 0.4, reason, None, "operator", None, 0.0, case.duration_s)


def _best_first(hits: Sequence[tuple[Act, float]]) -> tuple[Act, VerdictName, float]:
    act, confidence = hits[0]
    return act, "pass", confidence


def _hold_announced(case: Case, criterion: Criterion) -> Answer:
    def before(hold: Hold) -> Region | None:
        turns = [t for t in case.turns if t.role != "client" and t.tokens and t.start_s < hold.start_s][-_BEFORE_HOLD:]
        return Region(tuple(turns), turns[0].start_s, hold.start_s) if turns else None

    return _every_hold(case, criterion, before)


def _hold_thanked(case: Case, criterion: Criterion) -> Answer:
    def after(hold: Hold) -> Region | None:
        for turn in case.turns:
            if turn.role == "operator" and turn.tokens and turn.tokens[-1].end_s > hold.end_s:
                return Region((turn,), min(hold.end_s, turn.start_s), turn.end_s)
        return None

    return _every_hold(case, criterion, after)


def _every_hold(case: Case, criterion: Criterion, region_of: Callable[[Hold], Region | None]) -> Answer:
    """Asked of every hold: the worst answer is the answer."""
    if not case.holds:
        return Answer("na", 0.95, why("no_hold"))
    answers = [_look_for(case, criterion, region) for hold in case.holds if (region := region_of(hold)) is not None]
    if len(answers) < len(case.holds) and not answers:
        return Answer("na", 0.8, why("no_words_beside_hold"))
    for verdict in ("fail", "unsure"):
        for answer in answers:
            if answer.verdict == verdict:
                return answer
    return answers[0]


def _farewell(case: Case, criterion: Criterion) -> Answer:
    found = _look_for(case, criterion, _region(case, "anywhere"))
    if found.verdict == "pass" or not case.turns:
        return found
    last = case.turns[-1]
    if case.call.disconnect_party == "client" and last.role == "client" and last.role_confidence >= _ROLE_SURE:
        return Answer("na", 0.85, why("client_last"))
    if found.verdict == "fail" and case.call.disconnect_party not in ("operator", "client") and last.role == "client":
        reason = why("goodbye_who_ended")
        return Answer("unsure", 0.5, reason, None, "operator", None, 0.0, case.duration_s)
    closing = [t for t in case.turns if t.role != "client" and t.tokens][-_CLOSING_TURNS:]
    if found.verdict == "fail" and closing and _may_hide(case, closing[-1:], closing[-1].start_s, case.duration_s, _UNHEARD_END_S):
        return _hidden(Region(tuple(closing), closing[0].start_s, case.duration_s))
    return found


def _abuse_procedure(case: Case, criterion: Criterion) -> Answer:
    done = case.procedure
    reason = read_why(done.explanation_json)
    if done.outcome in _PROCEDURE_NA:
        return Answer("na", done.confidence, reason)
    abuse = [f for f in case.findings if f.kind == "abuse" and f.quote]
    if done.outcome == "cannot_tell":
        first = next(iter(abuse), None)
        return _about_finding(first, "unsure", reason) if first else Answer("unsure", done.confidence, reason)
    if done.outcome in _PROCEDURE_PASS:
        warned = next((a for a in case.acts if a.act == "warn_abuse" and a.confidence >= _HINT), None)
        if warned is not None:
            return _quoted(case, warned, "pass", max(done.confidence, _HINT), reason)
        return Answer("unsure", done.confidence, reason)
    by_operator = done.outcome == "operator_at_fault"
    guilty = [f for f in abuse if (f.role == "operator") == by_operator]
    evidence = max(guilty or abuse, key=lambda f: f.confidence, default=None)
    if evidence is None:
        return Answer("unsure", done.confidence, reason)
    answer = _about_finding(evidence, "fail", reason)
    return Answer("fail", min(answer.confidence, done.confidence), reason, answer.quote, answer.role, answer.turn_no,
                  answer.start_s, answer.end_s)  # fmt: skip


def _good_impression(case: Case, criterion: Criterion) -> Answer:
    """Asked when the client began upset: how do the client's last words sound?"""
    start, _ = sentiment_trend(case.turns, case.sentiments)
    if start is None or start > -0.3:
        return Answer("na", 0.7, why("not_called_upset"))
    if case.procedure.outcome in ("ended_after_warning", "client_hung_up"):
        return Answer("na", 0.8, why("impression_after_abuse"))
    said = {s.turn_no: s for s in case.sentiments}
    last = next((t for t in reversed(case.turns) if t.role == "client" and t.turn_no in said and t.tokens), None)
    if last is None:
        return Answer("unsure", 0.3, why("last_words_unheard"))
    mood = said[last.turn_no]
    whole = Act("impression", last.turn_no, 0, len(last.tokens), mood.confidence)
    if mood.confidence < _ROLE_SURE or last.role_confidence < _ROLE_SURE:
        return _quoted(case, whole, "unsure", mood.confidence, why("last_words_either"))
    if mood.sentiment == "negative":
        return _quoted(case, whole, "fail", mood.confidence, why("last_words", mood=mood.sentiment))
    return _quoted(case, whole, "pass", mood.confidence, why("last_words", mood=mood.sentiment))


RULES: dict[str, Callable[[Case, Criterion], Answer]] = {
    "said": _said,
    "request_taken": _said,
    "not_said": _not_said,
    "identified": _identified,
    "hold_announced": _hold_announced,
    "hold_thanked": _hold_thanked,
    "farewell": _farewell,
    "abuse_procedure": _abuse_procedure,
    "good_impression": _good_impression,
}


def points_of(verdicts: Iterable[Verdict]) -> tuple[float, float, float]:
    """Points won, points decided, points applicable."""
    kept = [v for v in verdicts if v.verdict != "na"]
    decided = [v for v in kept if v.verdict != "unsure"]
    return sum(v.points for v in decided), sum(v.max_points for v in decided), sum(v.max_points for v in kept)
