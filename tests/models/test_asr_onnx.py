"""The onnx-asr engine on models that spell out tones: real ONNX files of the shape that GigaAM, Parakeet and T-one have."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from models import registry
from models.asr import engine as asr
from models.asr import loading, whisper
from models.asr.onnx import TOKEN_S, Onnx, join_tokens

TONES_HZ = {" ": 400, "д": 700, "а": 1000, "н": 1400, "е": 1900, "т": 2600}
SLOT_S, TONE_S = 0.32, 0.16  # a letter: a tone and a pause
FLOAT, INT64, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32


def spoken(text: str, lead_s: float = 0.2) -> asr.Samples:
    """A sound that the tiny models hear as the text."""
    times = np.arange(int(TONE_S * asr.RATE_HZ)) / asr.RATE_HZ
    sound = np.zeros(int((lead_s + len(text) * SLOT_S) * asr.RATE_HZ), np.float32)
    for i, letter in enumerate(text):
        first = int((lead_s + i * SLOT_S) * asr.RATE_HZ)
        sound[first : first + len(times)] = 0.3 * np.sin(2 * np.pi * TONES_HZ[letter] * times)
    return sound


def save(folder: Path, name: str, nodes: Sequence[onnx.NodeProto], inputs: Any, outputs: Any, constants: Any) -> None:
    """One ONNX file; inputs and outputs are (name, type, shape), constants (name, array)."""
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info(*o) for o in outputs],
        [onnx.numpy_helper.from_array(array, name=key) for key, array in constants],
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), folder / name)


def write_vocabulary(folder: Path, name: str) -> None:
    letters = ["\u2581" if letter == " " else letter for letter in TONES_HZ] + ["<blk>"]
    (folder / name).write_text("".join(f"{letter} {i}\n" for i, letter in enumerate(letters)), encoding="utf-8")


def mel_weights(bins: Sequence[int], size: int) -> np.ndarray:
    """Each letter's score is the loudness of its tone's mel band; the blank's is nought."""
    weights = np.zeros((size, len(bins) + 1), np.float32)
    weights[list(bins), range(len(bins))] = 1
    return weights


def gigaam(folder: Path) -> tuple[str, list[str]]:
    bias = np.zeros(7, np.float32)
    bias[6] = -3
    nodes = [
        helper.make_node("AveragePool", ["features"], ["pooled"], kernel_shape=[4], strides=[4], ceil_mode=1),
        helper.make_node("Transpose", ["pooled"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["frames", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["biased"]),
        helper.make_node("LogSoftmax", ["biased"], ["log_probs"], axis=-1),
    ]
    inputs = [("features", FLOAT, ["b", 64, "t"]), ("feature_lengths", INT64, ["b"])]
    constants = [("weights", mel_weights([11, 17, 22, 27, 33, 39], 64)), ("bias", bias)]
    save(folder, "v3_e2e_ctc.int8.onnx", nodes, inputs, [("log_probs", FLOAT, ["b", "f", 7])], constants)
    write_vocabulary(folder, "v3_e2e_ctc_vocab.txt")
    config = {"model_type": "gigaam", "version": "v3", "features_size": 64, "subsampling_factor": 4, "max_tokens_per_step": 3}
    (folder / "config.json").write_text(json.dumps(config))
    return "gigaam-v3-e2e-ctc", ["v3_e2e_ctc.int8.onnx", "v3_e2e_ctc_vocab.txt", "config.json"]


def parakeet(folder: Path) -> tuple[str, list[str]]:
    """Token-and-duration transducer: a letter lasts four frames of 80 ms, a blank one."""
    nodes = [
        helper.make_node("AveragePool", ["audio_signal"], ["pooled"], kernel_shape=[8], strides=[8], ceil_mode=1),
        helper.make_node("Transpose", ["pooled"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["frames", "weights"], ["letters"]),
        helper.make_node("ReduceMax", ["letters"], ["loudest"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["loudest", "nothing"], ["none"]),
        helper.make_node("Add", ["none", "one"], ["blank"]),
        helper.make_node("Sub", ["none", "one"], ["never"]),  # durations of 0, 2 and 3 frames
        helper.make_node("Concat", ["letters", "blank", "never", "blank", "never", "never", "loudest"], ["all"], axis=2),
        helper.make_node("Transpose", ["all"], ["outputs"], perm=[0, 2, 1]),
        helper.make_node("Add", ["length", "seven"], ["more"]),
        helper.make_node("Div", ["more", "eight"], ["encoded_lengths"]),
    ]
    inputs = [("audio_signal", FLOAT, ["b", 128, "t"]), ("length", INT64, ["b"])]
    outputs = [("outputs", FLOAT, ["b", 12, "f"]), ("encoded_lengths", INT64, ["b"])]
    weights = mel_weights([16, 28, 42, 56, 68, 81], 128)[:, :6]
    numbers = {"nothing": np.float32(0), "one": np.float32(1), "seven": np.int64(7), "eight": np.int64(8)}
    constants = [("weights", weights), *((name, np.array(number)) for name, number in numbers.items())]
    save(folder, "encoder-model.int8.onnx", nodes, inputs, outputs, constants)
    states = [("input_states_1", FLOAT, [2, 1, 4]), ("input_states_2", FLOAT, [2, 1, 4])]
    nodes = [
        helper.make_node("Transpose", ["encoder_outputs"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("Unsqueeze", ["turned", "axis"], ["outputs"]),
        *(helper.make_node("Identity", [f"input_states_{i}"], [f"output_states_{i}"]) for i in (1, 2)),
    ]
    inputs = [("encoder_outputs", FLOAT, [1, 12, 1]), ("targets", INT32, [1, 1]), ("target_length", INT32, [1]), *states]
    outputs = [("outputs", FLOAT, [1, 1, 1, 12]), *((f"output_states_{i}", FLOAT, [2, 1, 4]) for i in (1, 2))]
    save(folder, "decoder_joint-model.int8.onnx", nodes, inputs, outputs, [("axis", np.array([2]))])
    write_vocabulary(folder, "vocab.txt")
    (folder / "config.json").write_text(json.dumps({"model_type": "nemo-conformer-tdt", "features_size": 128, "subsampling_factor": 8}))
    return "nemo-parakeet-tdt-0.6b-v3", ["encoder-model.int8.onnx", "decoder_joint-model.int8.onnx", "vocab.txt", "config.json"]


def t_one(folder: Path) -> tuple[str, list[str]]:
    """Frames of 30 ms of a sound at 8 kHz, each matched with the letters' tones by a bank of filters."""
    times = np.arange(240) / 8000
    bank = [wave(2 * np.pi * hz * times) for hz in TONES_HZ.values() for wave in (np.sin, np.cos)]
    pairs = np.repeat(np.eye(6, 7, dtype=np.float32), 2, axis=0)
    bias = np.zeros(7, np.float32)
    bias[6] = 30
    nodes = [
        helper.make_node("Cast", ["signal"], ["loud"], to=FLOAT),
        helper.make_node("Div", ["loud", "full"], ["wave"]),
        helper.make_node("Reshape", ["wave", "cut"], ["frames"]),
        helper.make_node("MatMul", ["frames", "bank"], ["matched"]),
        helper.make_node("Mul", ["matched", "matched"], ["power"]),
        helper.make_node("MatMul", ["power", "pairs"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["biased"]),
        helper.make_node("LogSoftmax", ["biased"], ["logprobs"], axis=-1),
        helper.make_node("Identity", ["state"], ["state_next"]),
    ]
    constants = [
        ("full", np.array(2**15 - 1, np.float32)),
        ("cut", np.array([-1, 10, 240])),
        ("bank", np.array(bank, np.float32).T.copy()),
        ("pairs", pairs),
        ("bias", bias),
    ]
    inputs = [("signal", INT32, ["b", 2400, 1]), ("state", TensorProto.FLOAT16, ["b", 3])]
    outputs = [("logprobs", FLOAT, ["b", 10, 7]), ("state_next", TensorProto.FLOAT16, ["b", 3])]
    save(folder, "model.onnx", nodes, inputs, outputs, constants)
    config = {"decoder_params": {"vocabulary": list(TONES_HZ)}, "pad_token_id": 6, "encoder_params": {"reduction_kernel_size": 3}}
    (folder / "config.json").write_text(json.dumps({"model_type": "t-one", **config}))
    return "t-one-ctc", ["model.onnx", "config.json"]


def tiny(models_dir: Path, make: Callable[[Path], tuple[str, list[str]]], batch_size: int = 8) -> registry.ModelEntry:
    """An entry of the registry for a tiny model that now lies in the models directory."""
    folder = models_dir / make.__name__
    model, names = make(folder)
    files = tuple(registry.WeightsFile(f"{make.__name__}/{name}", registry.sha256_of(folder / name), ()) for name in names)
    parameters = {"model": model, "device": "cpu", "batch_size": batch_size, "quantization": None if make is t_one else "int8"}
    return registry.ModelEntry(make.__name__, "onnx-asr", "pypi", "MIT", ("ru", "uk"), 1, "test", files, parameters=parameters)


FAMILIES = pytest.mark.parametrize("make", [gigaam, parakeet, t_one])


@FAMILIES
def test_tones_become_words_with_times_inside_the_sound(tmp_path: Path, make: Callable[[Path], tuple[str, list[str]]]) -> None:
    sound = spoken("да нет а")
    (found,) = Onnx(tiny(tmp_path, make), tmp_path).transcribe_chunks([asr.Chunk(sound, ("ru",))])
    heard = found["ru"]
    assert [word.text for word in heard.words] == ["да", "нет", "а"]
    for word, place in zip(heard.words, (0, 3, 7), strict=True):
        assert word.start_s == pytest.approx(0.2 + place * SLOT_S, abs=0.1)
        assert word.start_s < word.end_s <= word.start_s + len(word.text) * SLOT_S + 0.01
        assert 0.2 < word.probability <= 1
    assert heard.words[-1].end_s <= len(sound) / asr.RATE_HZ
    assert -2 < heard.mean_logprob <= 0
    assert heard.no_speech_probability == 0
    assert not heard.is_doubtful


@FAMILIES
def test_the_words_do_not_depend_on_the_batch(tmp_path: Path, make: Callable[[Path], tuple[str, list[str]]]) -> None:
    # every sound has every tone: Parakeet's input is normalised in each band, so a missing tone would become amplified noise
    texts = ["да нет", "нет нет да", "тан де", "да да нет", "тена да", "дан не те", "нет а да нет да"]
    chunks = [asr.Chunk(spoken(text, 0.1 + 0.07 * i), ("ru",)) for i, text in enumerate(texts)]
    alone = [Onnx(tiny(tmp_path, make, batch_size=1), tmp_path).transcribe_chunks([chunk])[0]["ru"] for chunk in chunks]
    assert [" ".join(word.text for word in heard.words) for heard in alone] == texts
    engine = Onnx(tiny(tmp_path, make, batch_size=3), tmp_path)
    for order in (range(7), (6, 2, 4, 0, 5, 1, 3)):
        for i, found in zip(order, engine.transcribe_chunks([chunks[i] for i in order]), strict=True):
            assert [(w.text, w.start_s, w.end_s) for w in found["ru"].words] == [(w.text, w.start_s, w.end_s) for w in alone[i].words]
            assert found["ru"].mean_logprob == pytest.approx(alone[i].mean_logprob, abs=1e-3)


@FAMILIES
def test_silence_and_hardly_any_sound_have_no_words(tmp_path: Path, make: Callable[[Path], tuple[str, list[str]]]) -> None:
    sounds = [np.zeros(n, np.float32) for n in (0, 7, 16_000)]
    for found in Onnx(tiny(tmp_path, make), tmp_path).transcribe_chunks([asr.Chunk(sound, ("ru",)) for sound in sounds]):
        assert found == {"ru": asr.ChunkTranscript((), 0.0, 0.0)}


def test_a_changed_file_is_never_loaded(tmp_path: Path) -> None:
    entry = tiny(tmp_path, gigaam)
    (tmp_path / "gigaam/v3_e2e_ctc_vocab.txt").write_text("а 0\n")
    with pytest.raises(registry.ChangedWeightsError, match=r"v3_e2e_ctc_vocab\.txt differs from the file"):
        Onnx(entry, tmp_path)


def test_what_onnx_asr_cannot_load_and_a_missing_device_are_reported(tmp_path: Path) -> None:
    entry = tiny(tmp_path, gigaam)
    values = {
        "engine": "onnx-asr",
        "source": "pypi",
        "licence": "",
        "languages": ("ru",),
        "memory_mb": 1,
        "origin": "",
        "files": entry.files,
    }
    other = registry.ModelEntry("other", **values, parameters={**entry.parameters, "quantization": "int4"})  # type: ignore[arg-type]
    with pytest.raises(registry.ModelError, match=r"other in .*int4"):
        Onnx(other, tmp_path)
    card = registry.ModelEntry("card", **values, parameters={**entry.parameters, "device": "cuda"})  # type: ignore[arg-type]
    with pytest.raises(registry.ModelError, match="onnxruntime-gpu"):
        Onnx(card, tmp_path)


class FakeWhisper:
    """Says which languages it was asked for, and takes every sound for Russian."""

    def __init__(self, entry: registry.ModelEntry, models_dir: Path) -> None:
        self.asked: list[tuple[str, ...]] = []

    def language_probabilities(self, sounds: Sequence[asr.Samples], languages: Sequence[str]) -> list[dict[str, float]]:
        return [{language: float(language == "ru") for language in languages} for _ in sounds]

    def transcribe_chunks(self, chunks: Sequence[asr.Chunk]) -> list[dict[str, asr.ChunkTranscript]]:
        self.asked += [chunk.languages for chunk in chunks]
        return [{language: asr.ChunkTranscript((asr.ChunkWord(0, 1, "default", 1),), 0, 0) for language in c.languages} for c in chunks]


@pytest.mark.parametrize(
    ("own", "to_onnx"),
    [(("ru",), {("ru",)}), (("ru", "uk"), {("ru",), ("uk",), ("ru", "uk")})],
    ids=["one language", "both rivals"],
)
def test_a_profile_sends_each_language_to_its_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: tuple[str, ...], to_onnx: set[tuple[str, ...]]
) -> None:
    entry, real = tiny(tmp_path, gigaam), registry.load_registry()
    asked_for = {"default": "whisper-base", **dict.fromkeys(own, "gigaam")}
    routed = registry.Registry({**real.models, "gigaam": entry}, {"offline": {**real.profiles["offline"], "asr": asked_for}})
    monkeypatch.setattr(registry, "load_registry", lambda: routed)
    monkeypatch.setattr(whisper, "Whisper", FakeWhisper)
    recogniser = loading.get_recogniser.__wrapped__("offline", tmp_path)
    assert recogniser.language_probabilities([spoken("да")], ["hu", "ru"]) == [{"hu": 0.0, "ru": 1.0}]
    asked: list[tuple[str, ...]] = [("ru",), ("hu",), ("ru", "uk"), ("uk",), ("ru",)]
    sounds = [spoken(text) for text in ("да", "нет", "да нет", "а", "нет да")]
    found = recogniser.transcribe_chunks([asr.Chunk(sound, languages) for sound, languages in zip(sounds, asked, strict=True)])
    for languages, text, result in zip(asked, ("да", "нет", "да нет", "а", "нет да"), found, strict=True):
        if languages in to_onnx:  # no letter of the tones belongs to only one language, so the first one is used
            assert {k: " ".join(w.text for w in heard.words) for k, heard in result.items()} == {languages[0]: text}
        else:
            assert {k: heard.words[0].text for k, heard in result.items()} == dict.fromkeys(languages, "default")


def test_a_profile_with_one_engine_is_that_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "Whisper", FakeWhisper)
    assert isinstance(loading.get_recogniser.__wrapped__("offline", tmp_path), FakeWhisper)


def test_tokens_are_joined_by_their_leading_space_and_punctuation_stays_with_its_word() -> None:
    tokens = ["\u2581при", "вет", ",", " ", "<unk>", "мир", "\u2581—", "\u2581д", "а"]
    starts = [0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 1.5, 2.0, 2.0]
    words = join_tokens(tokens, starts, [-0.1] * 9, 2.1)
    assert [(w.text, w.start_s) for w in words] == [("привет,", 0.1), ("мир—", 0.8), ("да", 2.0)]
    assert [w.end_s for w in words] == [0.6, pytest.approx(0.8 + TOKEN_S), 2.1]


@given(
    st.lists(st.tuples(st.sampled_from(["\u2581да", "нет", " ", "?", "<unk>", "\u2581"]), st.floats(0, 3), st.floats(-9, 0)), max_size=20)
)
def test_words_never_overlap_and_never_leave_the_sound(heard: list[tuple[str, float, float]]) -> None:
    starts = sorted(at for _, at, _ in heard)
    words = join_tokens([token for token, _, _ in heard], starts, [log for _, _, log in heard], 2.5)
    assert all(0 <= word.start_s <= word.end_s <= 2.5 and 0 <= word.probability <= 1 for word in words)
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(words))
    assert "".join(word.text for word in words).count("да") == sum(token.endswith("да") for token, _, _ in heard)
