"""The questions step: every question of the scorecards is asked about every call of a batch, a few at the same time.

An answer that an earlier run got for the same question, model, prompt and transcript is used again. Whatever goes wrong with a model or
a server becomes the reason why one question has no answer: it costs no other question, call or step anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from pipelines.centres.log_conditions import fits_direction, fits_line, is_at_night
from pipelines.centres.profile import Centre, centre_of
from pipelines.centres.scorecard import Applies
from pipelines.core import staleness
from pipelines.core.grouping import by_call
from pipelines.core.records import Call, QuestionAnswer, SummarySentence, Turn
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.questions import language_model as lm
from pipelines.questions import prompt
from pipelines.questions.asking import Answer, Asker, Spent
from pipelines.questions.language_model import LanguageModel, NoAnswerError
from pipelines.questions.prompt import Question
from pipelines.questions.summaries import SUMMARY, summarise

T = TypeVar("T")
log = logging.getLogger("callgrade")


@dataclass(frozen=True, slots=True)
class Job:
    """One question about one call; the summary of a call is one without a question."""

    call_id: str
    criterion_id: str
    turns: tuple[Turn, ...]
    question: Question | None

    @property
    def question_version(self) -> str:
        """The digest of the question; of a summary none, its prompt is all that it depends on."""
        return self.question.version if self.question else ""

    def is_answered_by(self, earlier: QuestionAnswer, model: str | None) -> bool:
        """Whether an earlier answer stands: the same was asked of the same model (of any, where none is configured) about the same words."""
        return (
            earlier.is_final
            and earlier.question_version == self.question_version
            and earlier.transcript_version == prompt.transcript_version(self.turns)
            and (model is None or (earlier.model, earlier.prompt_version) == (model, prompt.prompt_version()))
        )


def run(batch: Batch, settings: Settings) -> None:
    """Answer the questions of a batch, and summarise its calls where that is on; writes answers with their costs, and summaries."""
    jobs = jobs_of(batch, settings)
    earlier_answers: list[QuestionAnswer] = batch.read("answers") if batch.has("answers") else []
    earlier_sentences: list[SummarySentence] = batch.read("summaries") if batch.has("summaries") else []
    before = {(one.call_id, one.criterion_id): one for one in earlier_answers}
    sentences_by_call = by_call(earlier_sentences)
    reused = {
        (job.call_id, job.criterion_id): earlier
        for job in jobs
        if (earlier := before.get((job.call_id, job.criterion_id))) is not None and job.is_answered_by(earlier, settings.language_model)
    }
    waiting = [job for job in jobs if (job.call_id, job.criterion_id) not in reused]
    asked: list[tuple[QuestionAnswer, list[SummarySentence]]] = []
    if settings.language_model is None:
        asked = [(_record(job, settings, problem=NoAnswerError(lm.NOT_SET_UP)), []) for job in waiting]
    elif waiting:
        asked = _in_own_loop(_ask_all(waiting, settings))
    answers = [*reused.values(), *(answer for answer, _ in asked)]
    kept = [sentence for call_id, criterion_id in reused if criterion_id == SUMMARY for sentence in sentences_by_call[call_id]]
    summaries = [*kept, *(sentence for _, sentences in asked for sentence in sentences)]
    answers.sort(key=lambda answer: (answer.call_id, answer.criterion_id))
    summaries.sort(key=lambda sentence: (sentence.call_id, sentence.sentence_no))
    batch.write("answers", answers)
    batch.write("summaries", summaries)
    batch.set_version(staleness.ASKED_WITH, staleness.asks_with(settings))


def jobs_of(batch: Batch, settings: Settings) -> list[Job]:
    """Every question that applies to a call by what the log says about it, and the summaries where they are on."""
    turns = by_call(batch.read("turns"))
    jobs: list[Job] = []
    for call in batch.calls("score"):
        centre = centre_of(call)
        said = tuple(sorted(turns[call.call_id], key=lambda t: t.turn_no))
        for criterion in centre.scorecard.criteria:
            if criterion.rule == "question" and may_apply(criterion.applies, call, centre):
                jobs.append(Job(call.call_id, criterion.criterion_id, said, prompt.question_of(criterion, centre)))
        if settings.summaries:
            jobs.append(Job(call.call_id, SUMMARY, said, None))
    return jobs


def may_apply(applies: Applies, call: Call, centre: Centre) -> bool:
    """Whether a criterion may apply by what the call log says: the direction, the line and the hour. Topics are not known yet."""
    fits_hour = applies.is_night is None or is_at_night(call, centre) in (applies.is_night, None)
    return fits_hour and fits_direction(applies, call) and fits_line(applies, call)


def open_model(settings: Settings) -> LanguageModel:
    """The configured language model: a server, or a folder of weights. Raises ValueError where none is configured."""
    if settings.questions_url is not None:
        from pipelines.questions.endpoint import Endpoint

        return Endpoint(settings)
    from pipelines.questions.local import LocalModel

    return LocalModel(settings)


def _in_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """The result of asynchronous work, also where an event loop runs in this thread already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _ask_all(jobs: Sequence[Job], settings: Settings) -> list[tuple[QuestionAnswer, list[SummarySentence]]]:
    """The answers to all jobs, at most `questions_concurrency` at the same time, in the order of the jobs."""
    model, slots = open_model(settings), asyncio.Semaphore(settings.questions_concurrency)
    asker, started = Asker(model, settings), time.monotonic()

    async def one(job: Job) -> tuple[QuestionAnswer, list[SummarySentence]]:
        async with slots:
            return await _asked(job, asker, settings)

    try:
        found = await asyncio.gather(*(one(job) for job in jobs))
    finally:
        await model.close()
    answered = sum(answer.is_final for answer, _ in found)
    log.info("questions: %d of %d answered in %.1f s", answered, len(found), time.monotonic() - started)
    for problem in sorted({answer.problem for answer, _ in found if answer.problem and not answer.is_final}):
        log.warning("questions: %d without an answer: %s", sum(a.problem == problem for a, _ in found), problem.replace("_", " "))
    return found


async def _asked(job: Job, asker: Asker, settings: Settings) -> tuple[QuestionAnswer, list[SummarySentence]]:
    spent = Spent()
    if job.question is None:
        sentences, problem = await _or_problem(lambda: summarise(asker, job.call_id, job.turns, spent))
        return _record(job, settings, spent, problem=problem), sentences or []
    question = job.question
    answer, problem = await _or_problem(lambda: asker.answer(question, job.turns, spent))
    return _record(job, settings, spent, answer, problem), []


async def _or_problem(ask: Callable[[], Awaitable[T]]) -> tuple[T | None, NoAnswerError | None]:
    try:
        return await ask(), None
    except NoAnswerError as error:
        return None, error


def _record(
    job: Job, settings: Settings, spent: Spent | None = None, answer: Answer | None = None, problem: NoAnswerError | None = None
) -> QuestionAnswer:
    return QuestionAnswer(
        call_id=job.call_id,
        criterion_id=job.criterion_id,
        answer=answer.answer if answer else None,
        turn_no=answer.quote.turn.turn_no if answer else None,
        first_token=answer.quote.first if answer else None,
        last_token=answer.quote.last if answer else None,
        problem=problem.problem if problem else None,
        http_status=problem.http_status if problem else None,
        is_final=problem is None or problem.is_final,
        model=settings.language_model or "",
        prompt_version=prompt.prompt_version() if settings.language_model else "",
        question_version=job.question_version,
        transcript_version=prompt.transcript_version(job.turns),
        prompt_tokens=spent.prompt_tokens if spent else 0,
        completion_tokens=spent.completion_tokens if spent else 0,
        seconds=spent.seconds if spent else 0.0,
        requests=spent.requests if spent else 0,
    )
