"""Inter-rater agreement between reviewers and with the automatic verdicts by criterion, and the criteria that can be relied on.

Only blind evaluations count. `unsure` is no answer: it counts neither as agreement nor as disagreement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.app_db.database import AppDatabase
from pipelines.core.published import Published, Row

LEAST_CALLS = 30
LEAST_PCT = 85.0
LEAST_ALPHA = 0.667  # below it Krippendorff draws no conclusions, not even tentative ones


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on one criterion; None where it is undefined: no call judged twice, or only one answer ever given."""

    calls: int
    percent: float | None
    alpha: float | None

    @property
    def is_enough(self) -> bool:
        """Whether both thresholds are reached."""
        return self.percent is not None and self.alpha is not None and self.percent >= LEAST_PCT and self.alpha >= LEAST_ALPHA


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether the automatic verdicts on one criterion can be relied on, with the agreement behind it."""

    criterion_id: str
    people: Agreement
    machine: Agreement

    @property
    def level(self) -> str:
        """trusted, not_trusted, unclear (reviewers do not agree either), one_answer (no variation), or few (too few calls)."""
        if self.people.calls >= LEAST_CALLS and self.people.alpha is not None and not self.people.is_enough:
            return "unclear"
        if self.machine.calls < LEAST_CALLS:
            return "few"
        if self.machine.alpha is None:
            return "one_answer"
        return "trusted" if self.machine.is_enough else "not_trusted"


def agreement(calls: Mapping[str, Sequence[Sequence[str]]]) -> Agreement:
    """The agreement within groups of answers; each call may have several groups."""
    groups = {call_id: [g for g in some if len(g) > 1] for call_id, some in calls.items()}
    groups = {call_id: some for call_id, some in groups.items() if some}
    pairs = coincidences([g for some in groups.values() for g in some])
    whole = sum(pairs.values())
    same = sum(n for (one, other), n in pairs.items() if one == other)
    return Agreement(len(groups), 100 * same / whole if whole else None, alpha_of(pairs))


def alpha_of(pairs: Mapping[tuple[str, str], float]) -> float | None:
    """Krippendorff's alpha for nominal data from a coincidence matrix; None when all answers are the same."""
    given: Counter[str] = Counter()
    for (one, _), n in pairs.items():
        given[one] += n  # type: ignore[assignment]  # a share of a pair
    whole = sum(given.values())
    differ = sum(n for (one, other), n in pairs.items() if one != other)
    by_chance = whole * whole - sum(n * n for n in given.values())
    return None if by_chance <= 1e-9 else 1 - differ * (whole - 1) / by_chance


def coincidences(groups: Sequence[Sequence[str]]) -> dict[tuple[str, str], float]:
    """The coincidence matrix: every ordered pair within a group, where a group of m answers has weight m."""
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    for group in groups:
        counted = Counter(group)
        for one, n in counted.items():
            for other, m in counted.items():
                if pairs := n * (m - (one == other)):
                    found[one, other] += pairs / (len(group) - 1)
    return dict(found)


def by_criterion(published: Published, store: AppDatabase, centre_id: str) -> list[Trust]:
    """Every criterion of a centre with blind answers, by id."""
    answers = store.rows(
        """select v.call_id, v.criterion_id, v.account_id, v.verdict, v.machine_verdict
           from people_verdicts as v join people_evaluations as e using (evaluation_id)
           where e.centre_id = ? and e.is_blind order by v.verdict_id""",
        centre_id,
    )
    ids = sorted({row["call_id"] for row in answers})
    now = {
        (r["call_id"], r["criterion_id"]): r["verdict"]
        for r in published.of_calls(
            "criterion_results",
            ids,
            "call_id, scorecard_id, criterion_id",
            "call_id, scorecard_id, criterion_id, verdict",
            "judge = 'machine'",
        )
    }
    return trusts(answers, now)


def trusts(answers: Sequence[Row], machine: Mapping[tuple[str, str], str]) -> list[Trust]:
    """The same from rows of human answers; the verdicts of `machine` replace the automatic ones stored with the answers."""
    people: defaultdict[str, defaultdict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    beside: dict[tuple[str, str], str] = {}
    for row in answers:
        people[row["criterion_id"]][row["call_id"]][row["account_id"]] = row["verdict"]  # a person's later answer counts
        beside[row["call_id"], row["criterion_id"]] = row["machine_verdict"] or "unsure"
    found = []
    for criterion_id, calls in sorted(people.items()):
        decided = {call_id: [v for v in by_person.values() if v != "unsure"] for call_id, by_person in calls.items()}
        pairs = {}
        for call_id, verdicts in decided.items():
            said = machine.get((call_id, criterion_id), beside[call_id, criterion_id])
            pairs[call_id] = [(verdict, said) for verdict in verdicts] if said != "unsure" else []
        found.append(Trust(criterion_id, agreement({c: [v] for c, v in decided.items()}), agreement(pairs)))
    return found
