"""The list of calls: filters, order and pages over the published copy, with true totals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from models.languages.language import words_of
from pipelines.core.published import Published, Row
from pipelines.queries.moment_query import Condition
from pipelines.queries.moments import word_forms

VERDICTS = ("pass", "fail", "unsure", "na")
LONGEST_TEXT = 100
PAGE_SIZES = (50, 100, 200)
# Sort keys: the expression, and whether the first click shows the highest values first.
SORTS: Mapping[str, tuple[str, bool]] = {
    "started": ("f.started_local", True), "duration": ("f.duration_s", True), "score": ("f.score_pct", False), "coverage": ("f.coverage_pct", False),
    "operator": ("f.operator_id", False), "topic": ("f.topic", False), "client_type": ("f.client_type", False), "wait": ("f.wait_s", True),
}  # fmt: skip
_EQUAL = ("operator_id", "topic", "client_type", "language", "direction", "line")
_JUDGED = (
    "least_pct",
    "most_pct",
    "criterion_id",
    "verdict",
    "topic",
    "client_type",
    "outcome",
    "is_open",
    "is_critical",
    "is_abusive",
)  # these reveal a result
_COLUMNS = """f.call_id, f.centre_id, f.started_local, f.operator_id, f.topic, f.client_type, f.language, f.direction, f.line, f.duration_s, f.wait_s,
    f.score_pct, f.coverage_pct, f.auto_fail, f.needs_review"""
_COUNTS = """(v.judge = 'human' or (v.call_no, v.scorecard_id, v.criterion_id) not in
    (select (call_no, scorecard_id, criterion_id) from criterion_results where judge = 'human'))"""


@dataclass(frozen=True, slots=True)
class CallQuery:
    """The filters, order and page of a list; None or empty means any. Scores in percent, lengths in seconds, days are local and both included.

    `reviewed` holds the ids of the calls that people reviewed, where the list is limited to them or to the others (`is_reviewed`);
    `hidden` the calls whose results the reader must not see: they are left out wherever a filter or the order would reveal a result.
    """

    centres: tuple[str, ...]
    operator_id: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    least_s: float | None = None
    most_s: float | None = None
    least_pct: float | None = None
    most_pct: float | None = None
    criterion_id: str | None = None
    verdict: str | None = None
    topic: str | None = None
    client_type: str | None = None
    outcome: str | None = None
    language: str | None = None
    direction: str | None = None
    line: str | None = None
    is_open: bool | None = None  # needs a person's review
    is_critical: bool | None = None  # a criterion set the score to zero
    is_abusive: bool | None = None  # the client was abusive
    is_reviewed: bool | None = None
    text: str = ""
    sort: str = "started"
    is_descending: bool = True
    page: int = 1
    size: int = PAGE_SIZES[0]
    hears_personal_data: bool = False  # else words are not searched in calls that are stored with raw text
    reviewed: Collection[str] = field(default=(), repr=False)
    hidden: Collection[str] = field(default=(), repr=False)

    @property
    def reveals_results(self) -> bool:
        """Whether a filter or the order depends on how calls were judged."""
        return any(getattr(self, name) is not None for name in _JUDGED) or self.sort in ("score", "coverage", "topic", "client_type")


@dataclass(frozen=True, slots=True)
class CallPage:
    """One page of calls, how many there are in all, and their mean score (in percent) and length (in seconds)."""

    rows: list[Row]
    total: int
    score_pct: float | None
    duration_s: float | None


def page_of(published: Published, query: CallQuery) -> CallPage:
    """The calls of a page; a page after the last one is empty."""
    held, values = conditions(query)
    (sums,) = published.rows(
        f"select count(*) as total, avg(f.score_pct) as score_pct, avg(f.duration_s) as duration_s from {_FROM} where {held}", *values
    )
    rows = _rows(published, query, "limit ? offset ?", [query.size, (query.page - 1) * query.size]) if sums["total"] else []
    return CallPage(rows, sums["total"], sums["score_pct"], sums["duration_s"])


def all_of(published: Published, query: CallQuery, most: int) -> list[Row]:
    """The calls of the whole list in its order, at most so many, whatever the page."""
    return _rows(published, query, "limit ?", [most])


def verdicts_of(published: Published, call_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """By call and criterion, the verdict that counts."""
    found: dict[str, dict[str, str]] = {}
    for first in range(0, len(call_ids), 1000):
        rows = published.of_calls(
            "criterion_results", call_ids[first : first + 1000], "call_id, judge = 'human'", "call_id, criterion_id, verdict"
        )
        for row in rows:  # a human verdict comes last, and replaces the automatic one
            found.setdefault(row["call_id"], {})[row["criterion_id"]] = row["verdict"]
    return found


_FROM = "call_facts as f"


def _rows(published: Published, query: CallQuery, end: str, more: Sequence[Any]) -> list[Row]:
    held, values = conditions(query)
    order = f"{SORTS[query.sort][0]} {'desc' if query.is_descending else 'asc'} nulls last, f.call_id"
    return published.rows(
        f"""with f as (select {_COLUMNS} from {_FROM} where {held} order by {order} {end})
        select f.*, p.outcome, coalesce(p.outcome, 'not_needed') <> 'not_needed' as abusive
        from f left join abuse_procedures as p using (call_id) order by {order}""",
        *values, *more,
    )  # fmt: skip


def conditions(query: CallQuery) -> Condition:
    """The condition on a row `f` of call_facts; every value is a parameter."""
    where, values = ["f.status = 'graded'", "list_contains(?, f.centre_id)"], list[Any]([list(query.centres)])

    def add(condition: str, *given: Any) -> None:
        where.append(condition)
        values.extend(given)

    for column in _EQUAL:
        if getattr(query, column) is not None:
            add(f"f.{column} = ?", getattr(query, column))
    if query.first_day is not None:
        add("f.started_local >= cast(? as date)", query.first_day)
    if query.last_day is not None:
        add("f.started_local < cast(? as date) + interval 1 day", query.last_day)
    for column, least, most in (("duration_s", query.least_s, query.most_s), ("score_pct", query.least_pct, query.most_pct)):
        if least is not None:
            add(f"f.{column} >= ?", least)
        if most is not None:
            add(f"f.{column} <= ?", most)
    for column, is_so in (("needs_review", query.is_open), ("auto_fail", query.is_critical), ("is_abusive", query.is_abusive)):
        if is_so is not None:
            add(f"coalesce(f.{column}, false) = ?", is_so)
    if query.criterion_id is not None or query.verdict is not None:
        own = {"criterion_id": query.criterion_id, "verdict": query.verdict}
        given = {name: value for name, value in own.items() if value is not None}
        add(
            f"f.call_id in (select v.call_id from criterion_results as v where {' and '.join(f'v.{name} = ?' for name in given)} and {_COUNTS})",
            *given.values(),
        )
    if query.outcome is not None:
        add("f.call_id in (select call_id from abuse_procedures where outcome = ?)", query.outcome)
    if query.is_reviewed is not None:
        add(f"{'' if query.is_reviewed else 'not '}list_contains(?, f.call_id)", list(query.reviewed))
    if query.hidden and query.reveals_results:
        add("not list_contains(?, f.call_id)", list(query.hidden))
    said = dict.fromkeys(part for word in words_of(query.text[:LONGEST_TEXT]) for part in word.split("-"))  # as the index holds them
    if query.text.strip() and not said:
        add("false")  # a text without a word was said in no call
    if said and not query.hears_personal_data:
        add("f.call_id in (select call_id from calls where text_kept is distinct from 'raw')")
    for word in said:
        forms = sorted(word_forms(word))
        add(f"f.call_id in ({' union all '.join(['select call_id from lemmas where lemma = ?'] * len(forms))})", *forms)
    return " and ".join(where), values
