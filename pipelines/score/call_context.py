"""The evidence for one criterion in a call: the words that answer it, where they were searched, and the probability of missed speech."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from statistics import fmean

from pipelines.centres.profile import Centre
from pipelines.centres.scorecard import Criterion
from pipelines.core.records import Call, Finding, Hold, Interval, Procedure, QuestionAnswer, Role, Turn, TurnSentiment, VerdictName
from pipelines.score.example_matching import NO_MATCHES, ExampleMatches
from pipelines.score.explanations import Explanation, why
from pipelines.score.speech_acts import OPENING_TURNS, Act, find_own_phrases
from pipelines.score.topic import Ranking

HINT = 0.5  # an act with a lower confidence is ignored
ROLE_SURE = 0.6
_FULLY_TRUSTED = 0.8  # words and roles with this confidence leave no doubt of their own
_GUESSED = 0.3  # a turn with a lower mean recognition probability decides nothing
MAY_HIDE = 0.5  # with at least this probability of missed words, the question goes to a person


@dataclass(frozen=True, slots=True)
class Case:
    """All data of one call that its criteria are judged from."""

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
    speech: tuple[Interval, ...] = ()  # speech intervals from the audio
    language: str = ""  # the language of most of its words
    matches: ExampleMatches = NO_MATCHES  # sentences that do what the examples of a criterion do
    answers: tuple[QuestionAnswer, ...] = ()  # of the language model, to the questions of the scorecard

    def turn(self, turn_no: int) -> Turn:
        """One turn by its number."""
        return next(t for t in self.turns if t.turn_no == turn_no)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """The result of one rule for one call: the verdict that the evidence supports, and its strength (0 to 1).

    `unsure` where the evidence supports none, or where a deciding fact is missing: no certainty of other evidence makes up for that.
    """

    verdict: VerdictName
    confidence: float
    reason: Explanation
    quote: str | None = None
    role: Role | None = None
    turn_no: int | None = None
    start_s: float | None = None
    end_s: float | None = None
    doubt: Explanation | None = None  # the explanation shown when the evidence is not strong enough


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of the call that was searched."""

    turns: tuple[Turn, ...]
    start_s: float
    end_s: float

    @property
    def trust(self) -> float:
        """The reliability of recognition and roles there, 0 to 1; 0 when the operator says nothing there."""
        confidences = [t.asr_confidence for t in self.turns if t.role == "operator" for _ in t.tokens]
        if not confidences or any(t.role == "unknown" for t in self.turns):
            return 0.0
        return fmean(confidences) if min(t.role_confidence for t in self.turns if t.role == "operator") >= ROLE_SURE else 0.0


def region(case: Case, where: str) -> Region:
    """The operator's opening, or all of the operator's turns."""
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
    """The acts that answer a criterion in some turns, with their confidence; of equal ones the earliest is preferred."""
    numbers = {t.turn_no: t for t in turns}
    acts = [a for a in case.acts if a.act in criterion.acts and a.turn_no in numbers]
    if criterion.phrases:
        acts += find_own_phrases([t for t in turns if t.role != "client"], criterion.phrases)
    acts += [a for a in case.matches.criteria.get(criterion.criterion_id, ()) if a.turn_no in numbers]
    return [(a, a.confidence * (1.0 if numbers[a.turn_no].role == "operator" else 0.75)) for a in acts]


def look_for(case: Case, criterion: Criterion, where: Region) -> RuleResult:
    """A pass with its quote, a fail by absence with the searched stretch, or unsure."""
    found = hits(case, criterion, where.turns)
    best = max(found, key=lambda hit: hit[1], default=None)
    if best is not None and best[1] >= HINT:
        act, confidence = best
        verdict: VerdictName = "pass" if case.turn(act.turn_no).role == "operator" else "unsure"
        return quoted(case, act, verdict, confidence, why("said"), why("half_heard"))
    return absent(where, criterion, why("not_said"), 1 - not_said(found))


def uncovered(start_s: float, end_s: float, spoken: Iterable[tuple[float, float]]) -> float:
    """The longest part of an interval that no word covers, in seconds."""
    at, longest = start_s, 0.0
    for since, until in sorted(spoken):
        if until > at and since < end_s:
            longest = max(longest, since - at)
            at = max(at, until)
    return max(longest, end_s - at)


def not_said(found: Sequence[tuple[Act, float]]) -> float:
    """The probability (0 to 1) that none of these acts occurred."""
    return prod(1 - chance for _, chance in found)


def absent(where: Region, criterion: Criterion, reason: Explanation, hidden: float = 0.0) -> RuleResult:
    """A fail by absence, with the reliability of the stretch; `unsure` where recognition is poor, or the words may have been missed."""
    trust = where.trust
    if trust < criterion.least_trust:
        return searched("unsure", trust, why("badly_heard"), where.start_s, where.end_s)
    if hidden >= MAY_HIDE:
        return searched("unsure", 0.5, why("may_be_hidden"), where.start_s, where.end_s)
    doubt = why("may_be_hidden") if hidden else why("badly_heard")
    return searched("fail", believed(trust) * (1 - hidden), reason, where.start_s, where.end_s, doubt)


def believed(trust: float) -> float:
    """The weight of words with this recognition probability, 0 to 1."""
    return min(1.0, trust / _FULLY_TRUSTED)


def searched(
    verdict: VerdictName, confidence: float, reason: Explanation, start_s: float, end_s: float, doubt: Explanation | None = None
) -> RuleResult:
    """A result whose evidence is the searched stretch of the call."""
    return RuleResult(verdict, round(confidence, 3), reason, None, "operator", None, round(start_s, 3), round(end_s, 3), doubt)


def quoted(
    case: Case, act: Act, verdict: VerdictName, confidence: float, reason: Explanation, doubt: Explanation | None = None
) -> RuleResult:
    """A result that quotes the words of an act; weaker with lower recognition probability."""
    turn = case.turn(act.turn_no)
    tokens = turn.tokens[act.first : act.last]
    probability = fmean(t.probability for t in tokens)
    sure = confidence * (0.5 + 0.5 * believed(probability)) * (0.5 + 0.5 * believed(turn.role_confidence))
    if fmean(t.probability for t in turn.tokens) < _GUESSED and doubt is not None:
        verdict, reason = "unsure", doubt
    return RuleResult(
        verdict, round(min(sure, 0.999), 3), reason, turn.quote(act.first, act.last), turn.role, turn.turn_no,
        round(tokens[0].start_s, 3), round(max(t.end_s for t in tokens), 3), doubt,
    )  # fmt: skip


def about_finding(finding: Finding, verdict: VerdictName, reason: Explanation) -> RuleResult:
    """A result whose evidence is a finding."""
    return RuleResult(
        verdict, round(finding.confidence, 3), reason, finding.quote, finding.role, finding.turn_no,
        round(finding.start_s, 3), round(finding.end_s, 3),
    )  # fmt: skip
