"""A verdict's confidence is a measured probability, and each criterion has its fitted limit in each language."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.languages.language import LANGUAGES
from pipelines.core.errors import MisconfiguredError
from pipelines.score.calibration import ANY, KINDS, OPEN, Calibration, CalibrationLine, load_calibration, read_calibration
from tests.score.spoken import turns_of
from tests.score.test_compliance import GOOD, verdicts


@given(
    st.sampled_from(KINDS),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(("farewell", "empathy_shown", "of_one_centre")),
    st.sampled_from(LANGUAGES),
)
def test_stronger_evidence_is_never_less_certain(kind: str, one: float, other: float, criterion: str, language: str) -> None:
    measured = load_calibration()
    low, high = (measured.confidence(kind, strength, criterion, language) for strength in sorted((one, other)))
    assert 0 <= low <= high <= 1


@given(st.floats(0.01, 0.99), st.sampled_from(KINDS))
def test_what_was_never_measured_is_as_certain_as_its_evidence(strength: float, kind: str) -> None:
    assert OPEN.confidence(kind, strength, "anything", "ru") == pytest.approx(strength, abs=0.005)


def test_a_criterion_without_a_limit_in_a_language_takes_the_next_wider_one() -> None:
    some = Calibration("1", thresholds={("farewell", "hu"): 0.9, ("farewell", ANY): 0.8, (ANY, "ru"): 0.7, (ANY, ANY): 0.6})
    assert [some.threshold(*name) for name in (("farewell", "hu"), ("farewell", "ru"), ("of_one_centre", "ru"), ("of_one_centre", "uk"))] == [
        0.9, 0.8, 0.7, 0.6,
    ]  # fmt: skip


def test_no_fail_is_less_certain_than_any_fail_must_be() -> None:
    some = Calibration("1", thresholds={(ANY, ANY): 0.6}, least_to_fail=0.9)
    assert some.decides("pass", 0.7, "farewell", "ru") and not some.decides("fail", 0.7, "farewell", "ru")
    assert some.decides("fail", 0.95, "farewell", "ru")


def test_a_verdict_under_its_limit_goes_to_a_person_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = Calibration("strict", {"said": CalibrationLine()}, thresholds={("farewell", ANY): 0.999})
    monkeypatch.setattr("pipelines.score.compliance.load_calibration", lambda: strict)
    got = verdicts("irkutsk", turns_of(*GOOD))
    assert (got["farewell"].verdict, got["farewell"].points) == ("unsure", 0.0)
    assert got["farewell"].explanation == "Something similar was heard, but not clearly enough to decide."
    assert got["greeting"].verdict == "pass"


def test_the_shipped_limits_know_every_language_and_ask_more_of_a_fail() -> None:
    measured = load_calibration()
    assert {language for _, language in measured.thresholds} == {ANY, *LANGUAGES}
    assert set(measured.kinds) == set(KINDS) and int(measured.version) >= 1
    assert measured.least_to_fail > measured.threshold(ANY, ANY) > 0.5


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("thresholds: {any: {any: 7}}", "it must be from 0 to 1"),
        ("kinds: {guessed: {offset: 1}}", "'guessed' is not known"),
        ("wishes: 3", "'wishes' is not known"),
    ],
)
def test_a_limit_that_is_written_wrongly_is_reported_with_its_line(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "thresholds.yaml"
    file.write_text(f'version: "1"\n{line}\n', encoding="utf-8")
    with pytest.raises(MisconfiguredError, match=says) as error:
        read_calibration(file)
    assert "line 2" in str(error.value)
