"""The trends of a centre: each criterion over time, what changed in a period, and what contributed to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from pipelines.core.period import AGAINST, KINDS, Period, PeriodError, latest, parse
from pipelines.core.settings import now
from pipelines.reports.trends_view import TrendsPresenter, period_label, period_query
from pipelines.trends.centre_trends import read_parts
from pipelines.trends.change import FEWEST_CALLS, FEWEST_OPERATORS
from pipelines.web import aggregates_cache
from pipelines.web.request_context import RequestContext, calls_path, require_permission, trends_path

router = APIRouter()


@router.get("/trends/{centre_id}")
def trends(centre_id: str, request: Request, context: Annotated[RequestContext, require_permission("see_numbers")]) -> HTMLResponse:
    """The trends of a centre in the period of the URL; 400 with the latest week where the period cannot be used."""
    centre_id = context.centre(centre_id)
    newest = aggregates_cache.newest_day(context.published, centre_id) or now().date() - timedelta(days=1)
    error = None
    try:
        period = parse(request.query_params, newest)
    except PeriodError as refused:
        period, error = latest("week", newest), refused.key
    found, shown = aggregates_cache.trends_in(context.published, centre_id, period), context.presenter(centre_id)
    presented = TrendsPresenter(found, shown, calls_path)
    outcomes = presented.outcomes()
    asked = request.query_params.get("criterion")
    chosen = next((o for o in outcomes if o.outcome.name == asked), None)
    parts = presented.parts(read_parts(context.published, centre_id, found, chosen.outcome)) if chosen else []

    def query(kind: str, other: Period | None = None, criterion: str | None = None) -> str:
        """The query of another kind of period around the chosen one, or of another period of the same kind."""
        kept = criterion or (chosen.outcome.name if chosen else None)
        if other is not None:
            return period_query(other, criterion=kept)
        if kind == "custom":
            return period_query(Period("custom", period.first, period.last, period.against), criterion=kept)
        day = min(period.last, newest) if period.first <= newest else period.first
        return period_query(parse({"period": kind, "on": str(day), "against": period.against}, newest), criterion=kept)

    return context.page(
        "app/trends.html", 400 if error else 200, centre=shown.centre, trends=found, outcomes=outcomes, lines=presented.lines(), chosen=chosen, decomposed=parts,
        criterion=chosen.outcome.name if chosen else "", period=period, label=period_label(period, context.w),
        before_label=period_label(period.compared, context.w), period_label=period_label, query=query, path=f"/{trends_path(centre_id)}",
        kinds=KINDS, compares=AGAINST, newest=newest, error=error, fewest_calls=FEWEST_CALLS, fewest_operators=FEWEST_OPERATORS,
    )  # fmt: skip
