"""One call: its page with both voices on a timeline, corrections of it, its sound in ranges, and its clips."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from pipelines.app_db import audit
from pipelines.coaching.call_sound import PEAKS, NoSoundError, Rendering, personal_spans
from pipelines.core.published import Row
from pipelines.core.settings import now
from pipelines.reviews import corrections, evaluations, human_verdicts, listening, resolved_corrections, resolved_verdicts
from pipelines.reviews import disputes as disputing
from pipelines.reviews.corrections import ChangedMeanwhileError, FindingIdentity
from pipelines.web.request_context import RequestContext, call_path, require_permission

router = APIRouter()
SOUND = "audio/ogg"


@router.get("/calls/{call_id:path}")
def call(call_id: str, context: Annotated[RequestContext, require_permission("see_calls")]) -> Response:
    """The page of a call; for a reviewer who must still judge it blind, the evaluation form."""
    row = context.call(call_id)
    return context.to_blind_form(call_id) if call_id in context.withheld else _page(context, row)


@router.post("/corrections")
def correct(context: Annotated[RequestContext, require_permission("review")]) -> Response:
    """Correct the topic, the client type or a finding of a call; an empty value withdraws a correction."""
    row = context.call(context.given("call_id"), "corrected")
    call_id, centre_id = row["call_id"], row["centre_id"]
    if call_id in context.withheld:
        return context.to_blind_form(call_id)
    kind, value = context.given("kind", 20), context.given("value", 80) or None
    seen = context.given("seen", 18)
    try:
        finding = _finding(context, row) if kind == corrections.FINDING else None
        if value is not None and value not in _values(context, centre_id, kind):
            context.refuse(400, "corrected", call_id, centre_id)
        is_new = corrections.add(
            context.store, context.account, row, kind, value, row.get(f"machine_{kind}", row.get(kind)),
            seen=int(seen) if seen.isascii() and seen.isdigit() else 0, finding=finding,
        )  # fmt: skip
    except ChangedMeanwhileError as error:
        said = context.w("correction_changed_by", name=error.person) if error.person else context.w("correction_changed")
        return _page(context, row, said, 409)
    if is_new:
        context.note("corrected" if value else "correction_undone", f"{call_id} {kind}", centre_id)
    return context.go(f"/{call_path(call_id)}#{'findings' if finding else 'title'}")


@router.get("/peaks/{call_id:path}")
def peaks(call_id: str, context: Annotated[RequestContext, require_permission("hear")]) -> Response:
    """The loudness of each voice over the call, for the drawing; or the reason why there is no sound."""
    row = context.call(call_id)
    try:
        found = _rendering(context, row)
    except NoSoundError as error:
        return JSONResponse({"said": context.w(str(error))})
    turns = context.published.of_calls("turns", [call_id], "turn_no", "turn_no, role, track, start_s, end_s")
    tracks: list[list[int]] = json.loads(found.peaks.read_text(encoding="utf-8"))
    return JSONResponse({"lanes": _lanes(tracks, turns, row["duration_s"] or 1.0)})


@router.get("/sound/{call_id:path}")
def sound(call_id: str, context: Annotated[RequestContext, require_permission("hear")]) -> Response:
    """The sound of a call, whole or the range that a player requests; personal data is beeped for accounts without access to it."""
    row = context.call(call_id, "heard")
    try:
        found = _rendering(context, row)
    except NoSoundError as error:
        return JSONResponse({"said": context.w(str(error))}, 410)
    action = audit.variant("heard", unmasked=context.account.hears_personal_data)
    audit.write_listening(context.store, context.account, context.address, action, call_id, row["centre_id"])
    if context.account.may("review"):
        listening.note_sent(context.store, context.account, call_id)
    return FileResponse(found.sound, media_type=SOUND)


@router.post("/listened")
def listened(context: Annotated[RequestContext, require_permission("review")]) -> Response:
    """Count seconds of a call that a reviewer's player played."""
    row = context.call(context.given("call_id"), "heard")
    try:
        seconds = float(context.given("seconds", 20))
    except ValueError:
        context.refuse(400, "sent_form", row["call_id"], row["centre_id"])
    return JSONResponse({"listened": listening.report(context.store, context.account, row, seconds)})


@router.get("/clips/{clip_id}")
def clip(clip_id: str, context: Annotated[RequestContext, require_permission("hear")]) -> Response:
    """A coaching clip of a call that this account may see, until it expires."""
    rows = context.published.rows("select * from coaching_clips where clip_id = ?", clip_id)
    if not rows or rows[0]["expires_at"] <= now():
        context.refuse(404, "heard_clip", clip_id)
    row = context.call(rows[0]["call_id"], "heard_clip")
    settings = context.site.settings
    file = (settings.site / rows[0]["path"]).resolve()
    if not file.is_relative_to(settings.clips.resolve()) or not file.is_file():
        context.refuse(404, "heard_clip", clip_id, row["centre_id"])
    audit.write_listening(context.store, context.account, context.address, "heard_clip", clip_id, row["centre_id"])
    return FileResponse(file, media_type=SOUND)


def _page(context: RequestContext, row: Row, problem: str = "", status: int = 200) -> HTMLResponse:
    call_id = row["call_id"]
    row = resolved_corrections.of_call(row, corrections.latest(context.store, [call_id]).get(call_id, []))
    rows = resolved_verdicts.read(context.published, context.store, row, is_masked=not context.account.hears_personal_data)
    if not context.account.may("hear"):
        rows["coaching_clips"] = []
    shown = context.presenter(row["centre_id"])
    values = shown.call(row, rows)
    if context.account.may("review"):
        human_verdicts.note_seen(context.store, context.account, call_id)
    return context.page(
        "app/call.html", status, reviewed=evaluations.reviews(context.store, [call_id]).get(call_id),
        listened=listening.latest(context.store, [call_id]).get(call_id), problem=problem,
        disputes=disputing.mark(context.store, context.account, row, rows, context.site.settings.dispute_days),
        choices=resolved_corrections.values_of(shown.profile), key_of=lambda finding: FindingIdentity.of_finding(finding).key, **values,
    )  # fmt: skip


def _finding(context: RequestContext, call: Row) -> FindingIdentity:
    """The finding that a form names, its quote masked for everybody, because it is stored.

    Raises ChangedMeanwhileError when the call has no such finding (any more).
    """
    rows = resolved_verdicts.read(context.published, context.store, call, is_masked=True)["findings"]
    found = [FindingIdentity.of_finding(row) for row in rows]
    named = next((one for one in found if one.key == context.given("finding", 200)), None)
    if named is None:
        raise ChangedMeanwhileError
    return named


def _values(context: RequestContext, centre_id: str, kind: str) -> tuple[str, ...]:
    if kind == corrections.FINDING:
        return corrections.CONFIRMED, corrections.REFUTED
    return resolved_corrections.values_of(context.presenter(centre_id).profile).get(kind, ())


def _rendering(context: RequestContext, call: Row) -> Rendering:
    spans = personal_spans(context.published, call["call_id"])
    return context.site.sounds.rendering(call, spans, whole=context.account.hears_personal_data)


def _lanes(tracks: list[list[int]], turns: list[Row], duration_s: float) -> dict[str, Any]:
    """The peaks of each role: its own track in stereo, and in a mixed recording those of the intervals in which it speaks."""
    if len(tracks) == 2:
        spoken = {(t["role"], t["track"]): 0.0 for t in turns}
        for t in turns:
            spoken[t["role"], t["track"]] += t["end_s"] - t["start_s"]
        operator = max((0, 1), key=lambda n: spoken.get(("operator", n), 0.0) - spoken.get(("client", n), 0.0))
        return {"operator": tracks[operator], "client": tracks[1 - operator]}
    lanes = {role: [0] * PEAKS for role in sorted({t["role"] for t in turns})}
    for t in turns:
        first, last = (min(int(t[key] / duration_s * PEAKS), PEAKS - 1) for key in ("start_s", "end_s"))
        lanes[t["role"]][first : last + 1] = tracks[0][first : last + 1]
    return lanes
