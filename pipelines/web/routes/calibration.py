"""Calibration: the reliability of each criterion from calls judged blind, and the calls to judge for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from pipelines.core.published import Row
from pipelines.reviews import agreement, blind
from pipelines.web.request_context import RequestContext, require_permission

router = APIRouter()
_ORDER = ("trusted", "not_trusted", "unclear", "one_answer", "few")


@router.get("/centres/{centre_id}/calibration")
def calibration(centre_id: str, context: Annotated[RequestContext, require_permission("see_numbers")]) -> HTMLResponse:
    """The agreement of human and automatic verdicts at a centre by criterion."""
    centre_id = context.centre(centre_id)
    shown = context.presenter(centre_id)
    trusts = sorted(
        agreement.by_criterion(context.published, context.store, centre_id), key=lambda t: (_ORDER.index(t.level), t.criterion_id)
    )
    counted = context.store.rows(
        "select count(distinct call_id) as calls, count(distinct account_id) as people from people_evaluations where centre_id = ? and is_blind",
        centre_id,
    )[0]
    return context.page(
        "app/calibration.html", centre=shown.centre, trusts=[(shown.title(t.criterion_id), t) for t in trusts], counted=counted,
        least={"calls": agreement.LEAST_CALLS, "percent": agreement.LEAST_PCT, "alpha": agreement.LEAST_ALPHA},
        calls=_to_judge(context, centre_id) if context.account.may("review") else None,
    )  # fmt: skip


def _to_judge(context: RequestContext, centre_id: str) -> list[Row]:
    """This week's random sample with the number of blind evaluations of each call; calls this person can no longer judge blind are last."""
    rows = blind.sampled(context.published, context.store, centre_id)
    ids = [row["call_id"] for row in rows]
    judged = context.store.rows(
        f"""select call_id, count(distinct account_id) as people, max(account_id = ?) as is_mine from people_evaluations
            where is_blind and call_id in ({", ".join("?" * len(ids))}) group by call_id""",
        context.account.account_id, *ids,
    )  # fmt: skip
    done = {row["call_id"]: row for row in judged}
    plain = [row | {"when": context.w.time(row["started_local"])} for row in rows]
    found = [
        row | {
            "people_blind": done.get(row["call_id"], {}).get("people", 0), "is_mine": bool(done.get(row["call_id"], {}).get("is_mine")),
            "has_seen": row["call_id"] not in context.withheld,
        }
        for row in plain
    ]  # fmt: skip
    return sorted(found, key=lambda row: row["has_seen"])
