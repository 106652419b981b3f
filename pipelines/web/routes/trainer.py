"""Pages of a trainer: search for moments, coaching packs, and packs proposed for each month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from pipelines.app_db import accounts, audit, operator_ids
from pipelines.app_db.accounts import AccountError
from pipelines.centres.profile import load_centre
from pipelines.coaching import pack_sound, packs, proposals
from pipelines.coaching.call_sound import NoSoundError
from pipelines.coaching.proposals import Proposal
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Row
from pipelines.core.records import SPEECH_ACTS
from pipelines.queries import call_details, moments, quotes
from pipelines.queries.call_details import PLACEHOLDER
from pipelines.queries.masking import mask_typed
from pipelines.queries.moment_query import SEVERITIES, SHOWN_FINDINGS, MomentQuery
from pipelines.queries.snapshot import SnapshotReader
from pipelines.reports import pack_export
from pipelines.reports.presenters import Presenter
from pipelines.reviews import blind
from pipelines.web.request_context import NavItem, RequestContext, evaluate_path, require_permission

router = APIRouter()
NAV = (NavItem("/trainer", "trainer_room", "coach"),)
SOUND = "audio/ogg"
LONGEST_SEARCH = 100


def warm(published: SnapshotReader) -> None:
    """Compute the proposals ahead of the first request for each published copy."""
    for row in published.rows("select distinct centre_id from calls where centre_id is not null"):
        _proposed(published, row["centre_id"])


@router.get("/trainer")
def start(context: Annotated[RequestContext, require_permission("coach")]) -> HTMLResponse:
    """The packs of the account's centres, and those proposed for the latest months."""
    rows = packs.of_account(context.store, context.account)
    names = {centre_id: context.presenter(centre_id) for centre_id in context.centres()}
    proposed = [p for centre_id in names for p in _proposed(context.published, centre_id)]
    months = sorted({p.month for p in proposed}, reverse=True)
    shown = [p | {"until": packs.day_of(p["expires_at"]), "centre": names.get(p["centre_id"])} for p in rows if p["centre_id"] in names]
    return context.page(
        "app/trainer.html", packs=shown, centres=names,
        months=[(month, [_named(context, names[p.centre_id], p) for p in proposed if p.month == month]) for month in months],
    )  # fmt: skip


@router.get("/trainer/moments")
def search(
    context: Annotated[RequestContext, require_permission("coach")], centre: str = "", criterion: str = "", verdict: str = "", act: str = "", finding: str = "",
    severity: str = "", outcome: str = "", topic: str = "", client_type: str = "", operator: str = "", text: str = "", exact: str = "", pack: str = "",
) -> HTMLResponse:  # fmt: skip
    """Moments that match the search, each to be played, read in its call, or added to a pack."""
    chosen = context.centre(centre) if centre else None
    wanted = MomentQuery(
        (chosen,) if chosen else tuple(context.centres()), criterion[:100] or None, verdict if verdict in ("pass", "fail") else None,
        act if act in SPEECH_ACTS else None, finding if finding in SHOWN_FINDINGS else None, severity if severity in SEVERITIES else None, outcome[:100] or None,
        topic[:100] or None, client_type[:100] or None, operator.strip()[:100] or None, text.strip()[:LONGEST_SEARCH], exact == "1",
    )  # fmt: skip
    rows = [] if wanted.is_empty else moments.search(context.published, wanted, hears_personal_data=context.account.hears_personal_data)
    rows = blind.without(rows, context.withheld)
    into = packs.find(context.store, context.account, pack) if pack else None
    centres = {centre_id: context.presenter(centre_id) for centre_id in context.centres()}
    versions = call_details.versions_of(context.published, [row["call_id"] for row in rows])
    return context.page(
        "app/moments.html", wanted=wanted, chosen=chosen, centres=centres, rows=[_listed(context, centres[r["centre_id"]], r, versions.get(r["call_id"])) for r in rows],
        is_full=len(rows) == moments.MOST_SHOWN, pack=into, packs=packs.of_account(context.store, context.account),
        criteria=_criteria(list(centres.values())), acts=SPEECH_ACTS, findings=SHOWN_FINDINGS, severities=SEVERITIES, **_values(context),
    )  # fmt: skip


@router.post("/trainer/packs")
def make(context: Annotated[RequestContext, require_permission("coach")]) -> Response:
    """Create a pack: empty, of chosen moments, or from a proposal."""
    keys = context.all_given("moment")
    calls = [context.call(moments.call_of(key), "pack_changed") for key in keys[: packs.MOST_MOMENTS]]
    centre_id = context.centre(context.given("centre") or (calls[0]["centre_id"] if calls else ""))
    wanted = context.given("proposal")
    proposal = next((p for p in _proposed(context.published, centre_id) if p.key == wanted), None) if wanted else None
    if wanted and proposal is None:
        context.refuse(404, "pack_changed", wanted, centre_id)
    found = proposal.moments if proposal else _found(context, keys)
    title = mask_typed(context.given("title", packs.LONGEST_TITLE))
    if proposal:
        title = title or _named(context, context.presenter(centre_id), proposal)["title"]
    pack_id = packs.make(
        context.store, context.account, centre_id, title or context.w("pack_untitled"), _usual_end(context),
        theme=proposal.subject if proposal and proposal.about == "theme" else None,
        operator_id=proposal.subject if proposal and proposal.about == "operator" else None,
    )  # fmt: skip
    pack = _pack(context, pack_id)
    packs.add(context.store, pack, found)
    context.note("pack_made", pack_id, centre_id)
    return context.go(f"/trainer/packs/{pack_id}")


@router.get("/trainer/packs/{pack_id}")
def pack_page(pack_id: str, context: Annotated[RequestContext, require_permission("coach")]) -> HTMLResponse:
    """A pack: its moments are played one after another, each with its context; its order, notes and expiry can be changed."""
    return _pack_page(context, _pack(context, pack_id))


@router.post("/trainer/packs/{pack_id}")
def change(pack_id: str, context: Annotated[RequestContext, require_permission("coach")]) -> Response:
    """Change a pack's title, operator and expiry, or remove it."""
    pack = _pack(context, pack_id)
    if context.given("do") == "remove":
        packs.remove(context.site.settings, context.store, pack_id)
        context.note("pack_removed", pack_id, pack["centre_id"])
        return context.go("/trainer")
    operator_id = context.given("operator", operator_ids.LONGEST) or None
    try:
        if operator_id not in (None, pack["operator_id"]):
            operator_ids.check_for_pack(
                operator_ids.known(context.published), accounts.everybody(context.store), operator_id, pack["centre_id"]
            )
    except AccountError as error:
        return _pack_page(context, pack, 400, context.w(error.key, **error.values))
    title = context.given("title", packs.LONGEST_TITLE) or pack["title"]
    packs.change(
        context.store, pack_id, title=title if title == pack["title"] else mask_typed(title), notes=mask_typed(context.given("notes", packs.LONGEST_NOTES)),
        operator_id=operator_id, is_disguised=context.given("disguised") == "1",
        expires=_day(context, context.given("until"), packs.day_of(pack["expires_at"])),
    )  # fmt: skip
    packs.remove_expired(context.site.settings)  # files made with the other setting of the voice disguise are no longer needed
    context.note("pack_changed", pack_id, pack["centre_id"])
    return context.go(f"/trainer/packs/{pack_id}")


@router.post("/trainer/packs/{pack_id}/moments")
def add(pack_id: str, context: Annotated[RequestContext, require_permission("coach")]) -> Response:
    """Add chosen moments to a pack."""
    pack = _pack(context, pack_id)
    packs.add(context.store, pack, _found(context, context.all_given("moment")))
    context.note("pack_changed", pack_id, pack["centre_id"])
    return context.go(f"/trainer/packs/{pack_id}")


@router.post("/trainer/packs/{pack_id}/moments/{moment_id}")
def change_moment(pack_id: str, moment_id: str, context: Annotated[RequestContext, require_permission("coach")]) -> Response:
    """Move a moment, remove it, or change its kind and notes."""
    pack = _pack(context, pack_id)
    _moment(context, pack, moment_id)
    what = context.given("do")
    if what == "out":
        packs.take_out(context.store, pack_id, moment_id)
    elif what in ("up", "down"):
        packs.move(context.store, pack_id, moment_id, -1 if what == "up" else 1)
    else:
        packs.change_moment(
            context.store, pack_id, moment_id, kind=context.given("kind"), notes=mask_typed(context.given("notes", packs.LONGEST_NOTES))
        )
    context.note("pack_changed", pack_id, pack["centre_id"])
    return context.go(f"/trainer/packs/{pack_id}#m-{moment_id}" if what != "out" else f"/trainer/packs/{pack_id}")


@router.get("/trainer/packs/{pack_id}/sound/{moment_id}")
def sound(pack_id: str, moment_id: str, context: Annotated[RequestContext, require_permission("coach")]) -> Response:
    """The sound of a moment, beeped for every listener."""
    pack = _pack(context, pack_id)
    moment = _moment(context, pack, moment_id)
    call = context.call(moment["call_id"], "heard_clip")
    return sounding(context, pack, moment, call)


@router.get("/trainer/packs/{pack_id}/export.zip")
def export(pack_id: str, context: Annotated[RequestContext, require_permission("coach")]) -> Response:
    """The pack as a download: sounds, transcript, an offline page, and a sidecar."""
    pack = _pack(context, pack_id)
    context.limit_exports(f"{pack_id}.zip", pack["centre_id"])
    shown = context.presenter(pack["centre_id"])
    rows = []
    for found in moment_rows(context, shown, pack, packs.moments_of(context.store, pack_id)):
        if found["call"] is not None:
            try:
                file = pack_sound.cut(context.site.sounds, context.published, found, found["call"], found["piece"])
            except NoSoundError:
                continue
            rows.append(found | {"file": file})
    content = pack_export.archive(pack, rows, shown.centre["name"], context.w)
    context.note("exported", f"{pack_id}.zip", pack["centre_id"])
    return Response(
        content, media_type="application/zip", headers={"Content-Disposition": f'attachment; filename="callgrade-pack-{pack_id}.zip"'}
    )


def sounding(context: RequestContext, pack: Row, moment: Row, call: Row) -> Response:
    """The sound of a moment whose call was looked up; the playback is recorded."""
    wanted = pack_sound.piece(context.site.settings, context.published, pack, moment, call)
    try:
        file = pack_sound.cut(context.site.sounds, context.published, moment, call, wanted)
    except NoSoundError as error:
        return JSONResponse({"said": context.w(str(error))}, 410)
    subject = f"{pack['pack_id']}/{moment['moment_id']} {call['call_id']}"
    audit.write_listening(context.store, context.account, context.address, "heard_clip", subject, pack["centre_id"])
    return FileResponse(file, media_type=SOUND)


def _pack(context: RequestContext, pack_id: str) -> Row:
    """A pack that this account may see. Raises RefusedError otherwise, without distinguishing expired, foreign and missing ones."""
    pack = packs.find(context.store, context.account, pack_id)
    if pack is None:
        context.refuse(404, "opened", f"pack {pack_id}")
    return pack


def _pack_page(context: RequestContext, pack: Row, status: int = 200, problem: str = "") -> HTMLResponse:
    """The page of a pack that was looked up; with an error, its form with the submitted values."""
    shown, centre_id = context.presenter(pack["centre_id"]), pack["centre_id"]
    rows, until = packs.moments_of(context.store, pack["pack_id"]), packs.day_of(pack["expires_at"])
    typed = {
        "title": pack["title"],
        "notes": pack["notes"],
        "operator": pack["operator_id"] or "",
        "until": until.isoformat(),
        "disguised": pack["is_disguised"],
    }
    if problem:
        typed = {name: context.given(name, packs.LONGEST_NOTES) for name in typed} | {"disguised": context.given("disguised") == "1"}
    known = operator_ids.offered(operator_ids.known(context.published), [centre_id], accounts.everybody(context.store))
    return context.page(
        "app/pack.html", status, pack=pack, centre=shown.centre, until=until, last_day=packs.last_day(context.site.settings), problem=problem, typed=typed,
        balance=packs.balance(rows), moments=moment_rows(context, shown, pack, rows), operators=known,
    )  # fmt: skip


def _moment(context: RequestContext, pack: Row, moment_id: str) -> Row:
    moment = next((m for m in packs.moments_of(context.store, pack["pack_id"]) if m["moment_id"] == moment_id), None)
    if moment is None:
        context.refuse(404, "opened", f"pack {pack['pack_id']}/{moment_id}", pack["centre_id"])
    return moment


def _found(context: RequestContext, keys: Sequence[str]) -> list[Row]:
    """The moments of submitted keys, each in a call that this account may see."""
    made = []
    for key in list(dict.fromkeys(keys))[: packs.MOST_MOMENTS]:
        call = context.call(moments.call_of(key), "pack_changed")
        found = None if call["call_id"] in context.withheld else moments.found(context.published, key)
        if found is None:
            context.refuse(404, "pack_changed", key, call["centre_id"])
        made.append(found)
    return made


def calls_of(context: RequestContext, pack: Row, moments: Sequence[Row]) -> dict[str, Row]:
    """The calls of moments by moment, if they are still of the pack's centre and have the recordings the moments were selected from."""
    ids = sorted({moment["call_id"] for moment in moments})
    calls = {row["call_id"]: row for row in context.published.of_calls("calls", ids, "call_id", more="status = 'graded'")}
    found = {moment["moment_id"]: (moment, calls[moment["call_id"]]) for moment in moments if moment["call_id"] in calls}
    return {
        moment_id: call for moment_id, (moment, call) in found.items()
        if (call["centre_id"], call["recording_sha256"]) == (pack["centre_id"], moment["recording_sha256"])
    }  # fmt: skip


def moment_rows(context: RequestContext, shown: Presenter, pack: Row, rows: Sequence[Row]) -> list[Row]:
    """The moments of a pack for its page; without words where the recording has been replaced."""
    calls = calls_of(context, pack, rows)
    there = [row for row in rows if row["moment_id"] in calls]
    cut = pack_sound.pieces(context.site.settings, context.published, pack, [(row, calls[row["moment_id"]]) for row in there])
    pieces = {row["moment_id"]: piece for row, piece in zip(there, cut, strict=True)}
    spans = {
        call_id: [pieces[row["moment_id"]].span for row in there if row["call_id"] == call_id] for call_id in {r["call_id"] for r in there}
    }
    talks = quotes.contexts(context.published, spans)
    versions = call_details.versions_of(context.published, [row["call_id"] for row in rows])
    found = []
    for row in rows:
        if row["call_id"] in context.withheld:
            hidden = {"title": context.w("blind_call"), "call": None, "kind": None, "severity": None, "notes": "", "is_withheld": True}
            found.append(row | hidden | {"href": evaluate_path(row["call_id"])})
            continue
        call, piece = calls.get(row["moment_id"]), pieces.get(row["moment_id"])
        values = row | {
            "title": _title(shown, row, versions.get(row["call_id"])),
            "call": call,
            "href": shown.links.call(row["call_id"]),
            "is_withheld": False,
        }
        if piece is not None:
            talk = talks[row["call_id"], *piece.span]
            values |= {
                "piece": piece, "length_s": piece.span[1] - piece.span[0],
                "talk": [
                    t | {"pieces": PLACEHOLDER.split(t["text"]), "is_it": t["start_s"] < row["end_s"] and t["end_s"] > row["start_s"]} for t in talk
                ],
            }  # fmt: skip
        found.append(values)
    return found


def _listed(context: RequestContext, shown: Presenter, row: Row, version: str | None) -> Row:
    return row | {
        "title": _title(shown, row, version), "href": shown.links.call(row["call_id"]), "when": context.w.time(row["started_local"]),
        "pieces": PLACEHOLDER.split(row["quote"] or ""), "centre": shown.centre,
    }  # fmt: skip


def _title(shown: Presenter, row: Row, version: str | None) -> str:
    w = shown.w
    if row["criterion_id"]:
        return shown.title(row["criterion_id"], version)
    if row["act"]:
        return w.label("acts", row["act"])
    if row["severity"]:
        return f"{w.label('finding_kinds', row['finding_kind'])}: {w.label('severities', row['severity'])}"
    return w.label("finding_kinds", row["finding_kind"]) if row["finding_kind"] else w("moment_words")


def _proposed(published: SnapshotReader, centre_id: str) -> list[Proposal]:
    return published.once(("proposals", centre_id), lambda: proposals.proposed(published, centre_id))


def _named(context: RequestContext, shown: Presenter, proposal: Proposal) -> Row:
    w = context.w
    if proposal.about == "operator":
        subject = f"{w('operator')} {proposal.subject}"
    else:
        subject = w.label("themes", proposal.subject) if w.has("themes", proposal.subject) else shown.title(proposal.subject)
    good = proposal.good
    return {
        "proposal": proposal, "subject": subject, "title": f"{subject}, {w.month(proposal.month)}", "centre": shown.centre,
        "balance": packs.Balance(good, len(proposal.moments) - good), "points": list(dict.fromkeys(shown.title(m["criterion_id"]) for m in proposal.moments))[:4],
    }  # fmt: skip


def _criteria(centres: Sequence[Presenter]) -> list[tuple[str, str]]:
    named = {c.criterion_id: shown.title(c.criterion_id) for shown in centres if shown.profile for c in shown.profile.scorecard.criteria}
    return sorted(named.items(), key=lambda pair: pair[1].casefold())


def _values(context: RequestContext) -> dict[str, Any]:
    """The search options: topics of the centres' profiles, and the types and outcomes named in the strings."""
    profiles = [load_centre(c) for c in context.centres() if c in centre_ids()]
    topics = dict.fromkeys(topic for profile in profiles for topic in profile.topic_ids)
    return {
        "topics": sorted(topics, key=lambda t: context.w.label("topics", t)),
        "client_types": tuple(dict.fromkeys(kind.type_id for profile in profiles for kind in profile.client_types)),
        "outcomes": ("calmed", "ended_after_warning", "ended_without_warning", "ended_without_notice", "tolerated", "client_hung_up", "operator_at_fault"),
    }  # fmt: skip


def _usual_end(context: RequestContext) -> date:
    last = packs.last_day(context.site.settings)
    return min(last, last - timedelta(days=context.site.settings.retention_days - packs.DAYS_KEPT))


def _day(context: RequestContext, text: str, otherwise: date) -> date:
    """The day of a form, from today until calls are forgotten; `otherwise` where it cannot be parsed."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return otherwise
    last = packs.last_day(context.site.settings)
    return min(max(day, last - timedelta(days=context.site.settings.retention_days)), last)
