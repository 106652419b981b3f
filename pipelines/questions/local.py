"""A language model in this process: a folder of weights that Transformers loads, without any network."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from models import registry
from models.diarization.torchaudio_stand_in import spare_torchaudio
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings
from pipelines.questions import language_model as lm
from pipelines.questions.breaker import breaker_of
from pipelines.questions.language_model import LONGEST_RESPONSE_TOKENS, Completion, Messages, NoAnswerError

log = logging.getLogger("callgrade")
_ONE_AT_A_TIME = threading.Lock()


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
            completion = await asyncio.to_thread(self._complete, list(messages))
        except (MisconfiguredError, RuntimeError) as error:  # no model in the folder, or too little memory
            log.error("questions: %s", error)
            self._breaker.failed()
            raise NoAnswerError(lm.UNREACHABLE) from None
        self._breaker.succeeded()
        return completion

    async def close(self) -> None:
        """Nothing to release: the model stays loaded for the next batch."""

    def _complete(self, messages: list[Mapping[str, str]]) -> Completion:
        import torch

        with _ONE_AT_A_TIME, torch.inference_mode():
            tokenizer, model = _load(self._folder)
            given = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True).to(
                model.device
            )
            length = int(given["input_ids"].shape[1])
            if length + LONGEST_RESPONSE_TOKENS > getattr(model.config, "max_position_embeddings", length + LONGEST_RESPONSE_TOKENS):
                raise NoAnswerError(lm.TOO_LONG)
            made = model.generate(
                **given, max_new_tokens=LONGEST_RESPONSE_TOKENS, do_sample=False, temperature=None, top_p=None, top_k=None,
                max_time=self._timeout_s, pad_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
            written = made[0][length:]
            return Completion(str(tokenizer.decode(written, skip_special_tokens=True)), length, len(written))


@cache
def _load(folder: Path) -> tuple[Any, Any]:
    registry.stay_offline()
    spare_torchaudio()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype="auto"
        )
    except (OSError, ValueError) as error:
        raise MisconfiguredError(
            f"{folder} has no language model that Transformers can load ({str(error).splitlines()[0]}). "
            "Set CALLGRADE_QUESTIONS_WEIGHTS to a folder with config.json, the tokenizer and *.safetensors; docs/questions.md says how."
        ) from None
    return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
