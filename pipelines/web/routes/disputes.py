"""Disputes: an operator's own, and for managers those to decide."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.core.published import Row
from pipelines.queries import call_details
from pipelines.queries.masking import mask_typed
from pipelines.reviews import disputes, human_verdicts, regression_cases, resolved_verdicts
from pipelines.reviews.disputes import LONGEST_REASON, SHORTEST_REASON, NotDisputableError
from pipelines.reviews.human_verdicts import LONGEST_NOTE, LONGEST_QUOTE, NoEvidenceError
from pipelines.web.request_context import NavItem, RequestContext, call_path, require_permission

router = APIRouter()
NAV = (
    NavItem("/", "my_calls", "dispute"),
    NavItem("/my-disputes", "my_disputes", "dispute", waiting=lambda context: disputes.count_unread(context.store, context.account)),
    NavItem("/disputes", "disputes", "decide_disputes", waiting=lambda context: disputes.count_to_decide(context.store, context.account)),
)
UPHELD_WITH = ("pass", "na")


@router.get("/my-disputes")
def own(context: Annotated[RequestContext, require_permission("dispute")]) -> HTMLResponse:
    """An operator's disputes and their decisions."""
    rows = disputes.of_operator(context.store, context.account)
    answer = context.page("app/disputes.html", rows=_listed(context, rows), is_own=True)
    disputes.mark_read(context.store, context.account)
    return answer


@router.get("/dispute/{criterion_id}/{call_id:path}")
def dispute_form(criterion_id: str, call_id: str, context: Annotated[RequestContext, require_permission("dispute")]) -> HTMLResponse:
    """The form to dispute a point of an own call."""
    return _new(context, context.call(call_id, "disputed"), criterion_id)


@router.post("/dispute")
def dispute(context: Annotated[RequestContext, require_permission("dispute")]) -> Response:
    """Save a dispute."""
    call, criterion_id = context.call(context.given("call_id"), "disputed"), context.given("criterion_id")
    marked = _marked(context, call).get(criterion_id)
    if marked is None:
        context.refuse(404, "disputed", call["call_id"], call["centre_id"])
    turn = context.given("turn")
    turn_no = int(turn) if turn.isascii() and turn.isdigit() and len(turn) < 6 else None
    try:
        reason = _reason(context)
        disputes.open_dispute(context.store, context.account, call, marked, reason, turn_no)
    except NotDisputableError as error:
        return _new(context, call, criterion_id, _say(context, error), 400, error.field)
    context.note("disputed", f"{call['call_id']} {criterion_id}", call["centre_id"])
    return context.go("/my-disputes")


@router.get("/disputes")
def all_of_them(context: Annotated[RequestContext, require_permission("decide_disputes")]) -> HTMLResponse:
    """The disputes of a manager's centres, open ones first."""
    return context.page("app/disputes.html", rows=_listed(context, disputes.of_centres(context.store, context.account)), is_own=False)


@router.get("/disputes/{dispute_id}")
def one(dispute_id: int, context: Annotated[RequestContext, require_permission("decide_disputes")]) -> Response:
    """A dispute with its subject, and the form to decide it; a call of the blind sample must be judged first."""
    found = _found(context, dispute_id)
    return context.to_blind_form(found["call_id"]) if found["call_id"] in context.withheld else _one(context, found)


@router.post("/disputes/{dispute_id}")
def decide(dispute_id: int, context: Annotated[RequestContext, require_permission("decide_disputes")]) -> Response:
    """Uphold or reject a dispute."""
    found = _found(context, dispute_id)
    call = context.call(found["call_id"], "dispute_decided")
    if call["call_id"] in context.withheld:
        return context.to_blind_form(call["call_id"])
    point = _machine_point(context, found)
    decision = context.given("decision")
    try:
        reason = _reason(context)
        answer, case = None, None
        if decision == "uphold":
            if context.given("verdict") not in UPHELD_WITH:
                raise NotDisputableError("say_verdict", "verdict")
            turns = resolved_verdicts.read(context.published, context.store, call, is_masked=True)["turns"]
            answer = human_verdicts.said(
                found["criterion_id"], context.given("verdict"), context.given("turn"), context.given("quote", 4000), reason, turns, call["duration_s"] or 0.0
            )  # fmt: skip
            machine = point["verdict"] if point else ""
            case = regression_cases.freeze(
                context.published, context.store.signing_key, call, found["criterion_id"], answer.verdict, machine
            )
        elif decision != "reject":
            raise NotDisputableError("say_decision", "decision")
        disputes.decide(context.store, context.account, found, reason, answer, point["verdict"] if point else None, case)
    except (NotDisputableError, NoEvidenceError) as error:
        return _one(context, found, _say(context, error), 400, error.field)
    context.note("dispute_decided", f"{call['call_id']} {found['criterion_id']}", call["centre_id"])
    return context.go("/disputes")


def _found(context: RequestContext, dispute_id: int) -> Row:
    found = disputes.find(context.store, dispute_id) if dispute_id < 2**62 else None
    if found is None:
        context.refuse(404, "opened", f"dispute {dispute_id}")
    context.call(found["call_id"])  # checks access to the call's centre
    return found


def _new(context: RequestContext, call: Row, criterion_id: str, problem: str = "", status: int = 200, field: str = "") -> HTMLResponse:
    marked = _marked(context, call).get(criterion_id)
    if marked is None or not (marked["may_open"] or problem):
        context.refuse(404, "disputed", call["call_id"], call["centre_id"])
    shown, rows = context.presenter(call["centre_id"]), _rows(context, call)
    point = marked["point"]
    return context.page(
        "app/dispute.html", status, call=call, when=context.w.time(call["started_local"]), title=shown.title(criterion_id, point["scorecard_version"]), point=point, dispute=None,
        explanation=context.w.explain(point["explanation_json"], point["explanation"]), turns=rows["turns"], parts_of=call_details.parts_of, problem=problem, problem_field=field, until=marked["until"],
        days=context.site.settings.dispute_days, given={name: context.given(name) for name in ("reason", "turn", "quote", "verdict", "decision")},
        href=call_path(call["call_id"]), longest=LONGEST_REASON, shortest=SHORTEST_REASON, longest_quote=LONGEST_QUOTE, centre=shown.centre,
    )  # fmt: skip


def _one(context: RequestContext, found: Row, problem: str = "", status: int = 200, field: str = "") -> HTMLResponse:
    call = context.call(found["call_id"])
    human_verdicts.note_seen(context.store, context.account, call["call_id"])
    shown, rows = context.presenter(call["centre_id"]), _rows(context, call)
    key = (found["scorecard_id"], found["criterion_id"])
    point = next((p for p in disputes.standing_points(rows["criterion_results"]) if (p["scorecard_id"], p["criterion_id"]) == key), None)
    return context.page(
        "app/dispute.html", status, call=call, when=context.w.time(call["started_local"]), title=shown.title(found["criterion_id"], point["scorecard_version"] if point else None), point=point,
        dispute=found, explanation=context.w.explain(point["explanation_json"], point["explanation"]) if point else "", turns=rows["turns"], parts_of=call_details.parts_of,
        problem=problem, problem_field=field, until=None, days=context.site.settings.dispute_days,
        given={name: context.given(name) for name in ("reason", "turn", "quote", "verdict", "decision")},
        href=call_path(call["call_id"]), longest=LONGEST_REASON, shortest=SHORTEST_REASON, longest_quote=LONGEST_QUOTE, centre=shown.centre,
    )  # fmt: skip


def _marked(context: RequestContext, call: Row) -> dict[str, Row]:
    return disputes.mark(context.store, context.account, call, _rows(context, call), context.site.settings.dispute_days)


def _rows(context: RequestContext, call: Row) -> dict[str, list[Row]]:
    return resolved_verdicts.read(context.published, context.store, call, is_masked=True)


def _machine_point(context: RequestContext, found: Row) -> Row | None:
    more, values = "judge = 'machine' and scorecard_id = ? and criterion_id = ?", [found["scorecard_id"], found["criterion_id"]]
    rows = context.published.of_calls("criterion_results", [found["call_id"]], "call_id", more=more, values=values)
    return rows[0] if rows else None


def _reason(context: RequestContext) -> str:
    return mask_typed(disputes.reason_given(context.given("reason", 4000)))


def _say(context: RequestContext, error: Exception) -> str:
    return context.w(
        str(error),
        least=SHORTEST_REASON,
        most=LONGEST_REASON,
        quote=LONGEST_QUOTE,
        note=LONGEST_NOTE,
        days=context.site.settings.dispute_days,
    )


def _listed(context: RequestContext, rows: list[Row]) -> list[Row]:
    versions = call_details.versions_of(context.published, [row["call_id"] for row in rows])
    return [
        row
        | {
            "title": context.presenter(row["centre_id"]).title(row["criterion_id"], versions.get(row["call_id"])),
            "href": call_path(row["call_id"]),
            "is_withheld": row["call_id"] in context.withheld,
        }
        for row in rows
    ]
