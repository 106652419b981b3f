"""What a quality manager works with: the centres, a centre at a glance, the queue of calls to review, operators side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.published import Row
from pipelines.web import summaries
from pipelines.web.shown import period
from pipelines.web.visit import NavItem, Visit, call_path, may, operator_path

router = APIRouter()
NAV = (NavItem("/", "overview", "see_numbers"),)
CALLS_SHOWN = 100
CLIPS_SHOWN = 6


@router.get("/")
def start(visit: Annotated[Visit, may("see_calls")]) -> Response:
    """The centres that this person sees; an operator's own page, and the only centre of who sees one."""
    account = visit.account
    if account.role == "operator":
        return visit.go("/" + operator_path(sorted(account.centres)[0], account.operator_id or ""))
    centres = visit.centres()
    if len(centres) == 1:
        return visit.go("/" + visit.shown(centres[0]).centre["href"])
    totals = [t for t in all_totals(visit) if t["centre_id"] in centres]
    cards = [t | visit.shown(t["centre_id"]).centre | {"period": period(t, visit.w)} for t in totals]
    numbers = {key: sum(t[key] for t in totals) for key in ("received", "graded", "needs_review", "auto_fails", "abusive_calls")}
    return visit.page("index.html", centres=cards, ledger=[], **numbers)


@router.get("/centres/{centre_id}")
def centre(centre_id: str, visit: Annotated[Visit, may("see_numbers")]) -> HTMLResponse:
    """A centre at a glance."""
    centre_id = visit.centre(centre_id)
    published, shown = visit.published, visit.shown(centre_id)
    total = next(t for t in all_totals(visit) if t["centre_id"] == centre_id)
    calls = published.once(("calls", centre_id), lambda: summaries.calls(published, centre_id))
    criteria = shown.named(published.once(("criteria", centre_id), lambda: summaries.criteria(published, centre_id)))
    operators = published.once("operators", lambda: summaries.operators(published))[centre_id]
    ledger = summaries.ledger(published, centre_id, CALLS_SHOWN)
    return visit.page(
        "centre.html", centre=shown.centre, total=total, period=period(total, visit.w), answers=shown.answers(published, criteria), criteria=criteria,
        operators=shown.operators(operators), topics=summaries.topics(published, centre_id), calls=shown.calls(calls[:CALLS_SHOWN]),
        more_calls=max(len(calls) - CALLS_SHOWN, 0), clips=shown.clips(summaries.clips(published, centre_id)[:CLIPS_SHOWN]), ledger=ledger,
        more_ledger=total["received"] - total["graded"] - len(ledger), call_href=call_path,
    )  # fmt: skip


def all_totals(visit: Visit) -> list[Row]:
    """The sums of every centre, worked out once for each published copy."""
    return visit.published.once("totals", lambda: [t for t in summaries.centres(visit.published) if t["centre_id"] is not None])
