"""New reasons for calling: what the weekly search found, to be made a topic or dismissed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Row
from pipelines.discovery import reasons
from pipelines.scorecards.errors import ScorecardError
from pipelines.web.request_context import NavItem, RequestContext, call_path, require_permission, scorecard_path
from pipelines.web.routes.scorecards import with_profile
from pipelines.web.scorecard_forms import explained

router = APIRouter()
NAV = (
    NavItem("/new-reasons", "new_reasons", "see_numbers", waiting=lambda context: reasons.count_waiting(context.store, _centres(context))),
)
_DECISIONS = ("topic", "dismiss")


@router.get("/new-reasons")
def start(context: Annotated[RequestContext, require_permission("see_numbers")]) -> Response:
    """The new reasons of this account's centres; redirects an account of one centre to its page."""
    found = _centres(context)
    if len(found) == 1:
        return context.go(f"/new-reasons/{found[0]}")
    rows = [context.presenter(one).centre | {"waiting": reasons.count_waiting(context.store, [one])} for one in found]
    return context.page("app/new_reasons_centres.html", rows=rows)


@router.get("/new-reasons/{centre_id}")
def of_centre(centre_id: str, context: Annotated[RequestContext, require_permission("see_numbers")]) -> HTMLResponse:
    """The new reasons of a centre, with what clients said and how often they call for it."""
    return _page(context, with_profile(context, centre_id))


@router.post("/new-reasons/{centre_id}/{reason_id}")
def decide(centre_id: str, reason_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Make a topic of a reason, in the draft of the scorecard, or dismiss it."""
    centre_id = with_profile(context, centre_id, "new_reason_decided")
    number = int(reason_id) if reason_id.isascii() and reason_id.isdigit() and len(reason_id) < 12 else 0
    reason = reasons.load_reason(context.store, centre_id, number)
    decision = context.given("decision")
    if reason is None or decision not in _DECISIONS:
        context.refuse(404 if reason is None else 400, "new_reason_decided", f"{centre_id} {reason_id}"[:100], centre_id)
    if decision == "dismiss":
        if not reasons.dismiss(context.store, reason, context.account.name):
            return _page(context, centre_id, context.w("nr_err_decided", name=reason["decided_by"]))
        context.note("new_reason_dismissed", f"{centre_id} {number}", centre_id)
        return context.go(f"/new-reasons/{centre_id}?done=dismissed")
    try:
        topic_id = reasons.make_topic(context.store, context.published, reason, context.account.name, context.withheld)
    except (ScorecardError, MisconfiguredError) as error:
        return _page(context, centre_id, explained(error, "sc_err_profile", context.w))
    context.note("new_reason_accepted", f"{centre_id} {number} {topic_id}", centre_id)
    return context.go(f"/{scorecard_path(centre_id)}/edit/topics/{topic_id}?done=reason")


def _centres(context: RequestContext) -> list[str]:
    return [one for one in context.centres() if one in centre_ids()]


def _page(context: RequestContext, centre_id: str, problem: str = "") -> HTMLResponse:
    rows = reasons.listed(context.store, centre_id)
    calls: dict[int, list[Row]] = {}
    for call in reasons.calls_of(context.store, [row["reason_id"] for row in rows]):
        if call["call_id"] not in context.withheld:
            calls.setdefault(call["reason_id"], []).append(call)
    shown = [_presented(context, row, calls.get(row["reason_id"], [])) for row in rows]
    return context.page(
        "app/new_reasons.html", 409 if problem else 200, centre=context.presenter(centre_id).centre, problem=problem,
        waiting=[row for row in shown if row["status"] == reasons.NEW], decided=[row for row in shown if row["status"] != reasons.NEW],
        may_decide=context.account.may("edit_scorecards"), done=context.request.query_params.get("done", ""),
    )  # fmt: skip


def _presented(context: RequestContext, row: Row, calls: list[Row]) -> dict[str, Any]:
    """A reason for the page: its shares, and quotes of what clients said that link into their calls."""
    quotes = reasons.quotes(context.published, calls[: reasons.MOST_QUOTES]) if row["status"] == reasons.NEW else []
    return row | {
        "first_day": date.fromisoformat(row["first_day"]),
        "last_day": date.fromisoformat(row["last_day"]),
        "share": row["calls"] / max(row["compared"], 1),
        "earlier_share": row["earlier"] / max(row["earlier_compared"], 1),
        "quotes": [quote | {"href": call_path(quote["call_id"])} for quote in quotes],
    }
