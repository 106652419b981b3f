"""An operator's page: own calls and criteria for the operator, and for others those of an operator at one of their centres."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.core.settings import now
from pipelines.queries import call_details
from pipelines.reports import excel, pdf
from pipelines.reports.presenters import period
from pipelines.reviews import blind
from pipelines.web import aggregates_cache
from pipelines.web.request_context import RequestContext, require_permission

router = APIRouter()
CALLS_SHOWN = 100
CALLS_ON_PAPER = 40


@router.get("/operators/{centre_id}/{operator_id:path}")
def operator(centre_id: str, operator_id: str, context: Annotated[RequestContext, require_permission("see_calls")]) -> HTMLResponse:
    """The page of an operator."""
    return context.page("app/operator.html", **_page_values(context, centre_id, operator_id, CALLS_SHOWN))


@router.get("/operator-scorecards/{centre_id}/{operator_id:path}")
def scorecard(centre_id: str, operator_id: str, context: Annotated[RequestContext, require_permission("export")]) -> Response:
    """An operator's scorecard as PDF."""
    centre_id = context.operator(centre_id, operator_id)
    context.limit_exports(f"{centre_id}/{operator_id}.pdf", centre_id)
    content = pdf.operator_pages(_page_values(context, centre_id, operator_id, CALLS_ON_PAPER), now().date(), context.w)
    context.note("exported", f"{centre_id}/{operator_id}.pdf", centre_id)
    return excel.download(content, f"{centre_id}-{operator_id}.pdf")


def _page_values(context: RequestContext, centre_id: str, operator_id: str, most: int) -> dict[str, Any]:
    centre_id = context.operator(centre_id, operator_id)
    published, shown = context.published, context.presenter(centre_id)
    rows = aggregates_cache.operators(published, centre_id)
    row = next((o for o in shown.operators(rows) if o["operator_id"] == operator_id), None)
    if row is None:
        context.refuse(404, "opened", operator_id, centre_id)
    by_operator = aggregates_cache.operators_criteria(published, centre_id)
    calls = blind.without(aggregates_cache.operators_calls(published, centre_id, operator_id, most), context.withheld)
    if context.withheld:  # all of them, so that the selection reveals nothing
        calls += [
            c
            for c in blind.sampled(published, context.store, centre_id)
            if c["call_id"] in context.withheld and c["operator_id"] == operator_id
        ]
    clips = aggregates_cache.operators_clips(published, centre_id, operator_id) if context.account.may("hear") else []
    versions = call_details.versions_of(published, [row["call_id"] for row in clips])
    return {
        "centre": shown.centre | {"href": shown.centre["href"] if context.account.may("see_numbers") else ""}, "operator": row,
        "period": period(row, context.w), "criteria": shown.named(by_operator.get(operator_id, [])), "calls": shown.calls(calls),
        "operator_calls": partial(shown.calls_link, operator=operator_id), "more_calls": max(row["graded"] - len(calls), 0), "clips": shown.clips(clips, versions),
    }  # fmt: skip
