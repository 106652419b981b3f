"""The turn model preprocesses calls alike in training and use; simulated recognition errors keep the labels of words in place."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.text.e5 import SOURCE_NAME, build_encoder
from models.text.loading import checked, get_turn_model
from models.text.turn_model import ACTS, KINDS, PIECES_AFTER, PIECES_BEFORE, SEVERITIES, Pieces, TurnModel, TurnText
from models.training.dialogues import read_dialogue
from models.training.learn_noise import habits_of
from models.training.noise import Noise, add_errors, bare, masked, misheard, with_digits
from pipelines.core.settings import ROOT, Settings

SOURCE = Settings.from_environment().models_dir / "multilingual-e5-small" / SOURCE_NAME
SCRIPTS = sorted((ROOT / "tests" / "quality" / "dialogues").rglob("*.yaml"))


def test_numbers_are_written_in_digits_without_joining_what_a_stop_parts() -> None:
    words, labels = ["сорок", "пять,", "ноль", "три", "рубля"], ["account"] * 4 + [""]

    written, kept = with_digits(words, labels, "ru", random.Random(0))

    assert "".join(w for w, label in zip(written, kept, strict=True) if label).replace(",", "") == "4503"
    assert written[-1] == "рубля" and kept[-1] == ""


def test_masking_leaves_one_placeholder_a_piece_and_nothing_to_find() -> None:
    assert masked(["Анна", "Петрова,", "код", "роза"], ["name", "name", "", "code_word"]) == (["[NAME]", "код", "[CODE_WORD]"], [""] * 3)
    assert bare(["[NAME]", "Да!", "—"], ["", "", ""]) == (["[NAME]", "да"], ["", ""])


@pytest.mark.parametrize("seed", range(20))
def test_damage_never_parts_words_from_their_labels(seed: int) -> None:
    draw = random.Random(seed)
    for path in SCRIPTS[seed::20]:
        for turn in read_dialogue(path).turns:
            words, labels = add_errors(turn.words, turn.personal, turn.language, Noise.drawn(draw), draw)
            assert len(words) == len(labels) and set(labels) <= set(turn.personal) | {""}
            misread, kept = misheard(turn.words, turn.personal, turn.language, 0.2, draw)
            assert len(misread) == len(kept)


def test_recognition_errors_are_learned_from_spoken_and_recognised_words() -> None:
    habits = habits_of([("добрый день это анна слушаю вас", "добрый день эта анна вас"), ("я слушаю вас тут", "яслушаю вас тут")])

    assert (habits["words"], habits["lost"], habits["joined"]) == (10, 0.333, 0.333)
    assert habits["edits"] == [1, 0, 0, 0]


def test_noise_takes_as_many_words_as_requested() -> None:
    words = ["слово"] * 2000
    recognised, _ = misheard(words, [""] * len(words), "ru", 0.2, random.Random(1))
    assert 0.1 < sum(word != "слово" for word in recognised) / len(words) < 0.25


@pytest.mark.slow
@pytest.mark.skipif(not SOURCE.is_file(), reason="the pretrained encoder is not installed: make setup")
def test_what_was_trained_is_what_is_used(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import torch

    from models.training.network import batches, fit, rows_of, save, topics_of
    from models.training.train_turn_model import report

    dialogues = [read_dialogue(path) for path in SCRIPTS[:3]]
    network, pieces = fit(dialogues, SOURCE.parents[1], epochs=1, seed=1, say=lambda _: None)
    save(network, tmp_path / "turn_model.safetensors")
    model = TurnModel(build_encoder(SOURCE, tmp_path / "encoder", tmp_path / "turn_model.safetensors"), tmp_path / "turn_model.safetensors")

    readings = model.read([[TurnText(turn.words, turn.role) for turn in dialogue.turns] for dialogue in dialogues])

    assert (tmp_path / "turn_model.safetensors").stat().st_size < 60_000_000
    network.eval()
    for batch, rows in batches(rows_of(dialogues, pieces, topics_of(dialogues)), pieces, 1):  # a call a batch
        with torch.no_grad():
            found = network(batch["ids"], batch["mask"], batch["turn"], batch["call"])
        reading, call = readings[rows[0].example.call], dialogues[rows[0].example.call]
        acts = np.array([[turn.acts[act] for act in ACTS] for turn in reading.turns])
        severity = np.array([[turn.severity[name] for name in SEVERITIES] for turn in reading.turns])
        assert np.allclose(acts, torch.sigmoid(found["acts"]).numpy(), atol=0.02)
        assert np.allclose(severity, torch.softmax(found["severity"], -1).numpy(), atol=0.02)
        assert [turn.personal.shape for turn in reading.turns] == [(len(turn.words), len(KINDS)) for turn in call.turns]
        assert reading.topics.keys() == set(topics_of(dialogues))
    assert "abuse F1" in report(model, dialogues)


def test_a_call_of_any_length_is_read_turn_by_turn() -> None:
    if not SOURCE.is_file():
        pytest.skip("the pretrained encoder is not installed: make setup")
    call = [TurnText(("слово",) * 700, "client"), TurnText((), "operator"), *[TurnText(("да", "нет"), "client")] * 400]
    (reading,) = get_turn_model("offline", SOURCE.parents[1]).read([call])
    assert [turn.personal.shape[0] for turn in reading.turns] == [len(turn.words) for turn in call]
    assert get_turn_model("offline", SOURCE.parents[1]).read([[]])[0].turns == ()


@pytest.mark.skipif(not SOURCE.is_file(), reason="the pretrained encoder is not installed: make setup")
@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from(["да", "сорок", "необыкновенный", "ok."]), max_size=60), max_size=12), st.integers(20, 120))
def test_each_word_stands_in_exactly_one_window_of_bounded_length(call: list[list[str]], most: int) -> None:
    pieces = _pieces()
    windows = pieces.windows([TurnText(tuple(words), "client") for words in call], most)
    held = [{(t, w) for t, w in zip(one.turn_of, one.word_of, strict=True) if t >= 0} for one in windows]
    assert sum(map(len, held)) == len(set().union(*held)) == sum(map(len, call))
    assert all(len(one.ids) <= most + PIECES_BEFORE + PIECES_AFTER + 2 for one in windows)


@cache
def _pieces() -> Pieces:
    return Pieces(build_encoder(SOURCE, SOURCE.parent, checked()))


def test_a_word_is_cut_into_the_same_pieces_alone_and_in_a_sentence() -> None:
    if not SOURCE.is_file():
        pytest.skip("the pretrained encoder is not installed: make setup")
    pieces = _pieces()
    text = "Добрий день, це Kredo Telecom! Őszintén, 4503."

    assert [p for word in text.split() for p in pieces.of(word)] == pieces.tokenizer.encode(text, add_special_tokens=False).ids
