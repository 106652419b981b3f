"""The rule `question`: the verdict that follows from a language model's answer to the question of a criterion."""

from __future__ import annotations

from typing import cast

from pipelines.centres.scorecard import Criterion
from pipelines.core.records import QuestionAnswer, VerdictName
from pipelines.questions import language_model as lm
from pipelines.questions.prompt import question_of, transcript_version
from pipelines.score.call_context import Case, RuleResult, look_for, quoted, region
from pipelines.score.explanations import Explanation, why
from pipelines.score.speech_acts import Act

STRENGTH = 0.8  # of an answer that its quote proves; not measured, as it depends on the model, the language and the question


def judge_question(case: Case, criterion: Criterion) -> RuleResult:
    """The verdict for an answer with its quote; `unsure` with the reason where no answer counts.

    Where no language model was asked, a question that `yes` passes is judged by the acts and phrases of its criterion, if it has any.
    """
    found = next((one for one in case.answers if one.criterion_id == criterion.criterion_id), None)
    if found is None or found.problem == lm.NOT_SET_UP:
        if (criterion.acts or criterion.phrases) and criterion.verdict_of("yes") == "pass":
            return look_for(case, criterion, region(case, criterion.where))
        return RuleResult("unsure", 0.0, why("question_not_set_up") if found else why("question_not_asked"))
    is_current = found.question_version == question_of(criterion, case.centre).version and found.transcript_version == transcript_version(
        case.turns
    )
    if not is_current:
        return RuleResult("unsure", 0.0, why("question_not_asked"))
    if found.answer is None or found.turn_no is None or found.first_token is None or found.last_token is None:
        return RuleResult("unsure", 0.0, _by(found, _reason(found)))
    words = Act("question", found.turn_no, found.first_token, found.last_token, STRENGTH)
    verdict = cast(VerdictName, criterion.verdict_of(found.answer))
    return quoted(case, words, verdict, STRENGTH, _by(found, why("question_answered", answer=found.answer)), _by(found, why("half_heard")))


def _by(found: QuestionAnswer, reason: Explanation) -> Explanation:
    """A reason with what answered: the model, and the versions of the prompt and of the question."""
    return why("question_by", reason=reason, model=found.model, prompt=found.prompt_version, question=found.question_version)


def _reason(found: QuestionAnswer) -> Explanation:
    """Why there is no answer that counts."""
    match found.problem:
        case lm.NOT_ASKED:
            return why("question_skipped")
        case lm.OUTSIDE:
            return why("question_outside")
        case lm.UNREACHABLE:
            return why("question_unreachable")
        case lm.LATE:
            return why("question_late")
        case lm.REFUSED:
            return why("question_refused", status=found.http_status or 0)
        case lm.TOO_LONG:
            return why("question_too_long")
        case lm.NOT_JSON:
            return why("question_not_json")
        case lm.MALFORMED:
            return why("question_malformed")
        case lm.NO_QUOTE:
            return why("question_no_quote")
        case lm.UNPROVEN:
            return why("question_unproven")
        case lm.STEERED:
            return why("question_steered")
        case _:
            return why("question_undecided")
