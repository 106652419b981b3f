"""The abuse procedure (warn before hanging up): by its table, by stories, and by invariants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import Call, Finding, Procedure, Role, Token, Turn
from pipelines.score.procedure import (
    ACCUSING,
    ENDINGS,
    OUTCOMES,
    PARTIES,
    STEPS,
    ProcedureEvent,
    ProcedureRule,
    ProcedureState,
    ProcedureStep,
    chances_of,
    follow,
    judge_procedure,
    outcome_of,
)
from tests.score.spoken import call_of, turns_of

RULE = ProcedureRule()
ACTS = {"warn": "warn_abuse", "notice": "end_notice", "bye": "farewell"}


@dataclass(frozen=True)
class Did:
    """A speech act as the act finder gives it."""

    act: str
    turn_no: int
    confidence: float = 0.998


def judged(story: str, party: str = "client", config: object = None, *, sure: float = 0.998, act_sure: float = 0.998, severity: str = "insult",
           target: str = "operator", role_confidence: float = 0.95, client_heard: float = 0.9,
           operator_heard: float = 0.9) -> Procedure:  # fmt: skip
    """The outcome of a story: words `abuse calm answer warn notice bye at_client maybe` in order, one a turn.

    `murmur` is a calm client of whom recognition believes nothing, `silence` a client's turn without a word.
    """
    turns: list[Turn] = []
    findings: list[Finding] = []
    acts: list[Did] = []
    for number, what in enumerate(story.split(), 1):
        role: Role = "client" if what in ("abuse", "calm", "maybe", "murmur", "silence") else "operator"
        at = number * 5.0
        heard = 0.3 if what == "murmur" else client_heard if role == "client" else operator_heard
        tokens = () if what == "silence" else (Token("слово", at, at + 1, heard),)
        turns.append(Turn("c", number, 0, role, role, role_confidence, at, at + 1, tokens, "ru", heard, None, False, 0.0, False))
        if what in ("abuse", "maybe"):
            findings.append(Finding("c", "abuse", role, number, at, at + 1, "слово", severity, target, sure if what == "abuse" else 0.5))
        if what == "at_client":
            findings.append(Finding("c", "abuse", role, number, at, at + 1, "слово", severity, "client", sure))
        if what in ACTS:
            acts.append(Did(ACTS[what], number, act_sure))
    call = Call("c", "irkutsk", "", "", 0, None, disconnect_party=party)
    return judge_procedure(call, turns, findings, acts, config)


@pytest.mark.parametrize(
    ("story", "party", "outcome"),
    [
        ("answer calm answer calm bye", "client", "not_needed"),
        ("answer calm", "operator", "not_needed"),
        ("answer abuse warn calm answer calm bye", "client", "calmed"),
        ("answer abuse warn calm answer calm bye", "operator", "calmed"),
        ("answer abuse warn calm answer calm bye", "unknown", "calmed"),
        ("answer abuse warn abuse notice", "operator", "ended_after_warning"),
        ("answer abuse warn calm answer abuse notice", "operator", "ended_after_warning"),
        ("answer abuse warn abuse bye", "operator", "ended_after_warning"),
        ("answer abuse answer abuse answer", "operator", "ended_without_warning"),
        ("answer abuse", "operator", "ended_without_warning"),
        ("answer abuse notice", "operator", "ended_without_warning"),
        ("answer abuse warn abuse", "operator", "ended_without_notice"),
        ("answer abuse answer calm answer calm bye", "client", "tolerated"),
        ("answer abuse answer abuse", "client", "client_hung_up"),
        ("answer abuse answer abuse answer", "client", "tolerated"),
        ("answer abuse answer abuse bye", "client", "tolerated"),
        ("answer abuse answer abuse bye", "operator", "tolerated"),
        ("answer abuse warn calm", "client", "client_hung_up"),
        ("answer abuse warn calm answer", "client", "calmed"),
        ("answer abuse answer abuse", "system", "tolerated"),
        ("answer abuse answer calm bye", "operator", "tolerated"),
        ("answer calm answer abuse", "client", "client_hung_up"),
        ("answer abuse warn abuse", "client", "client_hung_up"),
        ("answer abuse warn", "client", "client_hung_up"),
        ("answer calm at_client calm", "client", "operator_at_fault"),
        ("answer abuse at_client calm", "operator", "operator_at_fault"),
        ("answer abuse", "unknown", "cannot_tell"),
        ("answer abuse answer abuse", "unknown", "cannot_tell"),
        ("answer abuse warn abuse", "unknown", "cannot_tell"),
    ],
)
def test_each_story_has_its_outcome(story: str, party: str, outcome: str) -> None:
    assert judged(story, party).outcome == outcome


def test_every_state_knows_every_event_and_every_ending() -> None:
    assert set(STEPS) == {(state, event) for state in ProcedureState for event in ProcedureEvent}
    assert set(ENDINGS) == {(state, party) for state in ProcedureState for party in PARTIES}
    assert set(ENDINGS.values()) <= set(OUTCOMES)


def test_every_state_can_be_reached() -> None:
    reached, new = {ProcedureState.QUIET}, {ProcedureState.QUIET}
    while new:
        new = {STEPS[state, event] for state in new for event in ProcedureEvent} - reached
        reached |= new
    assert reached == set(ProcedureState)


def test_only_the_operator_who_hung_up_is_ever_accused_by_the_table() -> None:
    assert {party for (_, party), outcome in ENDINGS.items() if outcome in ACCUSING} == {"operator"}


def test_abuse_about_others_asks_for_no_warning() -> None:
    assert judged("answer abuse answer abuse", "operator", target="other").outcome == "not_needed"


def test_abuse_that_is_only_suspected_accuses_nobody() -> None:
    assert judged("answer maybe answer", "operator").outcome == "cannot_tell"
    assert judged("answer maybe answer", "client").outcome not in ACCUSING


def test_a_doubtful_warning_leaves_the_question_open() -> None:
    found = judged("answer abuse warn abuse notice", "operator", act_sure=0.5)
    assert found.outcome == "cannot_tell" and "either" in found.explanation


def test_unknown_voices_accuse_nobody() -> None:
    assert judged("answer abuse answer abuse", "operator", role_confidence=0.4).outcome not in ACCUSING
    assert judged("answer calm at_client", "client", role_confidence=0.3).outcome != "operator_at_fault"


def test_a_warning_that_names_the_end_is_no_notice_yet() -> None:
    turns_with_both = judged("answer abuse warn abuse", "operator")
    assert turns_with_both.outcome == "ended_without_notice"


def test_a_warning_without_clear_abuse_is_believed_but_never_accuses() -> None:
    assert judged("answer calm warn calm answer calm bye").outcome == "calmed"
    assert judged("answer calm warn", "operator").outcome == "cannot_tell"


@pytest.mark.parametrize(
    ("story", "party"),
    [
        ("answer calm warn calm answer calm bye", "client"),
        ("answer calm warn calm answer calm bye", "operator"),
        ("answer maybe warn calm answer calm bye", "client"),
        ("answer calm warn calm notice", "operator"),
        ("answer calm warn", "client"),
    ],
)
def test_a_warning_alone_decides_nothing_about_a_client_whose_words_were_hardly_recognised(story: str, party: str) -> None:
    assert judged(story, party).outcome != "cannot_tell"
    found = judged(story, party, client_heard=0.4)
    assert found.outcome == "cannot_tell" and "recognised" in found.explanation
    for unheard in ("murmur", "silence"):  # only what came before the warning
        before, after = story.split(" warn")
        lost = " ".join(unheard if what in ("calm", "maybe") else what for what in before.split())
        assert judged(f"{lost} warn{after}", party).outcome == "cannot_tell"


@pytest.mark.parametrize(
    ("story", "party"),
    [
        ("answer abuse answer abuse answer", "operator"),
        ("answer abuse warn abuse answer", "operator"),
        ("answer abuse answer calm answer bye", "client"),
    ],
)
def test_nobody_is_blamed_for_a_warning_that_may_be_among_hardly_recognised_words(story: str, party: str) -> None:
    assert judged(story, party).outcome in {*ACCUSING, "tolerated"}
    found = judged(story, party, operator_heard=0.4)
    assert found.outcome == "cannot_tell" and "operator's words" in found.explanation


def test_a_calm_end_is_not_claimed_of_a_client_whose_words_were_hardly_recognised() -> None:
    assert judged("answer abuse warn calm answer calm bye", client_heard=0.4).outcome == "cannot_tell"


def test_hearing_less_leaves_open_what_was_decided_and_changes_nothing_else() -> None:
    for length in range(5):
        for story in product(("abuse", "calm", "answer", "warn", "notice"), repeat=length):
            for party in (*PARTIES, "unknown"):
                told = " ".join(story)
                well = judged(told, party).outcome
                client, operator = judged(told, party, client_heard=0.4).outcome, judged(told, party, operator_heard=0.4).outcome
                assert {client, operator} <= {well, "cannot_tell"}, (told, party)
                assert client != "calmed", (told, party)
                if {"answer", "warn", "notice"} & set(story[story.index("abuse") + 1 :] if "abuse" in story else ()):
                    assert operator not in {*ACCUSING, "tolerated"}, (told, party)
                if "abuse" not in story and {"warn", "calm"} & set(story):
                    assert client in ("cannot_tell", "not_needed") and (client == "cannot_tell" or "calm" not in story), (told, party)


def test_times_are_those_of_the_turns() -> None:
    found = judged("answer abuse warn abuse notice", "operator")
    assert (found.warned_at_s, found.ended_notice_at_s) == (15.0, 25.0)
    assert judged("answer calm bye").warned_at_s is None


def test_a_centre_may_ask_for_two_warnings() -> None:
    rule = {"warnings": 2}
    found = judged("answer abuse warn abuse notice", "operator", rule)
    assert found.outcome == "ended_without_warning" and "1 of 2" in found.explanation
    assert judged("answer abuse warn abuse warn abuse notice", "operator", rule).outcome == "ended_after_warning"


def test_a_centre_may_need_no_notice() -> None:
    assert judged("answer abuse warn abuse", "operator", {"is_notice_required": False}).outcome == "ended_after_warning"


def test_a_centre_may_let_a_threat_end_the_call_at_once() -> None:
    assert judged("answer abuse", "operator", {"threat_ends_at_once": True}, severity="threat").outcome == "not_needed"
    assert judged("answer abuse", "operator", {"threat_ends_at_once": True}, severity="insult").outcome == "ended_without_warning"


def test_a_centre_may_count_only_some_severities() -> None:
    assert judged("answer abuse", "operator", {"severities": ["threat"]}, severity="profanity").outcome == "not_needed"


def test_a_wrong_setting_is_reported_with_what_is_allowed() -> None:
    with pytest.raises(MisconfiguredError, match=r"severities has 'shouting'; allowed: profanity"):
        ProcedureRule.of({"severities": ["shouting"]})
    with pytest.raises(MisconfiguredError, match="'warning' is not a setting"):
        ProcedureRule.of({"warning": 1})
    with pytest.raises(MisconfiguredError, match="1 or more"):
        ProcedureRule.of({"warnings": 0})


STORIES = st.lists(st.sampled_from(["abuse", "calm", "answer", "warn", "notice", "bye", "maybe"]), max_size=9)
ENDS = st.sampled_from([*PARTIES, "unknown"])


@given(
    st.lists(
        st.tuples(st.sampled_from(list(ProcedureEvent)), st.sampled_from([None, *ProcedureEvent]), st.floats(0, 1), st.booleans()),
        max_size=7,
    ),
    ENDS,
    st.sampled_from([RULE, ProcedureRule(warnings=2), ProcedureRule(threat_ends_at_once=True), ProcedureRule(is_notice_required=False)]),
)
def test_the_chance_of_an_outcome_is_that_of_all_readings_that_lead_to_it(
    facts: list[tuple[ProcedureEvent, ProcedureEvent | None, float, bool]], party: str, rule: ProcedureRule
) -> None:
    steps = [ProcedureStep(n, event, otherwise, chance, is_threat) for n, (event, otherwise, chance, is_threat) in enumerate(facts)]
    expected: dict[str, float] = {}
    for kept in product((True, False), repeat=len(steps)):
        read = [s.event if is_kept or s.otherwise is None else s.otherwise for s, is_kept in zip(steps, kept, strict=True)]
        had_threat = any(s.is_threat and event is ProcedureEvent.ABUSE for s, event in zip(steps, read, strict=True))
        chances = [
            1.0 * is_kept if s.otherwise is None else s.confidence if is_kept else 1 - s.confidence
            for s, is_kept in zip(steps, kept, strict=True)
        ]
        outcome = outcome_of(read, party, rule, had_threat)
        expected[outcome] = expected.get(outcome, 0.0) + prod(chances)
    found = chances_of(steps, party, rule)
    assert sum(found.values()) == pytest.approx(1)
    assert all(found.get(outcome, 0.0) == pytest.approx(chance) for outcome, chance in expected.items())


@given(STORIES, ENDS)
def test_the_outcome_is_one_of_the_promised_and_explained(story: list[str], party: str) -> None:
    found = judged(" ".join(story), party)
    assert found.outcome in OUTCOMES and 0 <= found.confidence <= 1 and found.explanation


@given(STORIES)
def test_who_did_not_hang_up_is_never_accused(story: list[str]) -> None:
    for party in ("client", "system", "unknown"):
        assert judged(" ".join(story), party).outcome not in ACCUSING


@given(STORIES, STORIES)
def test_who_warned_and_announced_the_end_is_never_at_fault(before: list[str], after: list[str]) -> None:
    between = [what for what in after if what in ("abuse", "calm", "answer")]
    story = [*before, "abuse", "warn", *between, "notice"]
    assert judged(" ".join(story), "operator").outcome not in ACCUSING


@given(STORIES, ENDS, st.integers(0, 9), st.sampled_from(["calm", "answer"]))
def test_a_harmless_turn_never_makes_an_accusation(story: list[str], party: str, place: int, what: str) -> None:
    longer = [*story[:place], what, *story[place:]]
    if judged(" ".join(longer), party).outcome in ACCUSING:
        assert judged(" ".join(story), party).outcome in {*ACCUSING, "cannot_tell"}


@given(STORIES, ENDS)
def test_a_doubt_never_makes_an_accusation(story: list[str], party: str) -> None:
    certain = judged(" ".join(story), party)
    doubtful = judged(" ".join(story), party, sure=0.85)
    assert doubtful.outcome not in ACCUSING or certain.outcome in ACCUSING


@given(st.lists(st.sampled_from(list(ProcedureEvent)), max_size=8), ENDS)
def test_a_reading_of_a_call_has_one_outcome(events: list[ProcedureEvent], party: str) -> None:
    assert outcome_of(events, party, RULE) == outcome_of(list(events), party, RULE)
    assert follow(events) in ProcedureState


def test_the_order_of_findings_and_acts_does_not_matter() -> None:
    first = judged("answer abuse warn abuse notice", "operator")
    call = Call("c", "irkutsk", "", "", 0, None, disconnect_party="operator")
    turns = [
        Turn(
            "c",
            n,
            0,
            "A",
            role,
            0.95,
            n * 5.0,
            n * 5.0 + 1,
            (Token("слово", n * 5.0, n * 5.0 + 1, 0.9),),
            "ru",
            0.9,
            None,
            False,
            0.0,
            False,
        )
        for n, role in ((1, "operator"), (2, "client"), (3, "operator"), (4, "client"), (5, "operator"))
    ]
    findings = [Finding("c", "abuse", "client", n, n * 5.0, n * 5.0 + 1, "слово", "insult", "operator", 0.998) for n in (4, 2)]
    again = judge_procedure(call, turns[::-1], findings, [Did("end_notice", 5), Did("warn_abuse", 3)], None)
    assert again == replace(first)


@pytest.mark.parametrize(("heard", "outcome"), [(0.9, "not_needed"), (0.5, "cannot_tell")])
def test_that_nobody_was_abusive_is_claimed_only_of_a_recognised_call(heard: float, outcome: str) -> None:
    turns = turns_of(("operator", "Добрый день."), ("client", "Здравствуйте, свет мигает."), ("operator", "До свидания."), heard=heard)
    found = judge_procedure(call_of("irkutsk", disconnect_party="operator"), turns, [], [])
    assert found.outcome == outcome
    assert (outcome == "not_needed") != ("recognised" in found.explanation)


def test_abuse_after_the_goodbye_of_a_calmed_call_needs_no_second_announcement() -> None:
    for story in ("abuse warn bye abuse", "abuse warn calm bye abuse", "abuse warn calm answer calm bye answer abuse"):
        assert judged(story, "operator").outcome == "ended_after_warning", story
