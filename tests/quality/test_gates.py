"""The sample calls are judged from their reference transcripts as well as before; a rule that breaks is detected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.records import Verdict
from pipelines.core.settings import ROOT
from pipelines.quality import __main__ as command
from pipelines.quality.curves import Decision, curve, curves, decisions, reliability
from pipelines.quality.figures import figures_of, grouped
from pipelines.quality.gates import shortfalls
from pipelines.quality.reference import read_references, right_verdicts
from pipelines.quality.replay import JudgedCall, replay, replay_call
from pipelines.score.combination import LogOdds, load_combination

CALLS = ROOT / "tests" / "calls"


@pytest.fixture(scope="module")
def judged() -> list[JudgedCall]:
    return replay(CALLS)


def again(some: Sequence[JudgedCall]) -> list[JudgedCall]:
    """The same calls judged again by the rules of now."""
    return [replay_call(one.call, one.reference) for one in some]


def blind_to(monkeypatch: pytest.MonkeyPatch, module: str, act: str | None = None) -> None:
    """From now on one act, or all abuse of clients where none is named, is never likely."""
    known = load_combination()
    never = LogOdds(-50.0, {})
    acts = {name: never if name == act else line for name, line in known.acts.items()}
    poorer = replace(known, acts=acts) if act else replace(known, abuse=never)
    monkeypatch.setattr(module, lambda: poorer)


def test_every_shipped_call_with_a_reference_is_measured(judged: list[JudgedCall]) -> None:
    assert {one.call.call_id for one in judged} == set(read_references(CALLS))
    assert set(grouped(judged)) == {
        "all", *(f"language {code}" for code in ("ru", "uk", "hu", "en")), *(f"centre {name}" for name in ("irkutsk", "kyiv", "odesa", "kredo", "motiv")),
    }  # fmt: skip


def test_the_shipped_calls_are_judged_well_in_every_language_and_centre(judged: list[JudgedCall]) -> None:
    assert not shortfalls(grouped(judged))


def test_calls_judged_without_an_eye_for_abuse_do_not_pass(judged: list[JudgedCall], monkeypatch: pytest.MonkeyPatch) -> None:
    blind_to(monkeypatch, "pipelines.score.abuse.load_combination")
    abusive = [one for one in judged if any(turn["abuse"] for turn in one.reference["turns"])]
    failed = "\n".join(shortfalls(grouped(again(abusive))))
    assert f"all, {len(abusive)} calls: abuse F1" in failed
    assert "outcome of the procedure" in failed


def test_calls_judged_without_an_eye_for_greetings_do_not_pass(judged: list[JudgedCall], monkeypatch: pytest.MonkeyPatch) -> None:
    blind_to(monkeypatch, "pipelines.score.speech_acts.load_combination", "greeting")
    ukrainian = [one for one in judged if one.reference["language"] == "uk"]
    failed = "\n".join(shortfalls(grouped(again(ukrainian))))
    assert "language uk" in failed and "wrong fails" in failed


@pytest.mark.parametrize("fault", ["accused", "quote", "account"])
def test_what_nobody_may_lose_is_asked_of_each_single_call(judged: list[JudgedCall], fault: str) -> None:
    one = next(j for j in judged if any(p["kind"] == "account" for t in j.reference["turns"] for p in t["pii"]))
    if fault == "accused":
        one = replace(one, scored=replace(one.scored, procedure=replace(one.scored.procedure, outcome="operator_at_fault")))
    elif fault == "quote":
        one = replace(one, scored=replace(one.scored, verdicts=(_misquoted(one.scored.verdicts[0]),)))
    else:
        one = replace(one, turns=tuple(replay_call(one.call, one.reference, is_masked=False).turns))
    failed = shortfalls({"one call": figures_of([one])})
    assert any({"accused": "falsely accused", "quote": "stand in their turn", "account": "readable accounts"}[fault] in f for f in failed)


def test_what_is_masked_changes_no_judgement(judged: list[JudgedCall]) -> None:
    """With raw text kept and without, every call is judged the same; nor does a mask hide what decides about an operator.

    The model reads a mask instead of words, which may move a probability across a threshold: at most one verdict in a hundred is left open
    with one of the texts only, and none is decided otherwise.
    """
    hidden = left_open = decided = 0
    for one in judged:
        said = (one.call, one.reference)
        kept, masked, open_text = replay_call(*said, keep_raw=True), replay_call(*said), replay_call(*said, is_masked=False)
        assert _opinion(kept) == _opinion(masked), one.call.call_id
        assert open_text.scored.procedure.outcome == masked.scored.procedure.outcome, one.call.call_id
        both = [(a.verdict, b.verdict) for a, b in zip(masked.scored.verdicts, open_text.scored.verdicts, strict=True)]
        assert all(a == b or "unsure" in (a, b) for a, b in both), one.call.call_id
        left_open, decided = left_open + sum(a != b for a, b in both), decided + len(both)
        hidden += [t.displayed_text for t in kept.turns] != [t.displayed_text for t in masked.turns]
    assert left_open <= decided / 100
    assert hidden > len(judged) / 3  # else nothing was compared


def _opinion(one: JudgedCall) -> tuple[object, ...]:
    scored = one.scored
    verdicts = [(v.criterion_id, v.verdict, v.confidence, v.explanation, v.turn_no, v.start_s) for v in scored.verdicts]
    findings = [(f.kind, f.turn_no, f.start_s, f.severity, f.target, f.confidence) for f in scored.findings]
    return verdicts, findings, scored.procedure, scored.evaluation, scored.metrics


def _misquoted(verdict: Verdict) -> Verdict:
    return replace(verdict, quote="words that nobody said", turn_no=1)


def test_a_careful_person_finds_the_right_verdicts() -> None:
    """The truth of one call by hand: an operator who blamed the client, was insulted, and hung up without a warning or goodbye."""
    right = right_verdicts(read_references(CALLS)["irkutsk-ru-009"])
    assert right["greeting"] == right["company_named"] == right["operator_named"] == "pass"
    assert right["abuse_procedure"] == right["farewell"] == right["no_forbidden_words"] == "fail"
    assert right["empathy_shown"] == right["solution_given"] == right["hold_announced"] == "na"


def test_more_certainty_never_covers_more(judged: list[JudgedCall]) -> None:
    made = decisions(judged)
    points = curve(made)
    assert [p.coverage for p in points] == sorted((p.coverage for p in points), reverse=True)
    assert points[0].coverage == pytest.approx(figures_of(judged).coverage)
    table = curves(made)
    assert "| all | all | 240 |" in table and "| empathy_shown | uk |" in table
    assert reliability(made).startswith("| confidence |")


@given(
    st.lists(
        st.builds(Decision, st.just("greeting"), st.just("ru"), st.just("kyiv"), st.floats(0, 1), st.sampled_from([True, False, None]))
    )
)
def test_a_curve_counts_every_decision_once(made: list[Decision]) -> None:
    for point in curve(made):
        kept = [d for d in made if d.is_right is not None and d.confidence >= point.threshold]
        assert point.coverage * max(len(made), 1) == pytest.approx(len(kept))
        assert (point.accuracy is None) == (not kept)


def test_a_folder_without_references_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calls.csv").write_text("call_id,centre,recording\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["quality", str(tmp_path)])
    assert command.main() == 1
    assert "No call of" in capsys.readouterr().err
