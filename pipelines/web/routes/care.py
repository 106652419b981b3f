"""Operator wellbeing: exposure to abuse and rests due, considerate clients, and the evidence of threats."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.app_db import audit
from pipelines.coaching.call_sound import NoSoundError, personal_spans
from pipelines.core.published import Row
from pipelines.queries.call_details import PLACEHOLDER
from pipelines.queries.snapshot import SnapshotReader
from pipelines.reports import wellbeing
from pipelines.reviews import blind
from pipelines.web.request_context import NavItem, RequestContext, require_permission

router = APIRouter()
NAV = (NavItem("/care", "care_room", "care"),)


def warm(published: SnapshotReader) -> None:
    """Compute the pages of the centres ahead of the first request for each published copy."""
    for row in published.rows("select distinct centre_id from calls where centre_id is not null"):
        _read(published, row["centre_id"])


@router.get("/care")
def start(context: Annotated[RequestContext, require_permission("care")]) -> Response:
    """Redirect to the account's only centre, else the first."""
    centres = context.centres()
    return (
        context.go(f"/care/{quote(centres[0], safe='')}")
        if centres
        else context.page("index.html", centres=[], ledger=[], received=0, graded=0, needs_review=0, auto_fails=0, abusive_calls=0)
    )


@router.get("/care/{centre_id}")
def care(centre_id: str, context: Annotated[RequestContext, require_permission("care")]) -> HTMLResponse:
    """A centre: exposure by operator and shift with rest advice, threats, and considerate clients."""
    centre_id = context.centre(centre_id)
    published, shown, w = context.published, context.presenter(centre_id), context.w
    shifts, hours, thanks, threats = _read(published, centre_id)
    thanks = blind.without(thanks, context.withheld)
    return context.page(
        "app/care.html", centre=shown.centre, centres=[context.presenter(c).centre for c in context.centres()], rule=wellbeing.rule(published, centre_id),
        people=shown.operators(wellbeing.by_person(shifts)), shifts=[_shift(context, s) for s in shifts[: wellbeing.SHIFTS_SHOWN]], more=max(len(shifts) - wellbeing.SHIFTS_SHOWN, 0),
        hours=_drawn(hours), days=wellbeing.DAYS, pause_min=wellbeing.PAUSE_MIN,
        thanks=[t | {"when": w.time(t["started_local"]), "href": shown.links.call(t["call_id"]), "pieces": PLACEHOLDER.split(t["quote"] or "")} for t in thanks],
        threats=[t | {"when": w.time(t["started_local"])} for t in threats],
    )  # fmt: skip


@router.get("/care/threats/{call_id:path}")
def threat(call_id: str, context: Annotated[RequestContext, require_permission("care")]) -> HTMLResponse:
    """The evidence of a threatening call."""
    call = _threatening(context, call_id, "evidence_opened")
    said = wellbeing.evidence(context.published, call, hears_personal_data=context.account.hears_personal_data)
    context.note(audit.variant("evidence_opened", unmasked=context.account.hears_personal_data), call_id, call["centre_id"])
    shown = context.presenter(call["centre_id"])
    turns = [t | {"pieces": PLACEHOLDER.split(t["text"])} for t in said["turns"]]
    quotes = [f | {"pieces": PLACEHOLDER.split(f["quote"] or "")} for f in said["findings"]]
    return context.page(
        "app/evidence.html", centre=shown.centre, said=said | {"turns": turns, "findings": quotes}, when=context.w.time(said["started_local"]),
        href=shown.links.call(call_id),
    )  # fmt: skip


@router.get("/care/evidence/{call_id:path}")
def take_evidence(call_id: str, context: Annotated[RequestContext, require_permission("care")]) -> Response:
    """The evidence as a download: quotes with their times and the sound, unmasked only for accounts with access to personal data."""
    call = _threatening(context, call_id, "exported")
    context.limit_exports(f"evidence of {call_id}", call["centre_id"])
    is_whole = context.account.hears_personal_data
    said = wellbeing.evidence(context.published, call, hears_personal_data=is_whole)
    try:
        sound = context.site.sounds.rendering(call, personal_spans(context.published, call_id), whole=is_whole).sound
    except NoSoundError:
        sound = None
    content = wellbeing.archive(said, sound, context.presenter(call["centre_id"]).centre["name"], context.w, is_whole=is_whole)
    context.note(audit.variant("exported", unmasked=is_whole), f"evidence of {call_id}", call["centre_id"])
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in call_id)[:80]
    return Response(
        content, media_type="application/zip", headers={"Content-Disposition": f'attachment; filename="callgrade-evidence-{name}.zip"'}
    )


def _read(published: SnapshotReader, centre_id: str) -> list[list[Row]]:
    """Shifts, hours, thanks and threats of a centre, each computed once per published copy."""
    readers = (wellbeing.shifts, wellbeing.hours, wellbeing.considerate, wellbeing.threats)
    return [published.once((f"care_{reader.__name__}", centre_id), partial(reader, published, centre_id)) for reader in readers]


def _threatening(context: RequestContext, call_id: str, action: str) -> Row:
    """A call with a threat that this account may see. Raises RefusedError otherwise."""
    call = context.call(call_id, action)
    more = "kind = 'abuse' and severity = 'threat' and role <> 'operator' and refuted_at is null"
    found = context.published.of_calls("findings", [call_id], "start_s", "finding_no, start_s", more)
    if not found:
        context.refuse(404, action, call_id, call["centre_id"])
    return call


def _shift(context: RequestContext, row: Row) -> Row:
    w = context.w
    due = row["rest_due_local"]
    return row | {
        "when": f"{w.time(row['shift_start_local'])}–{w.hour(row['shift_end_local'])}",
        "due": w.hour(due) if due else None,
    }  # fmt: skip


def _drawn(hours: list[Row]) -> list[Row]:
    """The hours of a day as bars: the share of abusive calls in per cent."""
    rows = {row["hour"]: row for row in hours}
    shares = {hour: 100 * row["abusive"] / row["calls"] for hour, row in rows.items() if row["calls"]}
    top = max([*shares.values(), 1.0])
    return [
        {"hour": hour, "calls": rows[hour]["calls"] if hour in rows else 0, "abusive": rows[hour]["abusive"] if hour in rows else 0,
         "share": shares.get(hour), "height": round(90 * shares.get(hour, 0.0) / top, 1), "top": round(top)}
        for hour in range(24)
    ]  # fmt: skip
