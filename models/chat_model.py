"""An instruction model in a folder of weights, which Transformers runs in this process without any network."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from models.diarization.torchaudio_stand_in import spare_torchaudio
from models.registry import MissingWeightsError, stay_offline

_ONE_AT_A_TIME = threading.Lock()


class TooLongError(Exception):
    """A chat does not fit into the context of the model."""


class Written(NamedTuple):
    """What a model wrote, and the tokens that it read and wrote."""

    text: str
    prompt_tokens: int
    completion_tokens: int


def complete(folder: Path, messages: Sequence[Mapping[str, str]], most_tokens: int, longest_s: float) -> Written:
    """Complete a chat, one at a time in this process; the model stays loaded.

    Args:
        folder: the weights as a hub has them: config.json, the tokenizer with its chat template, *.safetensors.
        messages: each with its role and content.
        most_tokens: the longest response.
        longest_s: the longest time for it, in seconds.

    Raises:
        MissingWeightsError: the folder has no model that Transformers can load.
        TooLongError: the chat does not fit.
        RuntimeError: the memory does not suffice.
    """
    import torch

    with _ONE_AT_A_TIME, torch.inference_mode():
        tokenizer, model = _load(folder)
        given = tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True)
        length = int(given["input_ids"].shape[1])
        if length + most_tokens > getattr(model.config, "max_position_embeddings", length + most_tokens):
            raise TooLongError(f"{length} tokens")
        made = model.generate(
            **given.to(model.device), max_new_tokens=most_tokens, do_sample=False, temperature=None, top_p=None, top_k=None,
            max_time=longest_s, pad_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        written = made[0][length:]
        return Written(str(tokenizer.decode(written, skip_special_tokens=True)), length, len(written))


@cache
def _load(folder: Path) -> tuple[Any, Any]:
    stay_offline()
    spare_torchaudio()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype="auto"
        )
    except (OSError, ValueError) as error:
        raise MissingWeightsError(
            f"{folder} has no language model that Transformers can load ({str(error).splitlines()[0]}). "
            "It needs config.json, the tokenizer and *.safetensors; docs/questions.md says how."
        ) from None
    return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
