from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import Role, Token, Turn
from pipelines.core.settings import Settings
from pipelines.quality.recognition import compare, measure

REFERENCE = [
    {"role": "operator", "start_s": 0.0, "end_s": 2.0, "text": "Добрый день, чем могу помочь?"},
    {"role": "client", "start_s": 2.0, "end_s": 5.0, "text": "Передать показания счётчика."},
]


def recognised_turn(turn_no: int, role: Role, start_s: float, end_s: float, text: str) -> Turn:
    words = text.split()
    step_s = (end_s - start_s) / len(words)
    tokens = tuple(Token(w, start_s + n * step_s, start_s + (n + 1) * step_s, 0.9) for n, w in enumerate(words))
    return Turn("c", turn_no, 0, role, role, 0.9, start_s, end_s, tokens, "ru", 0.9, None, False, 0.0, False)


def test_case_punctuation_and_yo_are_no_errors() -> None:
    turns = [
        recognised_turn(1, "operator", 0, 2, "добрый день чем могу помочь"),
        recognised_turn(2, "client", 2, 5, "передать показания счетчика"),
    ]
    result = compare("c", "v", REFERENCE, turns)
    assert (result.words, result.word_error_ratio, result.role_right_ratio, result.role_given_ratio) == (8, 0.0, 1.0, 1.0)


def test_wrong_words_and_swapped_roles_are_counted() -> None:
    turns = [
        recognised_turn(1, "client", 0, 2, "добрый день чем могу помочь"),
        recognised_turn(2, "client", 2, 5, "передать названия счетчика"),
    ]
    result = compare("c", "v", REFERENCE, turns)
    assert result.word_error_ratio == pytest.approx(1 / 8)
    assert result.role_right_ratio == pytest.approx(3 / 5)


def test_an_unknown_role_lowers_what_was_given_and_not_what_is_right() -> None:
    turns = [
        recognised_turn(1, "unknown", 0, 2, "добрый день чем могу помочь"),
        recognised_turn(2, "client", 2, 5, "передать показания счетчика"),
    ]
    result = compare("c", "v", REFERENCE, turns)
    assert (result.role_right_ratio, result.role_given_ratio) == (1.0, 0.6)


def test_a_call_without_recognised_words_has_only_errors() -> None:
    result = compare("c", "v", REFERENCE, [])
    assert (result.word_error_ratio, result.role_right_ratio, result.role_given_ratio) == (1.0, 0.0, 0.0)


def test_a_folder_without_a_reference_says_what_is_missing(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "calls.csv").write_text("call_id,centre,recording\n", encoding="utf-8")
    with pytest.raises(MisconfiguredError, match=r"reference/<call_id>\.json"):
        measure(tmp_path, settings)
