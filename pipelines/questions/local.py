"""A language model in this process, from a folder of weights."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from models import chat_model
from models.registry import ModelError
from pipelines.core.settings import Settings
from pipelines.questions import language_model as lm
from pipelines.questions.breaker import breaker_of
from pipelines.questions.language_model import LONGEST_RESPONSE_TOKENS, Completion, Messages, NoAnswerError

log = logging.getLogger("callgrade")


class LocalModel:
    """The language model in a folder."""

    def __init__(self, settings: Settings) -> None:
        if settings.questions_weights is None:
            raise ValueError("no folder of weights is configured")
        self._folder, self._timeout_s = settings.questions_weights, settings.questions_timeout_s
        self._breaker = breaker_of(str(self._folder))

    async def complete(self, messages: Messages, schema: Mapping[str, Any]) -> Completion:
        """Complete a chat; the schema is only in the prompt. Raises NoAnswerError, also where the folder has no model."""
        if self._breaker.is_open:
            raise NoAnswerError(lm.NOT_ASKED)
        try:
            found = await asyncio.to_thread(chat_model.complete, self._folder, messages, LONGEST_RESPONSE_TOKENS, self._timeout_s)
        except chat_model.TooLongError:
            raise NoAnswerError(lm.TOO_LONG) from None
        except (ModelError, RuntimeError) as error:  # no model in the folder, or too little memory
            log.error("questions: %s", error)
            self._breaker.failed()
            raise NoAnswerError(lm.UNREACHABLE) from None
        self._breaker.succeeded()
        return Completion(*found)

    async def close(self) -> None:
        """Nothing to release: the model stays loaded for the next batch."""
