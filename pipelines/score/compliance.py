"""Script compliance: a verdict on each criterion of the centre's scorecard for one call, with its evidence.

A wrong fail is the worst error here. So a pass needs a quote, a fail by absence needs a stretch that was recognised well enough to rule
the words out, and everything between goes to a person as `unsure`. `rules` evaluates the evidence, `applicability` gives the
probability that the criterion applies, `calibration` how often such evidence is right and the confidence required.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pipelines.centres.scorecard import Criterion
from pipelines.core.records import Verdict
from pipelines.score.applicability import Likely, how_likely
from pipelines.score.calibration import Calibration, kind_of, load_calibration
from pipelines.score.call_context import Case, RuleResult
from pipelines.score.explanations import why
from pipelines.score.rules import RULES

_YES = 0.65  # a condition with a higher probability holds
_YES_TO_FAIL = 0.85  # the required probability before silence is a fail


def judge(case: Case, calibration: Calibration | None = None) -> list[Verdict]:
    """The verdict on every criterion of the centre's scorecard, in its order; `calibration` replaces the shipped one."""
    measured = calibration or load_calibration()
    return [_verdict(case, criterion, measured) for criterion in case.centre.scorecard.criteria]


def _verdict(case: Case, criterion: Criterion, calibration: Calibration) -> Verdict:
    likely = how_likely(criterion.applies, case.call, case.centre, case.turns, case.topic, case.sentiments, case.findings, case.procedure)
    if "company" in criterion.acts and not case.centre.company_names:
        return _as_verdict(case, criterion, RuleResult("na", 1.0, why("no_company_name")))
    answer = _decided(case, criterion, _asked(criterion, RULES[criterion.rule](case, criterion), likely), calibration)
    return _as_verdict(case, criterion, answer)


def _as_verdict(case: Case, criterion: Criterion, answer: RuleResult) -> Verdict:
    return Verdict(
        call_id=case.call.call_id,
        scorecard_id=case.centre.scorecard.scorecard_id,
        scorecard_version=case.centre.scorecard.version,
        criterion_id=criterion.criterion_id,
        verdict=answer.verdict,
        confidence=round(answer.confidence, 3),
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


def _asked(criterion: Criterion, answer: RuleResult, likely: Likely) -> RuleResult:
    """The result of a rule with the probability that the criterion applies to this call."""
    p = likely.probability
    maybe = why("maybe_not_asked", because=likely.because)
    if answer.verdict == "na" or p <= criterion.na_below:
        not_asked = 1 - p
        if answer.verdict == "na" and answer.confidence >= not_asked:
            return answer
        return RuleResult("na", not_asked, why("not_asked", because=likely.because), doubt=maybe)
    least = _YES_TO_FAIL if answer.verdict == "fail" and answer.quote is None else _YES
    if p < least and answer.verdict in ("pass", "fail"):
        return replace(answer, verdict="unsure", confidence=abs(2 * p - 1), reason=maybe)
    if answer.verdict in ("pass", "fail") and p < answer.confidence:
        return replace(answer, confidence=p, doubt=maybe)
    return answer


def _decided(case: Case, criterion: Criterion, answer: RuleResult, calibration: Calibration) -> RuleResult:
    """The result as a verdict: its measured confidence, and `unsure` where that is less than this criterion needs."""
    if answer.verdict == "unsure":
        return answer
    name, language = criterion.criterion_id, case.language
    sure = calibration.confidence(kind_of(answer.verdict, answer.quote is not None), answer.confidence, name, language)
    # the procedure accounts for its own doubts: an outcome that it reports is not weakened here
    if criterion.rule == "abuse_procedure" or calibration.decides(answer.verdict, sure, name, language):
        return replace(answer, confidence=min(sure, 0.999))
    return replace(answer, verdict="unsure", confidence=sure, reason=answer.doubt or why("half_heard"))


def points_of(verdicts: Iterable[Verdict]) -> tuple[float, float, float]:
    """Points earned, points decided, points applicable."""
    kept = [v for v in verdicts if v.verdict != "na"]
    decided = [v for v in kept if v.verdict != "unsure"]
    return sum(v.points for v in decided), sum(v.max_points for v in decided), sum(v.max_points for v in kept)
