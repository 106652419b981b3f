"""What was found in a call for one criterion: the words that answer it, where they were looked for, and how likely they were said unheard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from statistics import fmean

from pipelines.centres.profile import Centre, Criterion
from pipelines.core.records import Call, Finding, Hold, Interval, Procedure, Role, Turn, TurnSentiment, VerdictName
from pipelines.score.explanations import Explanation, why
from pipelines.score.speech_acts import OPENING_TURNS, Act, find_own_phrases
from pipelines.score.topic import Ranking

HINT = 0.5  # an act found with less than this says nothing
ROLE_SURE = 0.6
_HEARD_WELL = 0.8  # words recognised so well, and voices known so well, leave no doubt of their own
_GUESSED = 0.3  # a turn that recognition believes less, on average, decides nothing
MAY_HIDE = 0.5  # a chance that words were said unheard which is no smaller leaves the question to a person


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
    language: str = ""  # that most of its words are in

    def turn(self, turn_no: int) -> Turn:
        """One turn by its number."""
        return next(t for t in self.turns if t.turn_no == turn_no)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule makes of one call: where the evidence points, and how strongly (0 to 1).

    `unsure` where it points nowhere, or where a fact that decides is missing: no certainty of the other evidence makes up for that.
    """

    verdict: VerdictName
    confidence: float
    reason: Explanation
    quote: str | None = None
    role: Role | None = None
    turn_no: int | None = None
    start_s: float | None = None
    end_s: float | None = None
    doubt: Explanation | None = None  # what a person reads when the evidence is not strong enough


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
        return fmean(heard) if min(t.role_confidence for t in self.turns if t.role == "operator") >= ROLE_SURE else 0.0


def region(case: Case, where: str) -> Region:
    """The operator's opening, or all that he said."""
    turns = [t for t in case.turns if t.role != "client" and t.tokens]
    if where == "opening":
        kept: list[Turn] = []
        for turn in turns:
            if sum(t.role == "operator" for t in kept) == OPENING_TURNS:
                break
            kept.append(turn)
        return Region(tuple(kept), 0.0, kept[-1].end_s if kept else case.duration_s)
    return Region(tuple(turns), 0.0, case.duration_s)


def hits(case: Case, criterion: Criterion, turns: Sequence[Turn]) -> list[tuple[Act, float]]:
    """What answers a criterion in some turns, with how sure each is; a later mention of equal strength does not displace an earlier."""
    numbers = {t.turn_no: t for t in turns}
    acts = [a for a in case.acts if a.act in criterion.acts and a.turn_no in numbers]
    if criterion.phrases:
        acts += find_own_phrases([t for t in turns if t.role != "client"], criterion.phrases)
    return [(a, a.confidence * (1.0 if numbers[a.turn_no].role == "operator" else 0.75)) for a in acts]


def look_for(case: Case, criterion: Criterion, where: Region) -> RuleResult:
    """A pass with its quote, a fail by absence with what was searched, or unsure."""
    found = hits(case, criterion, where.turns)
    best = max(found, key=lambda hit: hit[1], default=None)
    if best is not None and best[1] >= HINT:
        act, confidence = best
        verdict: VerdictName = "pass" if case.turn(act.turn_no).role == "operator" else "unsure"
        return quoted(case, act, verdict, confidence, why("said"), why("half_heard"))
    return absent(where, criterion, why("not_said"), 1 - not_said(found))


def uncovered(start_s: float, end_s: float, spoken: Iterable[tuple[float, float]]) -> float:
    """The longest stretch of an interval that no word covers, in seconds."""
    at, longest = start_s, 0.0
    for since, until in sorted(spoken):
        if until > at and since < end_s:
            longest = max(longest, since - at)
            at = max(at, until)
    return max(longest, end_s - at)


def not_said(found: Sequence[tuple[Act, float]]) -> float:
    """The chance (0 to 1) that none of these acts was done."""
    return prod(1 - chance for _, chance in found)


def absent(where: Region, criterion: Criterion, reason: Explanation, hidden: float = 0.0) -> RuleResult:
    """A fail by absence, as sure as the stretch was heard; `unsure` where it was heard too badly, or where the words may well hide."""
    trust = where.trust
    if trust < criterion.least_trust:
        return searched("unsure", trust, why("badly_heard"), where.start_s, where.end_s)
    if hidden >= MAY_HIDE:
        return searched("unsure", 0.5, why("may_be_hidden"), where.start_s, where.end_s)
    doubt = why("may_be_hidden") if hidden else why("badly_heard")
    return searched("fail", believed(trust) * (1 - hidden), reason, where.start_s, where.end_s, doubt)


def believed(trust: float) -> float:
    """How far words count that were recognised so well, 0 to 1."""
    return min(1.0, trust / _HEARD_WELL)


def searched(
    verdict: VerdictName, confidence: float, reason: Explanation, start_s: float, end_s: float, doubt: Explanation | None = None
) -> RuleResult:
    """An answer whose evidence is the stretch of the call that was searched."""
    return RuleResult(verdict, round(confidence, 3), reason, None, "operator", None, round(start_s, 3), round(end_s, 3), doubt)


def quoted(
    case: Case, act: Act, verdict: VerdictName, confidence: float, reason: Explanation, doubt: Explanation | None = None
) -> RuleResult:
    """An answer that quotes the words of an act; less sure the worse they were heard."""
    turn = case.turn(act.turn_no)
    tokens = turn.tokens[act.first : act.last]
    heard = fmean(t.probability for t in tokens)
    sure = confidence * (0.5 + 0.5 * believed(heard)) * (0.5 + 0.5 * believed(turn.role_confidence))
    if fmean(t.probability for t in turn.tokens) < _GUESSED and doubt is not None:
        verdict, reason = "unsure", doubt
    return RuleResult(
        verdict, round(min(sure, 0.999), 3), reason, turn.quote(act.first, act.last), turn.role, turn.turn_no,
        round(tokens[0].start_s, 3), round(max(t.end_s for t in tokens), 3), doubt,
    )  # fmt: skip


def about_finding(finding: Finding, verdict: VerdictName, reason: Explanation) -> RuleResult:
    """An answer whose evidence is a finding."""
    return RuleResult(
        verdict, round(finding.confidence, 3), reason, finding.quote, finding.role, finding.turn_no,
        round(finding.start_s, 3), round(finding.end_s, 3),
    )  # fmt: skip
