"""The interface of language models: one chat request with a JSON Schema for the response, and the ways in which it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Messages: TypeAlias = Sequence[Mapping[str, str]]  # each with role (system, user, assistant) and content
LONGEST_RESPONSE_TOKENS = 400

# Why a question has no answer that counts; `score.question_rule` has the sentence of each.
NOT_SET_UP = "not_set_up"  # no language model is configured
NOT_ASKED = "not_asked"  # other requests failed before, so this one was not sent
OUTSIDE = "outside"  # the server is outside the private address space
UNREACHABLE = "unreachable"
LATE = "late"
REFUSED = "refused"  # an HTTP status other than 200
TOO_LONG = "too_long"  # a response beyond the limit
NOT_JSON = "not_json"  # a response that is not the JSON of a chat completion
MALFORMED = "malformed"  # the model did not keep to the schema
NO_QUOTE = "no_quote"
UNPROVEN = "unproven"  # the quote alone does not prove the answer
STEERED = "steered"  # the quote also proves what it does not mention: it addresses the model
UNDECIDED = "undecided"
PROBLEMS = (
    NOT_SET_UP, NOT_ASKED, OUTSIDE, UNREACHABLE, LATE, REFUSED, TOO_LONG, NOT_JSON, MALFORMED, NO_QUOTE, UNPROVEN, STEERED, UNDECIDED,
)  # fmt: skip


class NoAnswerError(Exception):
    """There is no answer that counts.

    Attributes:
        problem: one of `PROBLEMS`.
        http_status: of the server, where it refused.
        may_retry: whether the same request may succeed within seconds.
    """

    def __init__(self, problem: str, http_status: int | None = None, *, may_retry: bool = False) -> None:
        super().__init__(problem if http_status is None else f"{problem} {http_status}")
        self.problem, self.http_status, self.may_retry = problem, http_status, may_retry

    @property
    def is_final(self) -> bool:
        """Whether the model answered, so that asking the same again would give the same."""
        return self.problem in (MALFORMED, NO_QUOTE, UNPROVEN, STEERED, UNDECIDED)


@dataclass(frozen=True, slots=True)
class Completion:
    """The text that a model wrote, and the tokens that it took."""

    text: str
    prompt_tokens: int
    completion_tokens: int


class LanguageModel(Protocol):
    """A model that completes a chat."""

    async def complete(self, messages: Messages, schema: Mapping[str, Any]) -> Completion:
        """Complete a chat with JSON that follows a schema, as far as the model supports that. Raises NoAnswerError."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
