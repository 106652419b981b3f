"""A language model in the process: a tiny one with random weights, which loads from its folder without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.diarization.torchaudio_stand_in import spare_torchaudio
from pipelines.core.settings import Settings
from pipelines.questions.endpoint import Endpoint
from pipelines.questions.step import open_model
from tests.questions.asked import ARRIVAL, asked, centre_asking


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder as a hub has it: configuration, tokenizer with a chat template, weights."""
    spare_torchaudio()
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2, "yes": 3, "no": 4}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    folder = tmp_path / "tiny"
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=5, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, max_position_embeddings=4096,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_model_in_a_folder_answers_in_this_process(settings: Settings, monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    centre_asking(monkeypatch, ARRIVAL)
    chosen = settings.with_(questions_weights=weights, questions_retries=0)
    assert not isinstance(open_model(chosen), Endpoint)
    (answer,) = asked(chosen)
    assert (answer.model, answer.answer, answer.problem, answer.requests) == ("tiny", None, "malformed", 1)  # its words are random
    assert answer.prompt_tokens > 100 and 0 < answer.completion_tokens <= 400
