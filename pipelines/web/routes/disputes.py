"""Disputes: for operators those of their own points, for managers those to decide."""

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
from pipelines.web.request_context import NavItem, RequestContext, call_path, may

router = APIRouter()
NAV = (
    NavItem("/", "my_calls", "dispute"),
    NavItem("/my-disputes", "my_disputes", "dispute", waiting=lambda visit: disputes.count_unread(visit.store, visit.account)),
    NavItem("/disputes", "disputes", "decide_disputes", waiting=lambda visit: disputes.count_to_decide(visit.store, visit.account)),
)
UPHELD_WITH = ("pass", "na")


@router.get("/my-disputes")
def own(visit: Annotated[RequestContext, may("dispute")]) -> HTMLResponse:
    """An operator's disputes and what became of them."""
    rows = disputes.of_operator(visit.store, visit.account)
    answer = visit.page("app/disputes.html", rows=_listed(visit, rows), is_own=True)
    disputes.mark_read(visit.store, visit.account)
    return answer


@router.get("/dispute/{criterion_id}/{call_id:path}")
def dispute_form(criterion_id: str, call_id: str, visit: Annotated[RequestContext, may("dispute")]) -> HTMLResponse:
    """The form to dispute a point of an own call."""
    return _new(visit, visit.call(call_id, "disputed"), criterion_id)


@router.post("/dispute")
def dispute(visit: Annotated[RequestContext, may("dispute")]) -> Response:
    """Keep a dispute."""
    call, criterion_id = visit.call(visit.given("call_id"), "disputed"), visit.given("criterion_id")
    marked = _marked(visit, call).get(criterion_id)
    if marked is None:
        visit.refuse(404, "disputed", call["call_id"], call["centre_id"])
    turn = visit.given("turn")
    turn_no = int(turn) if turn.isascii() and turn.isdigit() and len(turn) < 6 else None
    try:
        reason = _reason(visit)
        disputes.open_dispute(visit.store, visit.account, call, marked, reason, turn_no)
    except NotDisputableError as error:
        return _new(visit, call, criterion_id, _say(visit, error), 400, error.field)
    visit.note("disputed", f"{call['call_id']} {criterion_id}", call["centre_id"])
    return visit.go("/my-disputes")


@router.get("/disputes")
def all_of_them(visit: Annotated[RequestContext, may("decide_disputes")]) -> HTMLResponse:
    """The disputes of the centres that a manager sees, those to decide first."""
    return visit.page("app/disputes.html", rows=_listed(visit, disputes.of_centres(visit.store, visit.account)), is_own=False)


@router.get("/disputes/{dispute_id}")
def one(dispute_id: int, visit: Annotated[RequestContext, may("decide_disputes")]) -> Response:
    """A dispute with what it is about, and the form to decide it; before that, a call of the blind sample has to be judged."""
    found = _found(visit, dispute_id)
    return visit.to_blind_form(found["call_id"]) if found["call_id"] in visit.withheld else _one(visit, found)


@router.post("/disputes/{dispute_id}")
def decide(dispute_id: int, visit: Annotated[RequestContext, may("decide_disputes")]) -> Response:
    """Uphold or reject a dispute."""
    found = _found(visit, dispute_id)
    call = visit.call(found["call_id"], "dispute_decided")
    if call["call_id"] in visit.withheld:
        return visit.to_blind_form(call["call_id"])
    point = _machine_point(visit, found)
    decision = visit.given("decision")
    try:
        reason = _reason(visit)
        answer, case = None, None
        if decision == "uphold":
            if visit.given("verdict") not in UPHELD_WITH:
                raise NotDisputableError("say_verdict", "verdict")
            turns = resolved_verdicts.read(visit.published, visit.store, call, is_masked=True)["turns"]
            answer = human_verdicts.said(
                found["criterion_id"], visit.given("verdict"), visit.given("turn"), visit.given("quote", 4000), reason, turns, call["duration_s"] or 0.0
            )  # fmt: skip
            machine = point["verdict"] if point else ""
            case = regression_cases.freeze(visit.published, visit.store.signing_key, call, found["criterion_id"], answer.verdict, machine)
        elif decision != "reject":
            raise NotDisputableError("say_decision", "decision")
        disputes.decide(visit.store, visit.account, found, reason, answer, point["verdict"] if point else None, case)
    except (NotDisputableError, NoEvidenceError) as error:
        return _one(visit, found, _say(visit, error), 400, error.field)
    visit.note("dispute_decided", f"{call['call_id']} {found['criterion_id']}", call["centre_id"])
    return visit.go("/disputes")


def _found(visit: RequestContext, dispute_id: int) -> Row:
    found = disputes.find(visit.store, dispute_id) if dispute_id < 2**62 else None
    if found is None:
        visit.refuse(404, "opened", f"dispute {dispute_id}")
    visit.call(found["call_id"])  # of a centre that this person sees
    return found


def _new(visit: RequestContext, call: Row, criterion_id: str, problem: str = "", status: int = 200, field: str = "") -> HTMLResponse:
    marked = _marked(visit, call).get(criterion_id)
    if marked is None or not (marked["may_open"] or problem):
        visit.refuse(404, "disputed", call["call_id"], call["centre_id"])
    shown, rows = visit.shown(call["centre_id"]), _rows(visit, call)
    point = marked["point"]
    return visit.page(
        "app/dispute.html", status, call=call, when=visit.w.time(call["started_local"]), title=shown.title(criterion_id), point=point, dispute=None,
        explanation=visit.w.explain(point["explanation_json"], point["explanation"]), turns=rows["turns"], parts_of=call_details.parts_of, problem=problem, problem_field=field, until=marked["until"],
        days=visit.site.settings.dispute_days, given={name: visit.given(name) for name in ("reason", "turn", "quote", "verdict", "decision")},
        href=call_path(call["call_id"]), longest=LONGEST_REASON, shortest=SHORTEST_REASON, longest_quote=LONGEST_QUOTE, centre=shown.centre,
    )  # fmt: skip


def _one(visit: RequestContext, found: Row, problem: str = "", status: int = 200, field: str = "") -> HTMLResponse:
    call = visit.call(found["call_id"])
    human_verdicts.note_seen(visit.store, visit.account, call["call_id"])
    shown, rows = visit.shown(call["centre_id"]), _rows(visit, call)
    key = (found["scorecard_id"], found["criterion_id"])
    point = next((p for p in disputes.standing_points(rows["criterion_results"]) if (p["scorecard_id"], p["criterion_id"]) == key), None)
    return visit.page(
        "app/dispute.html", status, call=call, when=visit.w.time(call["started_local"]), title=shown.title(found["criterion_id"]), point=point,
        dispute=found, explanation=visit.w.explain(point["explanation_json"], point["explanation"]) if point else "", turns=rows["turns"], parts_of=call_details.parts_of,
        problem=problem, problem_field=field, until=None, days=visit.site.settings.dispute_days,
        given={name: visit.given(name) for name in ("reason", "turn", "quote", "verdict", "decision")},
        href=call_path(call["call_id"]), longest=LONGEST_REASON, shortest=SHORTEST_REASON, longest_quote=LONGEST_QUOTE, centre=shown.centre,
    )  # fmt: skip


def _marked(visit: RequestContext, call: Row) -> dict[str, Row]:
    return disputes.mark(visit.store, visit.account, call, _rows(visit, call), visit.site.settings.dispute_days)


def _rows(visit: RequestContext, call: Row) -> dict[str, list[Row]]:
    return resolved_verdicts.read(visit.published, visit.store, call, is_masked=True)


def _machine_point(visit: RequestContext, found: Row) -> Row | None:
    more, values = "judge = 'machine' and scorecard_id = ? and criterion_id = ?", [found["scorecard_id"], found["criterion_id"]]
    rows = visit.published.of_calls("criterion_results", [found["call_id"]], "call_id", more=more, values=values)
    return rows[0] if rows else None


def _reason(visit: RequestContext) -> str:
    return mask_typed(disputes.reason_given(visit.given("reason", 4000)))


def _say(visit: RequestContext, error: Exception) -> str:
    return visit.w(
        str(error),
        least=SHORTEST_REASON,
        most=LONGEST_REASON,
        quote=LONGEST_QUOTE,
        note=LONGEST_NOTE,
        days=visit.site.settings.dispute_days,
    )


def _listed(visit: RequestContext, rows: list[Row]) -> list[Row]:
    return [
        row
        | {
            "title": visit.shown(row["centre_id"]).title(row["criterion_id"]),
            "href": call_path(row["call_id"]),
            "is_withheld": row["call_id"] in visit.withheld,
        }
        for row in rows
    ]
