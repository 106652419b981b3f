"""Pages of a quality manager: the centres, a centre at a glance, the review queue, operators side by side, and Excel exports."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from pipelines.core.period import KINDS, Kind, Period, PeriodError, latest, parse
from pipelines.core.published import Row
from pipelines.core.settings import now
from pipelines.queries import aggregates, call_details, trends
from pipelines.queries.snapshot import SnapshotReader
from pipelines.reports import excel, pdf
from pipelines.reports.presenters import Presenter, period
from pipelines.reports.trends_view import TrendsPresenter, period_label, period_query
from pipelines.reviews import blind, evaluations, listening
from pipelines.trends import week_changes
from pipelines.web import aggregates_cache
from pipelines.web.request_context import NavItem, RequestContext, call_path, calls_path, operator_path, require_permission, trends_path

router = APIRouter()
NAV = (NavItem("/", "overview", "see_numbers"),)
FIRST_OF_QUEUE = 5
KINDS_AT_START: tuple[Kind, ...] = ("week", "month")  # a slow change shows only in months
NAMED = 3  # changed criteria on the start page, of each centre
OPERATOR_KINDS: tuple[Kind, ...] = ("month", "week")  # those of the view operator_scorecards that the page offers
CALL_COLUMNS = (
    "call_id", "started_local", "line", "direction", "operator_id", "topic", "client_type", "status", "score_pct", "coverage_pct", "auto_fail",
    "needs_review", "is_abusive", "wait_s", "handling_time_s", "disconnect_party",
)  # fmt: skip
OPERATOR_COLUMNS = (
    "operator_id", "period_start", "is_trainee", "calls", "scored_calls", "score_pct", "score_low_pct", "score_high_pct", "raw_score_pct",
    "expected_score_pct", "standing", "first_group", "last_group", "abusive_calls", "abuse_exposure_s", "aht_s",
)  # fmt: skip

SCORE_COLUMNS = {
    "operator_id", "period_start", "is_trainee", "scored_calls", "score_pct", "score_low_pct", "score_high_pct", "standing", "first_group", "last_group",
}  # fmt: skip


@router.get("/")
def start(context: Annotated[RequestContext, require_permission("see_calls")]) -> Response:
    """The centres of this account; redirects an operator to their own page, and an account of one centre to that centre."""
    account = context.account
    if account.role == "operator":
        return context.go("/" + operator_path(sorted(account.centres)[0], account.operator_id or ""))
    centres = context.centres()
    if len(centres) == 1:
        return context.go("/" + context.presenter(centres[0]).centre["href"])
    totals = [t for t in all_totals(context) if t["centre_id"] in centres]
    cards = [t | context.presenter(t["centre_id"]).centre | {"period": period(t, context.w)} for t in totals]
    numbers = {key: sum(t[key] for t in totals) for key in ("received", "graded", "needs_review", "auto_fails", "abusive_calls")}
    return context.page("index.html", centres=cards, ledger=[], changes=_changes_found(context, centres), **numbers)


@router.get("/centres/{centre_id}")
def centre(centre_id: str, context: Annotated[RequestContext, require_permission("see_numbers")]) -> HTMLResponse:
    """A centre at a glance: changes, calls that need a person, the centre's questions, trends, and calls that could not be graded."""
    values = overview(context, centre_id)
    centre_id, total, shown = values["centre"]["centre_id"], values["total"], context.presenter(centre_id)
    published = context.published
    calls, ledger = (
        blind.without(aggregates_cache.first_calls(published, centre_id), context.withheld),
        aggregates_cache.ledger(published, centre_id),
    )
    clips = aggregates_cache.clips(published, centre_id) if context.account.may("hear") else []
    return context.page(
        "app/centre.html", operators=[], calls=shown.calls(calls), more_calls=0, clips=shown.clips(clips, call_details.versions_of(published, [row["call_id"] for row in clips])), ledger=ledger,
        more_ledger=total["received"] - total["graded"] - len(ledger), call_href=call_path,
        first=_listed(context, shown, _queued(context, centre_id, "unsure"), "unsure")[:FIRST_OF_QUEUE] if context.account.may("review") else [],
        **values,
    )  # fmt: skip


def overview(context: RequestContext, centre_id: str, changed_in: Period | None = None) -> dict[str, Any]:
    """The figures of a centre for its page and its printed sheet, with the changes of a period or else the latest complete week.

    Raises RefusedError for a centre outside the account's access.
    """
    centre_id = context.centre(centre_id)
    published, shown = context.published, context.presenter(centre_id)
    total = next(t for t in all_totals(context) if t["centre_id"] == centre_id)
    criteria = shown.named(aggregates_cache.criteria(published, centre_id))
    weeks = aggregates_cache.weeks(published, centre_id)
    return {
        "centre": shown.centre, "total": total, "period": period(total, context.w), "criteria": criteria, "weeks": weeks,
        "answers": [replace(a, calls=tuple(c for c in a.calls if c not in context.withheld)) for a in aggregates_cache.answers(published, shown)], "topics": aggregates_cache.topics(published, centre_id),
        "drawing": trends.draw(weeks), "changed": _changed(context, shown, changed_in),
    }  # fmt: skip


@router.get("/centres/{centre_id}/queue")
def queue(centre_id: str, context: Annotated[RequestContext, require_permission("review")], kind: str = "unsure") -> HTMLResponse:
    """Review queue: calls of one kind that a person should listen to; reviewed ones are last."""
    centre_id = context.centre(centre_id)
    kind = kind if kind in evaluations.KINDS else "unsure"
    sample = blind.sampled(context.published, context.store, centre_id)
    week = sample[0]["week"] if sample else None
    rows = _queued(context, centre_id, kind)
    shown = context.presenter(centre_id)
    calls = sorted(_listed(context, shown, rows, kind), key=lambda row: row["reviewed"] is not None)
    return context.page(
        "app/queue.html", centre=shown.centre, kind=kind, kinds=evaluations.KINDS, calls=calls, week=week, size=evaluations.SAMPLE_A_WEEK
    )


@router.post("/reviewed")
def reviewed(context: Annotated[RequestContext, require_permission("review")]) -> Response:
    """Mark a call as reviewed by this person, and continue to the queue."""
    call = context.call(context.given("call_id"), "reviewed")
    evaluations.mark_reviewed(context.store, context.account, call["call_id"])
    context.note("reviewed", call["call_id"], call["centre_id"])
    return context.go(f"/{context.presenter(call['centre_id']).centre['href']}/queue")


@router.get("/centres/{centre_id}/operators")
def operators(
    centre_id: str,
    request: Request,
    context: Annotated[RequestContext, require_permission("see_numbers")],
    by: str | None = None,
    start: str | None = None,
) -> HTMLResponse:
    """Operators side by side over all calls or in a month or week, in groups without a significant difference.

    `by` and `start` are the names that the period and its day had in earlier links.
    """
    centre_id = context.centre(centre_id)
    asked = {"period": by if by in OPERATOR_KINDS else "all", "on": start or ""} | dict(request.query_params)
    chosen, error = None, None
    try:
        chosen = None if asked["period"] == "all" and not asked["on"] else _period(context, centre_id, asked, OPERATOR_KINDS)
    except PeriodError as refused:
        error = refused.key
    rows = _operator_rows(context, centre_id, chosen.kind if chosen else "all")
    shown = context.presenter(centre_id)
    here = shown.operators([row for row in rows if chosen is None or row["period_start"] == chosen.first])
    here.sort(key=lambda r: (r["first_group"] or 99, r["last_group"] or 99, r["operator_id"]))
    peers = [
        (name, [r for r in here if bool(r["is_trainee"]) is is_trainee]) for name, is_trainee in (("peers", False), ("trainees", True))
    ]
    newest = aggregates_cache.newest_day(context.published, centre_id) or now().date()

    def query(kind: str, other: Period | None = None) -> str:
        """The query of another kind of period, or of another one of the same kind."""
        if kind == "all":
            return "period=all"
        return period_query(other or parse({"period": kind, "on": str(chosen.first) if chosen else ""}, newest), ("against",))

    return context.page(
        "app/operators.html", 400 if error else 200, centre=shown.centre, period=chosen, label=period_label(chosen, context.w) if chosen else "",
        kinds=("all", *OPERATOR_KINDS), query=query, path=f"/{shown.centre['href']}/operators", newest=newest, error=error, peers=[p for p in peers if p[1]],
    )  # fmt: skip


@router.get("/centres/{centre_id}/export.xlsx")
def export(centre_id: str, request: Request, context: Annotated[RequestContext, require_permission("export")]) -> Response:
    """The centre's calls, operators, criteria, changes and ledger as a workbook: of all days with operators by month, or of the period in the URL."""
    centre_id = context.centre(centre_id)
    period = _period_of_export(context, centre_id, request)
    context.limit_exports(f"{centre_id}.xlsx", centre_id)
    published = context.published
    first, end = (period.first, period.last + timedelta(days=1)) if period else (None, None)
    facts = published.rows(
        f"""select {', '.join(CALL_COLUMNS)} from call_facts
            where centre_id = ? and (cast(? as date) is null or started_local >= ? and started_local < ?)
            order by started_local desc nulls last, call_id limit ?""",
        centre_id, first, first, end, excel.MOST_ROWS,
    )  # fmt: skip
    operators = _operator_rows(context, centre_id, period.kind if period and period.kind in OPERATOR_KINDS else "month")
    sheets: dict[str, tuple[Sequence[str], Sequence[Row]]] = {
        "calls": (CALL_COLUMNS, blind.blanked(facts, context.withheld)),
        "operators": (OPERATOR_COLUMNS, [row for row in operators if period is None or period.first <= row["period_start"] <= period.last]),
        "criteria": (("criterion_id", "passed", "failed", "unsure", "weight"), aggregates.criteria(published, centre_id, period)),
        "not graded": (("call_id", "status", "status_reason"), aggregates.ledger(published, centre_id, excel.MOST_ROWS)),
    }
    newest = aggregates_cache.newest_day(published, centre_id)
    if period or newest:
        found = aggregates_cache.trends_in(published, centre_id, period or latest("week", newest or now().date()))
        sheets["changes"] = week_changes.COLUMNS, week_changes.table(found)
    content = excel.workbook(sheets)
    context.note("exported", f"{centre_id}.xlsx", centre_id)
    return excel.download(content, f"{centre_id}.xlsx")


@router.get("/centres/{centre_id}/export.pdf")
def on_paper(centre_id: str, request: Request, context: Annotated[RequestContext, require_permission("export")]) -> Response:
    """The centre on one page, for a director, with the changes of the latest week or of the period in the URL."""
    period = _period_of_export(context, context.centre(centre_id), request)
    context.limit_exports(f"{centre_id}.pdf", centre_id)
    values = overview(context, centre_id, period)
    centre_id = values["centre"]["centre_id"]
    content = pdf.centre_page(values, aggregates.ledger(context.published, centre_id, excel.MOST_ROWS), now().date(), context.w)
    context.note("exported", f"{centre_id}.pdf", centre_id)
    return excel.download(content, f"{centre_id}.pdf")


def _period(context: RequestContext, centre_id: str, asked: Mapping[str, str], kinds: Collection[str]) -> Period:
    """The period of the URL, if it is of one of these kinds. Raises PeriodError."""
    found = parse(asked, aggregates_cache.newest_day(context.published, centre_id) or now().date())
    if found.kind not in kinds:
        raise PeriodError("period_unknown")
    return found


def _period_of_export(context: RequestContext, centre_id: str, request: Request) -> Period | None:
    """The period in the URL of an export; None where it has none. Raises RefusedError (400) for one that cannot be used."""
    if "period" not in request.query_params:
        return None
    try:
        return _period(context, centre_id, request.query_params, KINDS)
    except PeriodError:
        context.refuse(400, "exported", centre_id, centre_id)


def warm(published: SnapshotReader) -> None:
    """Compute what takes long with many calls."""
    aggregates_cache.warm(published)
    for by in ("all", *OPERATOR_KINDS):
        _all_operators(published, by)


def all_totals(context: RequestContext) -> list[Row]:
    """The totals of every centre, computed once per published copy."""
    return aggregates_cache.totals(context.published)


def _changed(context: RequestContext, shown: Presenter, period: Period | None) -> dict[str, Any] | None:
    """A period, or else the latest complete week, compared with the one before; None where one of them has no calls."""
    centre_id = str(shown.centre["centre_id"])
    found = (
        aggregates_cache.trends_in(context.published, centre_id, period)
        if period
        else aggregates_cache.latest_week(context.published, centre_id)
    )
    if found is None or not any(o.points[-1].calls and o.compared.calls for o in found.outcomes):
        return None
    chosen, before = found.period, found.period.compared
    return {
        "now": {"period_start": chosen.first}, "before": {"period_start": before.first}, "rows": week_changes.figures(found), "until": chosen.last,
        "criteria": [(shown.title(c.name), c) for c in week_changes.criteria(found)], "href": trends_path(centre_id),
        "label": context.w("tr_compared", period=period_label(chosen, context.w), before=period_label(before, context.w)) if period else None,
    }  # fmt: skip


def _changes_found(context: RequestContext, centres: list[str]) -> list[Row]:
    """For the start page: each centre's changes of its latest complete week and month, those with changes for the worse first."""
    found = []
    for centre_id in centres if context.account.may("see_numbers") else []:
        newest, shown = aggregates_cache.newest_day(context.published, centre_id), context.presenter(centre_id)
        trends_by_kind = (
            [aggregates_cache.trends_in(context.published, centre_id, latest(kind, newest)) for kind in KINDS_AT_START] if newest else []
        )
        periods = [
            {
                "label": period_label(one.period, context.w), "href": f"{trends_path(centre_id)}?{period_query(one.period)}", "count": one.count,
                "worse": one.worse, "names": TrendsPresenter(one, shown, calls_path).names(NAMED),
            }
            for one in trends_by_kind if one.can_say
        ]  # fmt: skip
        if periods:
            found.append(shown.centre | {"periods": periods})
    return sorted(found, key=lambda c: -sum(p["worse"] for p in c["periods"]))


def _queued(context: RequestContext, centre_id: str, kind: str) -> list[Row]:
    """The calls of one kind that a person should listen to, reviewed or not."""
    published = context.published
    if kind == "sample":
        return blind.sampled(published, context.store, centre_id)
    selected = aggregates_cache.undecided(published, centre_id) if kind == "unsure" else aggregates_cache.critical(published, centre_id)
    return blind.without(selected, context.withheld)


def _listed(context: RequestContext, shown: Presenter, rows: list[Row], kind: str) -> list[Row]:
    """The displayed rows of the queue, without those whose open points a person has decided."""
    ids = [row["call_id"] for row in rows]
    done, listened = evaluations.reviews(context.store, ids), listening.latest(context.store, ids)
    versions = call_details.versions_of(context.published, ids)
    return [
        row
        | {
            "reviewed": done.get(row["call_id"]),
            "listened": listened.get(row["call_id"]),
            "unsure": [shown.title(c, versions.get(row["call_id"])) for c in row["unsure"]],
        }
        for row in shown.calls(rows)
        if _waits(row, kind)
    ]


def _waits(row: Row, kind: str) -> bool:
    if not row["people"] or kind == "sample":
        return True
    return bool(row["auto_fail"] if kind == "critical" else row["unsure"] or row["needs_review"])


def _operator_rows(context: RequestContext, centre_id: str, by: str) -> list[Row]:
    """A centre's operators in every month or week, or over all published calls."""
    return [row for row in _all_operators(context.published, by) if row["centre_id"] == centre_id]


def _all_operators(published: SnapshotReader, by: str) -> list[Row]:
    """The operators of all centres at once, because the views compute all of them for any query."""
    if by == "all":  # the scorecard view has no such period
        columns = ", ".join(c if c in SCORE_COLUMNS else f"null as {c}" for c in OPERATOR_COLUMNS)
        sql = f"select centre_id, {columns} from operator_scores where period = ? order by operator_id"
    else:
        sql = f"select centre_id, {', '.join(OPERATOR_COLUMNS)} from operator_scorecards where period = ? order by period_start desc, operator_id"
    return published.once(("operators", by), lambda: published.rows(sql, by))
