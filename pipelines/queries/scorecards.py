"""A centre's questions about its calls, answered from the views: one card each, displayed where there are calls to answer it.

Night rule, call-backs, wrong company, readings that still reach a person, abuse by shift and operator, client types, sentiment from start
to end, handled requests, waiting, and the centre's own criteria. A new question is one function here and its texts in `strings/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipelines.centres.profile import Centre
from pipelines.core.published import Published, Row
from pipelines.i18n.wording import Wording, clock

REQUESTS = ("connection", "service_order", "promotion")
UPSET = -0.15  # mean sentiment of a client's turns, -1 to 1


@dataclass(frozen=True, slots=True)
class QuestionScope:
    """The data for a question: the centre, its graded calls, and counts by criterion."""

    centre: Centre
    calls: list[Row]
    criteria: Mapping[str, Row]  # criterion_id → passed, failed, unsure
    titles: Mapping[str, str]
    w: Wording

    def how_often_met(self, criterion_id: str) -> list[tuple[str, str]]:
        """Lines with the share of passed verdicts of a criterion."""
        row = self.criteria.get(criterion_id)
        if not row or not row["passed"] + row["failed"] + row["unsure"]:
            return []
        counts = [("kept", row["passed"]), ("not_kept", row["failed"]), ("to_person", row["unsure"])]
        return [(self.w(key), self.w.number(n)) for key, n in counts if n or key == "kept"]


@dataclass(frozen=True, slots=True)
class QuestionCard:
    """One card: the question, its answer in a few characters, and the lines below it."""

    question: str
    answer: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    remark: str | None = None
    is_bad: bool = False
    calls: tuple[str, ...] = ()
    shift: tuple[float, float] | None = None  # sentiment at the start and at the end, -1 to 1


def read_graded(published: Published, centre_id: str) -> list[Row]:
    """The graded calls of a centre with the columns that the questions need."""
    return published.rows(
        """
        select
            f.call_id, f.operator_id, f.started_local, f.topic, f.client_type, f.direction, f.wait_s, f.is_abusive, f.abuse_exposure_s, p.outcome,
            f.wait_s <= quick_answer_s() as is_quick_answer, quick_answer_s() as quick_answer_s,
            m.client_sentiment_start, m.client_sentiment_end,
            exists (
                select 1 from operator_shifts s
                where s.centre_id = f.centre_id and s.operator_id = f.operator_id and s.rest_due_local is not null
                    and f.started_local between s.shift_start_local and s.shift_end_local
            ) as is_rest_due
        from call_facts f
        left join abuse_procedures p using (call_id)
        left join conversation_metrics m using (call_id)
        where f.centre_id = ? and f.status = 'graded'
        order by f.started_local, f.call_id
        """,
        centre_id,
    )


def answers(asked: QuestionScope) -> list[QuestionCard]:
    """The cards of a centre, its own criteria last; a question without calls to answer it is left out."""
    return [answer for question in QUESTIONS if (answer := question(asked)) is not None]


def _abuse(asked: QuestionScope) -> QuestionCard | None:
    w, abusive = asked.w, [c for c in asked.calls if (c["outcome"] or "not_needed") != "not_needed"]
    if not abusive:
        return None
    lines = [(w.label("outcomes", name), w.number(n)) for name, n in _counted(abusive, "outcome")]
    is_bad = any(c["outcome"] in ("ended_without_warning", "operator_at_fault") for c in abusive)
    return QuestionCard(w("q_procedure"), w("q_abusive_calls", n=len(abusive)), lines, is_bad=is_bad)


def _exposure(asked: QuestionScope) -> QuestionCard | None:
    w, abusive = asked.w, [c for c in asked.calls if c["is_abusive"]]
    if not abusive:
        return None
    night = [c for c in abusive if _is_night(c, asked.centre)]
    lines = [(w("shift_day"), w.number(len(abusive) - len(night))), (w("shift_night"), w.number(len(night)))]
    operators = _counted([c for c in abusive if c["operator_id"]], "operator_id")
    lines += [(f"{w('operator')} {name}", w.number(n)) for name, n in operators[:3]]
    rest = sorted({c["operator_id"] for c in abusive if c["is_rest_due"]})  # by the centre's rest rule
    remark = w("q_rest_for", who=", ".join(str(name) for name in rest[:5])) if rest else w("q_rest_none")
    return QuestionCard(w("q_exposure"), clock(sum(c["abuse_exposure_s"] for c in abusive)), lines, remark)


def _night(asked: QuestionScope) -> QuestionCard | None:
    w, hours = asked.w, asked.centre.hours
    night = [c for c in asked.calls if _is_night(c, asked.centre)]
    if hours.day_from == hours.day_to or not night:
        return None
    lines = [*asked.how_often_met("night_rule"), *((w.label("topics", topic), w.number(n)) for topic, n in _counted(night, "topic")[:3])]
    return QuestionCard(w("q_night", day=f"{hours.day_to}:00–{hours.day_from}:00"), w("q_calls", n=len(night)), lines)


def _callbacks(asked: QuestionScope) -> QuestionCard | None:
    w, ours = asked.w, [c for c in asked.calls if c["direction"] in ("callback", "outbound")]
    if not ours:
        return None
    lines = [(w.label("directions", name), w.number(n)) for name, n in _counted(ours, "direction")]
    return QuestionCard(w("q_callbacks"), w("q_calls", n=len(ours)), lines + asked.how_often_met("callback_reason"))


def _wrong_company(asked: QuestionScope) -> QuestionCard | None:
    w, wrong = asked.w, [c for c in asked.calls if c["topic"] == "wrong_company"]
    kept = asked.how_often_met("redirected")
    if not wrong and not kept:
        return None
    return QuestionCard(w("q_wrong_company"), w("q_calls", n=len(wrong)), kept)


def _readings(asked: QuestionScope) -> QuestionCard | None:
    w, readings = asked.w, [c for c in asked.calls if c["topic"] == "meter_reading"]
    if not readings:
        return None
    return QuestionCard(
        w("q_readings"),
        w("q_calls", n=len(readings)),
        [(w("q_of_all"), w.share(len(readings), len(asked.calls))), *asked.how_often_met("self_service_offered")],
    )


def _self_service(asked: QuestionScope) -> QuestionCard | None:
    w, kept = asked.w, asked.how_often_met("self_service_offered")
    if not kept or any(c["topic"] == "meter_reading" for c in asked.calls):
        return None  # the card of readings covers it
    row = asked.criteria["self_service_offered"]
    return QuestionCard(w("q_self_service"), w.share(row["passed"], row["passed"] + row["failed"]), kept)


def _sentiment(asked: QuestionScope) -> QuestionCard | None:
    w = asked.w
    known = [c for c in asked.calls if c["client_sentiment_start"] is not None and c["client_sentiment_end"] is not None]
    if not known:
        return None
    upset = [c for c in known if c["client_sentiment_start"] <= UPSET]
    better = [c for c in upset if c["client_sentiment_end"] > c["client_sentiment_start"]]
    start = sum(c["client_sentiment_start"] for c in known) / len(known)
    end = sum(c["client_sentiment_end"] for c in known) / len(known)
    answer = w("q_better", n=len(better), of=len(upset)) if upset else w("q_nobody_upset")
    return QuestionCard(w("q_sentiment"), answer, [], w("q_sentiment_says", start=w.signed(start), end=w.signed(end)), shift=(start, end))


def _requests(asked: QuestionScope) -> QuestionCard | None:
    w, requests = asked.w, [c for c in asked.calls if c["topic"] in REQUESTS]
    if not requests:
        return None
    return QuestionCard(
        w("q_requests"), w("q_calls", n=len(requests)), [(w.label("topics", t), w.number(n)) for t, n in _counted(requests, "topic")]
    )


def _waiting(asked: QuestionScope) -> QuestionCard | None:
    w, waited = asked.w, [c for c in asked.calls if c["wait_s"] is not None and c["direction"] == "inbound"]
    if not waited:
        return None
    waits = [c["wait_s"] for c in waited]
    quick = sum(c["is_quick_answer"] for c in waited)
    lines = [(w("q_within", s=waited[0]["quick_answer_s"]), w.share(quick, len(waits))), (w("q_longest"), clock(max(waits)))]
    return QuestionCard(w("q_waiting"), clock(sum(waits) / len(waits)), lines)


def _client_types(asked: QuestionScope) -> QuestionCard | None:
    w, known = asked.w, [c for c in asked.calls if c["client_type"] and c["client_type"] != "unknown"]
    if not known:
        return None
    counted = _counted(known, "client_type")
    lines = [(w.label("client_types", name), w.number(n)) for name, n in counted]
    answer = f"{w.label('client_types', counted[0][0])}: {w.share(counted[0][1], len(known))}"
    return QuestionCard(w("q_client_types"), answer, lines, w("q_types_adjust"))


def _considerate(asked: QuestionScope) -> QuestionCard | None:
    w = asked.w
    kind = [c for c in asked.calls if not c["is_abusive"] and (c["client_sentiment_end"] or 0) > 0]
    if not kind:
        return None
    return QuestionCard(w("q_considerate"), w("q_calls", n=len(kind)), calls=tuple(c["call_id"] for c in kind[-5:]))


def _own_criteria(asked: QuestionScope) -> QuestionCard | None:
    w = asked.w
    rows = [r for name, r in asked.criteria.items() if not w.has("criteria", name) and r["passed"] + r["failed"] + r["unsure"]]
    if not rows:
        return None
    lines = [(r["title"], f"{w.number(r['passed'])} / {w.number(r['passed'] + r['failed'])}") for r in rows]
    passed, decided = sum(r["passed"] for r in rows), sum(r["passed"] + r["failed"] for r in rows)
    return QuestionCard(w("q_own"), w.share(passed, decided), lines, w("q_own_says"))


QUESTIONS: tuple[Callable[[QuestionScope], QuestionCard | None], ...] = (
    _abuse, _exposure, _own_criteria, _night, _callbacks, _wrong_company, _readings, _self_service, _sentiment, _requests, _waiting, _client_types, _considerate,
)  # fmt: skip


def _is_night(call: Row, centre: Centre) -> bool:
    if call["started_local"] is None:
        return False
    hour = call["started_local"].hour
    return centre.hours.is_night(hour) if centre.hours.day_from != centre.hours.day_to else not 8 <= hour < 20


def _counted(calls: list[Row], key: str) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for call in calls:
        counts[call[key]] = counts.get(call[key], 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
