"""One call: its page with both voices on a time line, its sound in ranges, and its clips."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, JSONResponse

from pipelines.app_db import audit
from pipelines.coaching.call_sound import PEAKS, NoSoundError, Rendering, personal_spans
from pipelines.core.published import Row
from pipelines.core.settings import now
from pipelines.reviews import disputes as disputing
from pipelines.reviews import evaluations, human_verdicts, listening, resolved_verdicts
from pipelines.web.request_context import RequestContext, may

router = APIRouter()
SOUND = "audio/ogg"


@router.get("/calls/{call_id:path}")
def call(call_id: str, visit: Annotated[RequestContext, may("see_calls")]) -> Response:
    """The page of a call; for a reviewer who has yet to judge it blind, the form to do so."""
    row = visit.call(call_id)
    if call_id in visit.withheld:
        return visit.to_blind_form(call_id)
    rows = resolved_verdicts.read(visit.published, visit.store, row, is_masked=not visit.account.hears_personal_data)
    if not visit.account.may("hear"):
        rows["coaching_clips"] = []
    values = visit.shown(row["centre_id"]).call(row, rows)
    reviewed = evaluations.reviews(visit.store, [call_id]).get(call_id)
    if visit.account.may("review"):
        human_verdicts.note_seen(visit.store, visit.account, call_id)
    disputes = disputing.mark(visit.store, visit.account, row, rows, visit.site.settings.dispute_days)
    listened = listening.latest(visit.store, [call_id]).get(call_id)
    return visit.page("app/call.html", reviewed=reviewed, listened=listened, disputes=disputes, **values)


@router.get("/peaks/{call_id:path}")
def peaks(call_id: str, visit: Annotated[RequestContext, may("hear")]) -> Response:
    """How loud each voice is over the call, for the drawing; or why there is no sound."""
    row = visit.call(call_id)
    try:
        found = _rendering(visit, row)
    except NoSoundError as error:
        return JSONResponse({"said": visit.w(str(error))})
    turns = visit.published.of_calls("turns", [call_id], "turn_no", "turn_no, role, track, start_s, end_s")
    tracks: list[list[int]] = json.loads(found.peaks.read_text(encoding="utf-8"))
    return JSONResponse({"lanes": _lanes(tracks, turns, row["duration_s"] or 1.0)})


@router.get("/sound/{call_id:path}")
def sound(call_id: str, visit: Annotated[RequestContext, may("hear")]) -> Response:
    """The sound of a call, whole or the range that a player asks for; personal data is beeped for who may not hear it."""
    row = visit.call(call_id, "heard")
    try:
        found = _rendering(visit, row)
    except NoSoundError as error:
        return JSONResponse({"said": visit.w(str(error))}, 410)
    action = audit.variant("heard", unmasked=visit.account.hears_personal_data)
    audit.write_listening(visit.store, visit.account, visit.address, action, call_id, row["centre_id"])
    if visit.account.may("review"):
        listening.note_sent(visit.store, visit.account, call_id)
    return FileResponse(found.sound, media_type=SOUND)


@router.post("/listened")
def listened(visit: Annotated[RequestContext, may("review")]) -> Response:
    """Count seconds of a call that the player of a reviewer played."""
    row = visit.call(visit.given("call_id"), "heard")
    try:
        seconds = float(visit.given("seconds", 20))
    except ValueError:
        visit.refuse(400, "sent_form", row["call_id"], row["centre_id"])
    return JSONResponse({"listened": listening.report(visit.store, visit.account, row, seconds)})


@router.get("/clips/{clip_id}")
def clip(clip_id: str, visit: Annotated[RequestContext, may("hear")]) -> Response:
    """A coaching clip of a call that this account sees, until its time is over."""
    rows = visit.published.rows("select * from coaching_clips where clip_id = ?", clip_id)
    if not rows or rows[0]["expires_at"] <= now():
        visit.refuse(404, "heard_clip", clip_id)
    row = visit.call(rows[0]["call_id"], "heard_clip")
    settings = visit.site.settings
    file = (settings.site / rows[0]["path"]).resolve()
    if not file.is_relative_to(settings.clips.resolve()) or not file.is_file():
        visit.refuse(404, "heard_clip", clip_id, row["centre_id"])
    audit.write_listening(visit.store, visit.account, visit.address, "heard_clip", clip_id, row["centre_id"])
    return FileResponse(file, media_type=SOUND)


def _rendering(visit: RequestContext, call: Row) -> Rendering:
    spans = personal_spans(visit.published, call["call_id"])
    return visit.site.sounds.rendering(call, spans, whole=visit.account.hears_personal_data)


def _lanes(tracks: list[list[int]], turns: list[Row], duration_s: float) -> dict[str, Any]:
    """The peaks of each role: its own track in stereo, and in a mixed recording those of the stretches in which it speaks."""
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
