"""An operator's page: for the operator own calls and criteria, for others those of somebody at one of their centres."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from pipelines.web import summaries
from pipelines.web.shown import period
from pipelines.web.visit import Visit, may

router = APIRouter()
CALLS_SHOWN = 100
CLIPS_SHOWN = 6


@router.get("/operators/{centre_id}/{operator_id:path}")
def operator(centre_id: str, operator_id: str, visit: Annotated[Visit, may("see_calls")]) -> HTMLResponse:
    """The page of an operator."""
    centre_id = visit.operator(centre_id, operator_id)
    published, shown = visit.published, visit.shown(centre_id)
    rows = published.once("operators", lambda: summaries.operators(published))[centre_id]
    row = next((o for o in shown.operators(rows) if o["operator_id"] == operator_id), None)
    if row is None:
        visit.refuse(404, "opened", operator_id, centre_id)
    by_operator = published.once(("criteria_by_operator", centre_id), lambda: summaries.criteria_by_operator(published, centre_id))
    calls = summaries.calls(published, centre_id, operator_id, CALLS_SHOWN)
    clips = summaries.clips(published, centre_id, operator_id, CLIPS_SHOWN) if visit.account.may("hear") else []
    return visit.page(
        "operator.html", centre=shown.centre | {"href": shown.centre["href"] if visit.account.may("see_numbers") else ""}, operator=row,
        period=period(row, visit.w), criteria=shown.named(by_operator.get(operator_id, [])), calls=shown.calls(calls),
        more_calls=max(row["graded"] - len(calls), 0), clips=shown.clips(clips),
    )  # fmt: skip
