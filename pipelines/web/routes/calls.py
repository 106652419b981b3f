"""The list of calls for everybody who reads them: filters in the address, order, pages, files, and saved views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.app_db import call_views, operator_ids
from pipelines.app_db.call_views import CallViewError
from pipelines.centres.profile import load_centre
from pipelines.core.profile_files import centre_ids
from pipelines.queries import call_list
from pipelines.queries.call_list import PAGE_SIZES, SORTS, VERDICTS, CallQuery
from pipelines.queries.masking import mask_typed
from pipelines.reports import call_table, excel
from pipelines.reports.presenters import Presenter
from pipelines.reviews import blind, evaluations
from pipelines.web.request_context import NavItem, RequestContext, require_permission

router = APIRouter()
NAV = (NavItem("/calls", "calls", "see_calls"),)
LONGEST_VALUE = 100
COLUMNS = ("operator", "topic", "client_type", "line", "language", "direction", "wait", "duration", "coverage", "score")
USUAL_COLUMNS = ("operator", "topic", "client_type", "duration", "coverage", "score")
OUTCOMES = (
    "calmed",
    "ended_after_warning",
    "ended_without_warning",
    "ended_without_notice",
    "tolerated",
    "client_hung_up",
    "operator_at_fault",
    "cannot_tell",
)
DIRECTIONS = ("inbound", "outbound", "callback")
_TEXTS = {
    "operator": "operator_id", "criterion": "criterion_id", "topic": "topic", "client_type": "client_type", "language": "language", "line": "line",
}  # fmt: skip
_CHOICES = {"verdict": VERDICTS, "outcome": OUTCOMES, "direction": DIRECTIONS}
_NUMBERS = {"least_min": ("least_s", 60.0), "most_min": ("most_s", 60.0), "least_pct": ("least_pct", 1.0), "most_pct": ("most_pct", 1.0)}
_DAYS = {"from": "first_day", "to": "last_day"}
_TRI_STATES = {"open": "is_open", "critical": "is_critical", "abusive": "is_abusive", "reviewed": "is_reviewed"}
FILTERS = ("centre", *_TEXTS, *_CHOICES, *_NUMBERS, *_DAYS, *_TRI_STATES, "text")
_KEPT = (*FILTERS, "sort", "order", "size", "columns")  # what a saved view keeps


@router.get("/calls")
def calls(context: Annotated[RequestContext, require_permission("see_calls")]) -> HTMLResponse:
    """A page of the list."""
    return _page(context)


@router.get("/calls.{kind}")
def export(kind: str, context: Annotated[RequestContext, require_permission("export")]) -> Response:
    """Exactly the calls of the list as a file: xlsx, csv or parquet."""
    if kind not in call_table.MOST_ROWS:
        context.refuse(404, "exported", f"calls.{kind}"[:LONGEST_VALUE])
    given = _given(context)
    query, _ = read(given, context)
    context.limit_exports(f"calls.{kind}", given.get("centre", ""))
    most = call_table.MOST_ROWS[kind]
    rows = blind.blanked(call_list.all_of(context.published, query, most + 1), context.withheld)
    if len(rows) > most:
        return _page(context, context.w("cl_err_too_many", most=context.w.number(most)), 400)
    presenters = _presenters(context)
    verdicts = call_list.verdicts_of(context.published, [row["call_id"] for row in rows if row["call_id"] not in context.withheld])
    content = call_table.content(kind, call_table.table(rows, verdicts, presenters, context.w), context.w)
    context.note("exported", f"calls.{kind}", given.get("centre") or None)
    if kind == "xlsx":
        return excel.download(content, "calls.xlsx")
    return Response(
        content, media_type=call_table.TYPES[kind], headers={"Content-Disposition": f'attachment; filename="callgrade-calls.{kind}"'}
    )


@router.post("/calls/views")
def save_view(context: Annotated[RequestContext, require_permission("see_calls")]) -> Response:
    """Save the filters of the list under a name, for this account or for a centre."""
    given = {name: value for name, value in parse_qsl(context.given("query", 2000)) if name in _KEPT}
    if "text" in given:
        given["text"] = mask_typed(given["text"])
    shared = context.given("share") or None
    if shared is not None:
        shared = context.centre(shared)
        if not context.account.may("see_numbers"):
            context.refuse(403, "call_view_saved", shared, shared)
    read(given, context)  # a centre that this account may not see is refused
    try:
        call_views.save(
            context.store, context.account, mask_typed(context.given("name", call_views.LONGEST_NAME)), urlencode(given), shared
        )
    except CallViewError as error:
        return _page(context, context.w(error.key, most=call_views.MOST), 400, given)
    context.note("call_view_saved", None, shared)
    return context.go(f"/calls?{urlencode(given)}")


@router.post("/calls/views/remove")
def remove_view(context: Annotated[RequestContext, require_permission("see_calls")]) -> Response:
    """Remove an own saved view."""
    number = context.given("view", 12)
    if not (number.isascii() and number.isdigit()) or not call_views.remove(context.store, context.account, int(number)):
        context.refuse(404, "call_view_removed", number)
    context.note("call_view_removed", number)
    return context.go("/calls")


def read(given: Mapping[str, str], context: RequestContext) -> tuple[CallQuery, list[str]]:
    """The list that the parameters of an address ask for, and the parameters that were ignored because their value is impossible.

    Raises RefusedError for a centre that the account may not see.
    """
    account, values, ignored = context.account, dict[str, Any](), list[str]()
    for name, attribute in _TEXTS.items():
        values[attribute] = given.get(name, "").strip()[:LONGEST_VALUE] or None
    for name, allowed in _CHOICES.items():
        values[name] = _one_of(given, name, allowed, ignored)
    for name, (attribute, unit) in _NUMBERS.items():
        number = _number(given.get(name, ""))
        if number is None and given.get(name):
            ignored.append(name)
        values[attribute] = None if number is None else number * unit
    for name, attribute in _DAYS.items():
        values[attribute] = _day(given, name, ignored)
    for name, attribute in _TRI_STATES.items():
        values[attribute] = {"yes": True, "no": False}.get(_one_of(given, name, ("yes", "no"), ignored) or "")
    sort = _one_of(given, "sort", tuple(SORTS), ignored) or "started"
    order = _one_of(given, "order", ("asc", "desc"), ignored)
    size, page = given.get("size", ""), given.get("page", "")
    centre = given.get("centre", "")
    if account.role == "operator":
        values["operator_id"] = account.operator_id or ""
    query = CallQuery(
        (context.centre(centre),) if centre else tuple(context.centres()), **values, text=given.get("text", "").strip()[: call_list.LONGEST_TEXT],
        sort=sort, is_descending=SORTS[sort][1] if order is None else order == "desc", page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 and int(page) else 1,
        size=int(size) if size in map(str, PAGE_SIZES) else PAGE_SIZES[0], hears_personal_data=account.hears_personal_data, hidden=context.withheld,
    )  # fmt: skip
    if query.is_reviewed is not None:
        query = replace(query, reviewed=evaluations.reviewed_ids(context.store))
    return query, ignored


def _page(context: RequestContext, problem: str = "", status: int = 200, given: Mapping[str, str] | None = None) -> HTMLResponse:
    given = _given(context) if given is None else given
    query, ignored = read(given, context)
    found = call_list.page_of(context.published, query)
    pages = max(-(-found.total // query.size), 1)
    if query.page > pages and found.total:
        query = replace(query, page=pages)
        found = call_list.page_of(context.published, query)
    presenters = _presenters(context)
    listed = {
        c: {row["call_id"]: row for row in presenters[c].calls([r for r in found.rows if r["centre_id"] == c])}
        for c in {r["centre_id"] for r in found.rows}
    }
    rows = [listed[row["centre_id"]][row["call_id"]] | {"centre": presenters[row["centre_id"]].centre} for row in found.rows]
    kept = {name: given[name] for name in _KEPT if given.get(name)}
    columns = [name for name in COLUMNS if name in given.get("columns", "").split(" ")] or list(USUAL_COLUMNS)
    is_own = context.account.role == "operator"
    return context.page(
        "app/calls.html", status, query=query, given={name: given.get(name, "") for name in _KEPT}, found=found, rows=rows, pages=pages, first=(query.page - 1) * query.size + 1, problem=problem,
        ignored=[context.w(f"cl_f_{name}") for name in ignored], chips=_chips(context, kept, presenters), columns=[c for c in columns if not (is_own and c == "operator")],
        all_columns=[c for c in COLUMNS if not (is_own and c == "operator")], centres={c: presenters[c].centre["name"] for c in context.centres()},
        address=lambda **changed: _address(kept, changed), saved=urlencode(kept), views=call_views.readable(context.store, context.account), is_own=is_own,
        operators=[] if is_own else sorted({o for c in query.centres for o in operator_ids.known(context.published).get(c, ())})[: operator_ids.MOST_OFFERED],
        is_limited=bool(context.withheld) and query.reveals_results, may_share=context.account.may("see_numbers"), **_options(context, query, presenters),
    )  # fmt: skip


def _options(context: RequestContext, query: CallQuery, presenters: Mapping[str, Presenter]) -> dict[str, Any]:
    """What can be chosen in the filters: from the profiles of the centres that are listed."""
    profiles = [load_centre(c) for c in query.centres if c in centre_ids()]
    criteria = {c.criterion_id: presenters[p.centre_id].title(c.criterion_id) for p in profiles for c in p.scorecard.criteria}
    topics = dict.fromkeys(topic for p in profiles for topic in p.topic_ids)
    return {
        "criteria": sorted(criteria.items(), key=lambda one: one[1]),
        "topics": sorted(topics, key=lambda t: context.w.label("topics", t)),
        "client_types": list(dict.fromkeys(kind.type_id for p in profiles for kind in p.client_types)),
        "call_languages": list(dict.fromkeys(code for p in profiles for code in p.languages)),
        "lines": list(dict.fromkeys(line.line_id for p in profiles for line in p.lines)),
        "outcomes": OUTCOMES, "verdicts": VERDICTS, "directions": DIRECTIONS, "sizes": PAGE_SIZES, "sorts": SORTS,
    }  # fmt: skip


def _chips(context: RequestContext, kept: Mapping[str, str], presenters: Mapping[str, Presenter]) -> list[tuple[str, str]]:
    """The filters that are set, in words, each with the address of the list without it."""
    w, found = context.w, []
    groups = {
        "topic": "topics",
        "client_type": "client_types",
        "outcome": "outcomes",
        "verdict": "verdict_names",
        "direction": "directions",
        "language": "language_names",
        "line": "lines",
    }
    for name in FILTERS:
        if not (value := kept.get(name, "")):
            continue
        if name == "centre" and value in presenters:
            value = str(presenters[value].centre["name"])
        elif name == "criterion":
            value = next((p.title(value) for p in presenters.values() if value in p.titles), value)
        elif name in groups:
            value = w.label(groups[name], value)
        elif name in _TRI_STATES:
            value = w(f"cl_{value}") if value in ("yes", "no") else value
        elif name in _DAYS:
            day = _day(kept, name, [])
            value = w.date(day) if day else value
        found.append((f"{w(f'cl_f_{name}')}: {value}", _address(kept, {name: ""})))
    return found


def _address(kept: Mapping[str, str], changed: Mapping[str, object]) -> str:
    """The address of the list with some parameters changed; an empty value removes one. It starts at the first page."""
    values = {**kept, **{name: str(value) for name, value in changed.items()}}
    return "/calls?" + urlencode({name: value for name, value in values.items() if value})


def _given(context: RequestContext) -> dict[str, str]:
    parameters = context.request.query_params
    given = {name: value for name, value in parameters.items() if name in (*_KEPT, "page")}
    return given | {"columns": " ".join(parameters.getlist("columns"))} if "columns" in parameters else given


def _presenters(context: RequestContext) -> dict[str, Presenter]:
    return {centre_id: context.presenter(centre_id) for centre_id in context.centres()}


def _one_of(given: Mapping[str, str], name: str, allowed: tuple[str, ...], ignored: list[str]) -> str | None:
    value = given.get(name, "")
    if value and value not in allowed:
        ignored.append(name)
    return value if value in allowed else None


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", ".")) if len(text) < 10 else -1.0
    except ValueError:
        return None
    return number if 0 <= number < 1e6 else None


def _day(given: Mapping[str, str], name: str, ignored: list[str]) -> date | None:
    text = given.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        ignored.append(name)
        return None
