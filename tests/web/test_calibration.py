"""The measurement of agreement, and the criteria that the calibration page marks as trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reviews import agreement
from tests.web.people import People

ANSWERS = st.lists(st.lists(st.sampled_from(["pass", "fail", "na"]), min_size=1, max_size=5), max_size=25)


def alpha(groups: list[list[str]]) -> float | None:
    return agreement.agreement({str(n): [g] for n, g in enumerate(groups)}).alpha


def test_alpha_is_that_of_the_published_examples() -> None:
    # Three coders, 15 units, missing values (Wikipedia, Krippendorff's alpha): nominal 0.691
    rows = ["*****3412113 3*3".replace(" ", ""), "1*213343*******", "**21344*21133*4"]
    assert alpha([[row[n] for row in rows if row[n] != "*"] for n in range(15)]) == pytest.approx(0.691358, abs=1e-6)
    # Four observers, 12 units, five values (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section C): nominal 0.743
    rows = ["1233214 12***".replace(" ", ""), "1233224125*3", "*3332342251*", "12332441251*"]
    assert alpha([[row[n] for row in rows if row[n] != "*"] for n in range(12)]) == pytest.approx(0.743, abs=5e-4)
    # Two observers, 10 units, two values (same paper, section A): 0.095
    assert alpha([list(pair) for pair in zip("0100000000", "1110010010", strict=True)]) == pytest.approx(0.095, abs=5e-4)


@given(ANSWERS)
def test_alpha_and_percent_stay_in_bounds_and_know_no_order(groups: list[list[str]]) -> None:
    found = agreement.agreement({str(n): [g] for n, g in enumerate(groups)})
    turned = agreement.agreement({str(n): [g[::-1]] for n, g in enumerate(reversed(groups))})
    assert found.calls == sum(len(g) > 1 for g in groups) == turned.calls
    assert (found.alpha is None) == (turned.alpha is None) and found.alpha == pytest.approx(turned.alpha)
    if found.percent is None:
        assert found.calls == 0 and found.alpha is None
    else:
        assert 0 <= found.percent <= 100.000001
    if found.alpha is not None:
        assert -1.000001 <= found.alpha <= 1.000001
        assert (found.alpha == pytest.approx(1)) == (found.percent == pytest.approx(100))


def answers(criterion: str, verdicts: list[str], account: int = 1, machine: str = "pass") -> list[dict[str, object]]:
    return [
        {"call_id": f"c{n}", "criterion_id": criterion, "account_id": account, "verdict": verdict, "machine_verdict": machine}
        for n, verdict in enumerate(verdicts)
    ]


@pytest.mark.parametrize(
    ("people", "second", "machine", "told"),
    [
        (["pass", "fail"] * 20, None, ["pass", "fail"] * 20, "trusted"),
        (["pass", "fail"] * 14, None, ["pass", "fail"] * 14, "few"),
        (["pass", "fail"] * 20, None, ["fail", "pass"] * 20, "not_trusted"),
        (["pass"] * 40, None, ["pass"] * 40, "one_answer"),
        (
            ["pass"] * 38 + ["fail"] * 2,
            None,
            ["pass"] * 36 + ["fail", "fail", "pass", "pass"],
            "not_trusted",
        ),  # 90 %, no better than chance
        (["pass", "fail"] * 20, ["fail", "pass"] * 20, ["pass", "fail"] * 20, "unclear"),
        (["unsure"] * 40, None, ["pass", "fail"] * 20, "few"),
        (["pass", "fail"] * 20, None, ["unsure"] * 40, "few"),
    ],
)
def test_a_criterion_is_trusted_only_on_enough_calls_beyond_chance(
    people: list[str], second: list[str] | None, machine: list[str], told: str
) -> None:
    rows = answers("greeting", people) + (answers("greeting", second, 2) if second else [])
    found = agreement.trusts(rows, {(f"c{n}", "greeting"): verdict for n, verdict in enumerate(machine)})  # type: ignore[arg-type]
    assert [t.level for t in found] == [told]


def test_only_blind_forms_count_and_the_page_says_its_thresholds(judging: People) -> None:
    second = judging.person("second")
    second.send("/evaluate/waive", call_id="irkutsk-1")
    assert second.send("/evaluate", call_id="irkutsk-1", verdict_greeting="fail").status_code == 303
    third = judging.person("third")
    before = third.get("/centres/irkutsk/calibration").text
    assert "at least 30 calls" in before and "85%" in before and "0.667" in before and "/evaluate/irkutsk-1" in before
    assert (
        third.send("/evaluate", call_id="irkutsk-1", verdict_greeting="pass", turn_greeting="1", verdict_night_rule="fail").status_code
        == 303
    )
    with judging.app.state.site.snapshot.read() as published:
        found = {t.criterion_id: t for t in agreement.by_criterion(published, judging.store, "irkutsk")}
    assert found["night_rule"].machine.calls >= 1
    assert found["greeting"].machine.percent == 100 or found["greeting"].machine.calls > 1  # the form that was not blind is not in it
    after = third.get("/centres/irkutsk/calibration").text
    assert "too few calls so far" in after and "done by you" in after and "/compared/irkutsk-1" in after
    assert judging.person("analyst").get("/centres/kyiv/calibration").status_code == 200
    assert "Calls to evaluate blind" not in judging.person("analyst").get("/centres/kyiv/calibration").text


def test_who_may_not_see_a_centres_numbers_does_not_see_its_calibration(judging: People) -> None:
    for name, path in (("op-1", "/centres/kyiv/calibration"), ("analyst", "/centres/irkutsk/calibration"), ("manager", "/centres/odesa/calibration"),
                       ("manager", "/centres/nothing/calibration")):  # fmt: skip
        assert judging.person(name).get(path).status_code in (403, 404)
        assert judging.last_note()["outcome"] == "refused"
