"""The encoder extracted from its package file, and the weights trained for it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.diarization.torchaudio_stand_in import spare_torchaudio
from models.registry import ChangedWeightsError, MissingWeightsError, UnknownModelError, load_registry
from models.text import e5
from models.text.e5 import SOURCE_NAME, _dequantise, build_encoder
from models.text.loading import FACTS, MODELS_DIR, WEIGHTS, checked, get_turn_model

SOURCE = MODELS_DIR / "multilingual-e5-small" / SOURCE_NAME
needs_weights = pytest.mark.skipif(not SOURCE.is_file(), reason="weights are not here: `make setup` brings them")


@needs_weights
def test_the_encoder_computes_what_the_bert_of_transformers_does(tmp_path: Path) -> None:
    spare_torchaudio()
    from ctranslate2 import Encoder
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    folder = build_encoder(SOURCE, tmp_path)
    state, config = e5.pretrained(SOURCE)
    model = BertModel(BertConfig(**config), add_pooling_layer=False).eval()
    model.load_state_dict({name: torch.tensor(tensor.astype(np.float16)).float() for name, tensor in state.items()})  # as they are stored
    tokenizer, encoder = Tokenizer.from_file(str(folder / "tokenizer.json")), Encoder(str(folder), compute_type="float32")
    for text in ("Спасибо, до свидания.", "A számlám miatt hívom önöket, két napja nem működik semmi."):
        ids = tokenizer.encode(text).ids
        with torch.inference_mode():
            expected = model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
        assert np.allclose(np.asarray(encoder.forward_batch([ids]).last_hidden_state)[0], expected, atol=1e-3)


def test_every_profile_has_a_text_model_and_a_wrong_one_is_named() -> None:
    assert all("text" in jobs for jobs in load_registry().profiles.values())
    with pytest.raises(UnknownModelError, match="laptop"):
        get_turn_model("laptop")


def test_missing_and_changed_weights_are_never_loaded(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="callgrade models"):
        build_encoder(tmp_path / SOURCE_NAME, tmp_path)
    with pytest.raises(MissingWeightsError):
        get_turn_model("offline", tmp_path)
    (tmp_path / SOURCE_NAME).write_bytes(b"E5S1 something else")
    with pytest.raises(ChangedWeightsError):
        build_encoder(tmp_path / SOURCE_NAME, tmp_path)
    assert not (tmp_path / "model.bin").exists()


def test_fine_tuned_weights_that_are_not_the_pinned_ones_are_reported(tmp_path: Path) -> None:
    assert checked() == WEIGHTS and WEIGHTS.stat().st_size < 60_000_000
    (tmp_path / WEIGHTS.name).write_bytes(WEIGHTS.read_bytes() + b" ")
    for path in (tmp_path / WEIGHTS.name, tmp_path / "nothing.safetensors"):
        with pytest.raises(ChangedWeightsError, match="train_turn_model"):
            checked(path, FACTS)


@given(st.lists(st.integers(0, 15), min_size=32, max_size=32), st.sampled_from([0.001, 0.0123, 0.25, 1.0, 7.5]))
def test_a_block_of_four_bit_numbers_comes_back(numbers: list[int], scale: float) -> None:
    block = struct.pack("<e", scale) + bytes(numbers[j] | numbers[j + 16] << 4 for j in range(16))
    expected = (np.array(numbers) - 8) * np.float32(np.float16(scale))
    assert np.allclose(_dequantise(np.frombuffer(block, np.uint8).reshape(1, 18)), expected)
