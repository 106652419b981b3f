"""Thresholds are fitted to measured verdicts: stricter where verdicts are wrong, and no separate limit for a language with few calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.languages.language import LANGUAGES
from pipelines.quality.fit_thresholds import GRID, LEAST, LEAST_TO_FAIL, WANTED, as_yaml, choose, fit, left_out, outcome, report
from pipelines.quality.measured import RECOGNISED, MeasuredVerdict, from_references
from pipelines.score.calibration import ANY, read_calibration

CENTRES = ("irkutsk", "kyiv", "odesa", "kredo", "motiv")


def some(
    n: int, wrong: int, criterion: str = "farewell", language: str = "ru", strength: float = 0.9, verdict: str = "pass"
) -> list[MeasuredVerdict]:
    """So many verdicts of one kind, the first of them wrong."""
    return [
        MeasuredVerdict(
            RECOGNISED, CENTRES[k % 5], language, criterion, verdict, "said" if verdict == "pass" else "absent",  # type: ignore[arg-type]
            strength, "other" if k < wrong else verdict,
        )
        for k in range(n)
    ]  # fmt: skip


def test_verdicts_that_are_nearly_always_right_need_no_more_than_the_least() -> None:
    chosen = choose(some(200, 1) + some(40, 1, "greeting", "uk"))
    assert chosen.threshold("farewell", "ru") == chosen.threshold("greeting", "uk") == LEAST


def test_a_criterion_whose_weaker_verdicts_are_often_wrong_keeps_only_the_stronger() -> None:
    chosen = choose(some(300, 2, "greeting") + some(80, 1, "empathy_shown", strength=0.95) + some(60, 24, "empathy_shown", strength=0.6))
    limit = chosen.threshold("empathy_shown", "ru")
    weak, strong = (chosen.confidence("said", strength, "empathy_shown", "ru") for strength in (0.6, 0.95))
    assert weak < limit <= strong
    assert chosen.threshold("greeting", "ru") == LEAST


def test_a_language_with_six_calls_stays_near_what_holds_everywhere() -> None:
    base = some(300, 3) + some(300, 3, language="uk")
    everywhere, few = choose(base).threshold("farewell", ANY), choose(base + some(6, 3, language="hu"))
    assert everywhere <= few.threshold("farewell", "hu") < everywhere + 0.15
    many = choose(base + some(120, 60, language="hu"))
    assert not many.decides("pass", many.confidence("said", 0.9, "farewell", "hu"), "farewell", "hu")
    assert many.decides("pass", many.confidence("said", 0.9, "farewell", "ru"), "farewell", "ru")


def test_a_fail_must_be_more_certain_where_fails_were_wrong() -> None:
    right = choose(some(300, 0) + some(100, 0, verdict="fail", strength=0.7))
    wrong = choose(some(300, 0) + some(100, 30, verdict="fail", strength=0.7) + some(100, 0, verdict="fail", strength=0.95))
    assert LEAST_TO_FAIL == right.least_to_fail <= wrong.least_to_fail
    assert not wrong.decides("fail", wrong.confidence("absent", 0.7, "farewell", "ru"), "farewell", "ru")


def test_the_confidence_that_is_fitted_is_how_often_verdicts_are_right() -> None:
    measured = some(400, 8, strength=0.7) + some(400, 160, "empathy_shown", strength=0.55)
    fitted = fit(measured)
    assert fitted.confidence("said", 0.7, "farewell", "ru") == pytest.approx(0.98, abs=0.03)
    assert fitted.confidence("said", 0.55, "empathy_shown", "ru") == pytest.approx(0.6, abs=0.06)


@settings(deadline=None, max_examples=25)  # timing is irrelevant here
@given(
    st.lists(st.tuples(st.sampled_from(LANGUAGES), st.integers(1, 30), st.integers(0, 30), st.floats(0.3, 0.99)), min_size=1, max_size=6)
)
def test_no_limit_leaves_the_grid_whatever_was_measured(groups: list[tuple[str, int, int, float]]) -> None:
    chosen = choose([m for language, n, wrong, strength in groups for m in some(n, wrong, language=language, strength=strength)])
    assert all(GRID[0] <= limit <= GRID[-1] for limit in chosen.thresholds.values())


def test_a_centre_is_judged_by_what_was_chosen_without_it() -> None:
    measured = some(100, 2) + some(100, 3, "greeting")
    pairs = left_out(measured)
    assert len(pairs) == 200 and len({id(calibration) for _, calibration in pairs}) == 5
    n, decided, right, wrong_fails = outcome(pairs)
    assert (n, wrong_fails) == (200, 0) and right <= decided <= n
    assert "each centre left out" in report(measured, choose(measured))


def test_what_was_chosen_reads_back_from_its_file(tmp_path: Path) -> None:
    measured = some(120, 3) + some(40, 10, "empathy_shown", "hu", 0.6) + some(30, 1, verdict="fail")
    chosen, file = choose(measured), tmp_path / "thresholds.yaml"
    file.write_text(as_yaml(chosen, "7", measured, WANTED), encoding="utf-8")
    read = read_calibration(file)
    assert (read.version, dict(read.thresholds), read.least_to_fail) == ("7", dict(chosen.thresholds), chosen.least_to_fail)
    assert read.confidence("said", 0.8, "farewell", "ru") == pytest.approx(chosen.confidence("said", 0.8, "farewell", "ru"))


def test_verdicts_are_measured_before_any_is_held_back(calls_folder: Path) -> None:
    measured = from_references(calls_folder)
    assert len({m.criterion for m in measured}) == 15 and {m.language for m in measured} == set(LANGUAGES)
    assert sum(m.is_right for m in measured) > 0.9 * len(measured)
