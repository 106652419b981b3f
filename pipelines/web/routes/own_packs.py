"""The coaching packs made for an operator, for playback by that operator: no download, no changes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.coaching import packs
from pipelines.core.published import Row
from pipelines.web.request_context import NavItem, RequestContext, require_permission
from pipelines.web.routes.trainer import calls_of, moment_rows, sounding

router = APIRouter()
NAV = (NavItem("/my-packs", "my_packs", "learn"),)


@router.get("/my-packs")
def own(context: Annotated[RequestContext, require_permission("learn")]) -> HTMLResponse:
    """The unexpired packs made for this operator."""
    rows = packs.made_for(context.store, context.account)
    return context.page("app/own_packs.html", packs=[row | {"until": packs.day_of(row["expires_at"])} for row in rows])


@router.get("/my-packs/{pack_id}")
def one(pack_id: str, context: Annotated[RequestContext, require_permission("learn")]) -> HTMLResponse:
    """A pack: its moments are played one after another. Calls of other operators have no id here."""
    pack = _pack(context, pack_id)
    shown = context.presenter(pack["centre_id"])
    moments = moment_rows(context, shown, pack, packs.moments_of(context.store, pack_id))
    return context.page(
        "app/own_pack.html", pack=pack, until=packs.day_of(pack["expires_at"]),
        moments=[m | {"is_own": m["call"] is not None and context.account.sees_call(m["call"])} for m in moments],
    )  # fmt: skip


@router.get("/my-packs/{pack_id}/sound/{moment_id}")
def sound(pack_id: str, moment_id: str, context: Annotated[RequestContext, require_permission("learn")]) -> Response:
    """The sound of a moment, beeped; each playback is recorded."""
    pack = _pack(context, pack_id)
    moment = next((m for m in packs.moments_of(context.store, pack_id) if m["moment_id"] == moment_id), None)
    call = calls_of(context, pack, [moment]).get(moment_id) if moment else None
    if moment is None or call is None:
        context.refuse(404, "heard_clip", f"pack {pack_id}/{moment_id}", pack["centre_id"])
    return sounding(context, pack, moment, call)


def _pack(context: RequestContext, pack_id: str) -> Row:
    """A pack made for this operator. Raises RefusedError for any other, the same as for a missing one."""
    found = packs.made_for(context.store, context.account, pack_id)
    if not found:
        context.refuse(404, "opened", f"pack {pack_id}")
    return found[0]
