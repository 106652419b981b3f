"""Asks a language model about one call: requests with retries, and the rules by which an answer counts.

An answer counts where its quote stands in one turn of the right role, where a second request that contains only the quote finds it
proven, and where a third does not find the same of a matter of which no call speaks. An instruction that was spoken in a call therefore
decides nothing: quoted itself, it proves the unrelated matter as well, and any other quote is judged without it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel

from pipelines.core.records import Turn
from pipelines.core.settings import Settings
from pipelines.questions import language_model as lm
from pipelines.questions import prompt
from pipelines.questions.answers import GivenAnswer, Proof, Quote, as_shape, find_quote, parsed, schema_of
from pipelines.questions.language_model import LanguageModel, Messages, NoAnswerError
from pipelines.questions.prompt import Question

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")
_LONGEST_WAIT_S = 8.0
_LONGEST_REPEATED = 2000  # characters of a response that are sent back with a repair message


class RepairError(Exception):
    """A response that does not count, with the message that may repair it, and the problem when it does not."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(problem)
        self.problem, self.message = problem, message


@dataclass(slots=True)
class Spent:
    """What the requests about one question cost so far."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """The time since the first request."""
        return round(time.monotonic() - self.started, 3)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that counts."""

    answer: Literal["yes", "no", "not_applicable"]
    quote: Quote


class Asker:
    """A language model with the limits of a site."""

    def __init__(self, model: LanguageModel, settings: Settings) -> None:
        self._model, self._retries = model, settings.questions_retries
        self.longest_s = settings.questions_timeout_s * (1 + settings.questions_retries)

    async def answer(self, question: Question, turns: Sequence[Turn], spent: Spent) -> Answer:
        """The answer to a question about a call. Raises NoAnswerError where there is none that counts, at the latest after `longest_s`."""
        if not any(turn.role == question.role and turn.tokens for turn in turns):
            raise NoAnswerError(lm.NO_QUOTE)
        try:
            async with asyncio.timeout(self.longest_s):
                return await self._answer(question, turns, spent)
        except TimeoutError:
            raise NoAnswerError(lm.LATE) from None

    async def _answer(self, question: Question, turns: Sequence[Turn], spent: Spent) -> Answer:
        def checked(given: GivenAnswer) -> tuple[str, Quote]:
            if given.answer not in question.answers:
                raise RepairError(lm.MALFORMED, prompt.repair(lm.MALFORMED, shape=as_shape(schema)))
            if given.answer == "unsure":
                raise NoAnswerError(lm.UNDECIDED)
            role = None if given.answer == "not_applicable" else question.role
            quote = find_quote(given.quote, turns, role, given.turn)
            if quote is None:
                raise RepairError(lm.NO_QUOTE, prompt.repair(lm.NO_QUOTE, role=question.role))
            return given.answer, quote

        schema = schema_of(GivenAnswer, question.answers)
        answer, quote = await self.ask(prompt.ask(question, turns), GivenAnswer, schema, checked, spent)
        await self.prove(prompt.claim(question, answer), answer, quote, spent)
        return Answer(cast(Any, answer), quote)

    async def prove(self, claimed: str, answer: str, quote: Quote, spent: Spent) -> None:
        """Return where a quote alone proves a claim, and no other of the same answer. Raises NoAnswerError where not."""
        if not await self._proves(claimed, quote, spent):
            raise NoAnswerError(lm.UNPROVEN)
        if await self._proves(prompt.control_claim(answer), quote, spent):
            raise NoAnswerError(lm.STEERED)

    async def _proves(self, claimed: str, quote: Quote, spent: Spent) -> bool:
        messages = prompt.prove(claimed, quote.turn.role, quote.masked)
        return await self.ask(messages, Proof, schema_of(Proof), lambda proof: proof.result == "proven", spent)

    async def ask(self, messages: Messages, model: type[M], schema: Any, check: Callable[[M], R], spent: Spent) -> R:
        """The checked response to a request; failures are retried, and a response that does not count is answered by what is wrong with it.

        Raises NoAnswerError.
        """
        repeated = list(messages)
        for left in range(self._retries, -1, -1):
            spent.requests += 1
            try:
                completion = await self._model.complete(repeated, schema)
            except NoAnswerError as error:
                if error.problem in (lm.NOT_ASKED, lm.OUTSIDE):
                    spent.requests -= 1  # nothing was sent
                if not error.may_retry or not left:
                    raise
                await asyncio.sleep(min(_LONGEST_WAIT_S, 0.25 * 2 ** (self._retries - left)) * (0.5 + random.random()))
                continue
            spent.prompt_tokens += completion.prompt_tokens
            spent.completion_tokens += completion.completion_tokens
            try:
                try:
                    return check(parsed(completion.text, model))
                except ValueError:
                    raise RepairError(lm.MALFORMED, prompt.repair(lm.MALFORMED, shape=as_shape(schema))) from None
            except RepairError as error:
                if not left:
                    raise NoAnswerError(error.problem) from None
                said = {"role": "assistant", "content": completion.text[:_LONGEST_REPEATED]}
                repeated = [*messages, said, {"role": "user", "content": error.message}]
        raise AssertionError("unreachable: the last attempt returns or raises")
