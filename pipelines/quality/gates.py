"""Quality gates: the figures that graded calls must reach before a change of rules, phrases or models is accepted.

The guarantees hold for every call. All other limits are slightly below today's measurements, so that a regression is noticed: of the
shipped calls, and of dialogues by writers that nothing was ever fitted to. The limits of the shipped calls were higher (97 % of 95 %,
procedure 97 %) while rules were written with these calls in view; since judgement is learned and calibrated on other writers, it leaves
more of them to a person (docs/benchmarks/judgement.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.quality.figures import Figures


@dataclass(frozen=True, slots=True)
class Gate:
    """A quality figure with its minimum or maximum."""

    name: str
    value: Callable[[Figures], float]
    least: float = float("-inf")
    most: float = float("inf")


# Guarantees, however small the group of calls.
_ALWAYS = (
    Gate("falsely accused operators", lambda f: len(f.false_accusations), most=0),
    Gate("quotes that stand in their turn", lambda f: f.evidence.value, least=1.0),
    Gate("decided points without evidence", lambda f: f.decided_without_evidence, most=0),
    Gate("readable accounts, cards, phones and passports", lambda f: f.readable_numbers.part, most=0),
)
# Reference transcripts: judgement alone.
REPLAY = (
    *_ALWAYS,
    Gate("criteria right of decided", lambda f: f.right_of_decided, least=0.945),
    Gate("criteria decided", lambda f: f.coverage, least=0.86),
    Gate("wrong fails of all criteria", lambda f: f.criteria_sum["wrong_fail"] / max(f.criteria_sum["n"], 1), most=0.005),
    Gate("outcome of the procedure", lambda f: f.procedure.value, least=0.7),
    Gate("outcome of abusive calls", lambda f: f.procedure_of_abusive.value, least=0.6),
    Gate("abuse F1", lambda f: f.abuse_f1, least=0.93),
    Gate("readable names and addresses", lambda f: f.readable_names.part / max(f.readable_names.whole, 1), most=0.05),
    Gate("sentiment F1 of clients", lambda f: f.sentiment_f1, least=0.85),
    Gate("topic", lambda f: f.topic.value, least=0.8),
    Gate("client type", lambda f: f.client_type.value, least=0.8),
)
# A single language or centre: two to six calls, where one error weighs much: in one English call the fit to 36 writers misses the abuse that was
# tolerated, and four criteria with it.
REPLAY_GROUP = (
    *_ALWAYS,
    Gate("criteria right of decided", lambda f: f.right_of_decided, least=0.83),
    Gate("criteria decided", lambda f: f.coverage, least=0.62),
    Gate("wrong fails", lambda f: f.criteria_sum["wrong_fail"], most=1),
    Gate("abuse F1", lambda f: f.abuse_f1, least=0.85),
)
# Additional gates of one language.
REPLAY_LANGUAGE = {"language ru": (Gate("abuse F1", lambda f: f.abuse_f1, least=0.90),)}
# Dialogues of writers that nothing was ever fitted to (tests/quality/dialogues): today's measurements, so that a regression is noticed.
# Raise them with every improvement; tune nothing to these calls. Two were lowered with the fit to 32 writers, which improved the others:
# calls in which abuse is found without any (2 of 91 became 5), and readable numbers (11 of 184 became 12).
# The fit to 36 writers judges criteria better here, in recognised speech and in the centres below, where it also leaves fewer names readable and
# finds abuse and client types better. Here four others fell, within their intervals: client type (90 of 147 became 81), abuse F1 (0.71, 0.68),
# calls in which abuse is found without any (6 of 91), harmless numbers masked (0.157, 0.162).
# Combination and thresholds fitted with two more writers leave more to a person (criteria decided 0.909, now 0.897; in the centres below 0.905,
# now 0.898, abuse F1 0.92, now 0.904) and are right more often (0.958, now 0.966; 0.964, now 0.971; wrong fails 11 and 7, now 7 and 5).
UNSEEN = (
    Gate("quotes that stand in their turn", lambda f: f.evidence.value, least=1.0),
    Gate("decided points without evidence", lambda f: f.decided_without_evidence, most=0),
    Gate("falsely accused operators", lambda f: len(f.false_accusations), most=0),
    Gate("criteria right of decided", lambda f: f.right_of_decided, least=0.96),
    Gate("criteria decided", lambda f: f.coverage, least=0.895),
    Gate("wrong fails of all criteria", lambda f: f.criteria_sum["wrong_fail"] / max(f.criteria_sum["n"], 1), most=0.004),
    Gate("outcome of abusive calls", lambda f: f.procedure_of_abusive.value, least=0.55),
    Gate("calls without abuse in which some is found", lambda f: f.abuse_alarms.value, most=0.07),
    Gate("abuse F1", lambda f: f.abuse_f1, least=0.68),
    Gate("sentiment F1 of clients", lambda f: f.sentiment_f1, least=0.795),
    Gate("topic", lambda f: f.topic.value, least=0.635),
    Gate("client type", lambda f: f.client_type.value, least=0.55),
    Gate("passes whose quote stands in a marked turn", lambda f: f.quotes_marked.value, least=0.96),
    Gate("readable numbers", lambda f: f.readable_numbers.value, most=0.066),
    Gate("readable names and addresses", lambda f: f.readable_names.value, most=0.04),
    Gate("harmless numbers masked", lambda f: f.masked_numbers.value, most=0.165),
    Gate("expected calibration error", lambda f: f.calibration_error, most=0.03),
)
# Centres with topics and criteria of their own, by writers that nothing was fitted to (tests/quality/own_centre_dialogues).
UNSEEN_CENTRES = (
    Gate("quotes that stand in their turn", lambda f: f.evidence.value, least=1.0),
    Gate("decided points without evidence", lambda f: f.decided_without_evidence, most=0),
    Gate("falsely accused operators", lambda f: len(f.false_accusations), most=0),
    Gate("criteria right of decided", lambda f: f.right_of_decided, least=0.965),
    Gate("criteria decided", lambda f: f.coverage, least=0.895),
    Gate("wrong fails of all criteria", lambda f: f.criteria_sum["wrong_fail"] / max(f.criteria_sum["n"], 1), most=0.006),
    Gate("outcome of abusive calls", lambda f: f.procedure_of_abusive.value, least=0.75),
    Gate("abuse F1", lambda f: f.abuse_f1, least=0.9),
    Gate("topic", lambda f: f.topic.value, least=0.53),
    Gate("client type", lambda f: f.client_type.value, least=0.83),
    Gate("passes whose quote stands in a marked turn", lambda f: f.quotes_marked.value, least=0.97),
)
# A few calls that were really recognised.
RECOGNISED = (
    *_ALWAYS,
    Gate("criteria right of decided", lambda f: f.right_of_decided, least=0.93),
    Gate("criteria decided", lambda f: f.coverage, least=0.6),
    Gate("wrong fails", lambda f: f.criteria_sum["wrong_fail"], most=1),
)


def shortfalls(groups: Mapping[str, Figures], gates: tuple[Gate, ...] = REPLAY, of_group: tuple[Gate, ...] = REPLAY_GROUP) -> list[str]:
    """Descriptions of the gates that fail; an empty list when all pass.

    `gates` are for the group `all`, `of_group` for every other, with those of REPLAY_LANGUAGE for a language that has its own.
    """
    found = []
    for group, figures in groups.items():
        for gate in gates if group == "all" else (*of_group, *REPLAY_LANGUAGE.get(group, ())):
            value = gate.value(figures)
            if not gate.least <= value <= gate.most:
                limit = f"at least {gate.least:g}" if value < gate.least else f"at most {gate.most:g}"
                found.append(f"{group}, {figures.calls} calls: {gate.name} {value:.3f}, {limit} is required")
    return found
