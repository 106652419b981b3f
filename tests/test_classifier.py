"""The sentence encoder and its sentiment head, with the real weights."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.classifier import HEAD, LABELS, MODELS_DIR, TextClassifier, get_classifier
from models.encoder import SOURCE_NAME, _dequantise, build_encoder
from models.registry import ChangedWeightsError, MissingWeightsError, ModelError, UnknownModelError, load_registry, sha256_of
from models.train_sentiment import OWN, as_recognised, own_turns

ROOT = Path(__file__).resolve().parents[1]
SOURCE = MODELS_DIR / "multilingual-e5-small" / SOURCE_NAME
needs_weights = pytest.mark.skipif(not SOURCE.is_file(), reason="weights are not here: `make setup` brings them")


class Fixed:
    """An encoder whose vectors are given."""

    def __init__(self, width: int) -> None:
        self.width = width

    def embed(self, texts: list[str]) -> np.ndarray:
        return np.full((len(texts), self.width), 0.05, dtype=np.float32)


@needs_weights
def test_one_meaning_in_four_languages_is_nearer_than_another_meaning() -> None:
    same = ["Интернет не работает", "Інтернет не працює", "Nem működik az internet", "The internet is not working"]
    vectors = get_classifier().embed([*same, "Спасибо, всего доброго"])
    assert vectors.shape == (5, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    near = vectors @ vectors.T
    assert near[:4, :4].min() > near[:4, 4].max()


@needs_weights
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Большое вам спасибо, всё заработало!", "positive"),
        ("Щиро дякую, ви мені дуже допомогли!", "positive"),
        ("Nagyon köszönöm a segítséget!", "positive"),
        ("Thank you so much, you were a great help!", "positive"),
        ("Это просто безобразие, неделю жду мастера!", "negative"),
        ("Це неподобство, тиждень чекаю майстра!", "negative"),
        ("Ez felháborító, egy hete várok a szerelőre!", "negative"),
        ("This is outrageous, I've been waiting a week!", "negative"),
        ("Номер договора семнадцать, сорок два.", "neutral"),
        ("Номер договору сімнадцять, сорок два.", "neutral"),
        ("A szerződésszám tizenhét, negyvenkettő.", "neutral"),
        ("The contract number is seventeen, forty two.", "neutral"),
    ],
)
def test_plain_turns_are_read_as_a_person_reads_them(text: str, label: str) -> None:
    found, confidence = get_classifier().sentiment([text])[0]
    assert found == label and 1 / 3 < confidence <= 1


@needs_weights
def test_a_text_is_read_alike_alone_and_in_company() -> None:
    classifier = get_classifier()
    alone = classifier.probabilities(["Спасибо, до свидания."])
    together = classifier.probabilities(["Слово", "Спасибо, до свидания.", "Очень длинная жалоба " * 30])
    assert np.allclose(alone[0], together[1], atol=1e-3)
    assert classifier.sentiment([]) == []


def test_a_head_for_another_encoder_is_told_and_not_guessed() -> None:
    with pytest.raises(ModelError, match="384 numbers, the encoder gives 7"):
        TextClassifier(Fixed(7)).sentiment(["text"])


def test_probabilities_add_up_to_one() -> None:
    rows = TextClassifier(Fixed(384)).probabilities(["one", "two"])
    assert rows.shape == (2, len(LABELS)) and np.allclose(rows.sum(axis=1), 1, atol=1e-6)


def test_every_profile_has_a_text_model_and_a_wrong_one_is_named() -> None:
    assert all("text" in jobs for jobs in load_registry().profiles.values())
    with pytest.raises(UnknownModelError, match="laptop"):
        get_classifier("laptop")


def test_missing_and_changed_weights_are_never_loaded(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="callgrade models"):
        build_encoder(tmp_path / SOURCE_NAME, tmp_path)
    with pytest.raises(MissingWeightsError):
        get_classifier("offline", tmp_path)
    (tmp_path / SOURCE_NAME).write_bytes(b"E5S1 something else")
    with pytest.raises(ChangedWeightsError):
        build_encoder(tmp_path / SOURCE_NAME, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


@given(st.lists(st.integers(0, 15), min_size=32, max_size=32), st.sampled_from([0.001, 0.0123, 0.25, 1.0, 7.5]))
def test_a_block_of_four_bit_numbers_comes_back(numbers: list[int], scale: float) -> None:
    block = struct.pack("<e", scale) + bytes(numbers[j] | numbers[j + 16] << 4 for j in range(16))
    expected = (np.array(numbers) - 8) * np.float32(np.float16(scale))
    assert np.allclose(_dequantise(np.frombuffer(block, np.uint8).reshape(1, 18)), expected)


def test_the_turns_for_training_are_balanced_and_all_different() -> None:
    turns = own_turns()
    assert len(turns) > 300 and len({text for text, _ in turns}) == len(turns)
    counts = [sum(label == wanted for _, label in turns) for wanted in LABELS]
    assert min(counts) > 0.75 * max(counts)
    languages = yaml.safe_load(OWN.read_text(encoding="utf-8"))
    assert set(languages) == {"ru", "uk", "hu", "en"}


@given(st.text(max_size=80), st.randoms(use_true_random=False))
def test_recognition_noise_only_takes_away(text: str, rng: object) -> None:
    assert len(as_recognised(text, rng)) <= len(text) * 3  # type: ignore[arg-type]


def test_the_model_card_names_the_head_that_ships() -> None:
    card = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert sha256_of(HEAD) in card and load_registry().models["multilingual-e5-small-full"].revision[:8] in card  # type: ignore[index]
