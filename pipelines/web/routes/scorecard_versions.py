"""From a draft to a version: its preview on past calls, activation from a day, undo, and regrading of earlier days with approval."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse

from pipelines.app_db import accounts
from pipelines.centres.profile import load_centre
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import centres_folder
from pipelines.reports import scorecard_view
from pipelines.scorecards import activation, drafts
from pipelines.scorecards.activation import RegradeRequest
from pipelines.scorecards.drafts import Draft
from pipelines.scorecards.errors import ConflictError
from pipelines.scorecards.preview import Preview, preview
from pipelines.web.request_context import RequestContext, call_path, operator_path, require_permission, scorecard_path
from pipelines.web.routes.scorecards import versions, with_profile
from pipelines.web.scorecard_forms import explained

router = APIRouter()
MOST_CALLS = 500
MOST_FLIPS = 200  # on the page; the counts are of all
LONGEST_SPAN = timedelta(days=366)


@router.get("/scorecards/{centre_id}/preview")
def preview_page(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """What a draft would change in past calls: the progress of the preview, then its results."""
    centre_id, draft = _draft(context, centre_id)
    if draft is None:
        return context.go(f"/{scorecard_path(centre_id)}/edit")
    job = context.site.previews.find(_key(context, draft))
    values: dict[str, Any] = {"state": job.state if job else "new", "job": job, "result": None, "problem": ""}
    if job and job.state == "failed":
        error = job.future.exception()
        values["problem"] = (
            explained(error, "sc_err_said", context.w) if isinstance(error, MisconfiguredError) else context.w("sc_err_failed")
        )
    if job and job.state == "done":
        values["result"] = _results(context, centre_id, draft, job.result)
    return context.page(
        "app/scorecard_preview.html", centre=context.presenter(centre_id).centre, draft=draft, most_calls=MOST_CALLS,
        differences=scorecard_view.differences(load_centre(centre_id), drafts.profile_of(centre_id, draft.text), context.w), **values,
    )  # fmt: skip


@router.post("/scorecards/{centre_id}/preview")
def start_preview(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Start the preview of the draft, or continue to the one of this text."""
    centre_id, draft = _draft(context, centre_id)
    if draft is not None:
        if context.site.previews.find(_key(context, draft)) is None:
            context.limit_exports(f"{centre_id} preview", centre_id)
        settings, store = context.site.settings, context.store
        work = partial(preview, settings, store, centre_id, draft.text, most_calls=MOST_CALLS, exclude=context.withheld)
        context.site.previews.start(_key(context, draft), lambda progress: work(progress=progress))
    return context.go(f"/{scorecard_path(centre_id)}/preview")


@router.get("/scorecards/{centre_id}/preview/progress")
def progress(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """How far the preview is, for the page that waits for it."""
    centre_id, draft = _draft(context, centre_id)
    job = context.site.previews.find(_key(context, draft)) if draft else None
    return JSONResponse({"state": job.state if job else "new", "done": job.done if job else 0, "total": job.total if job else 0})


@router.get("/scorecards/{centre_id}/activate")
def confirm_activation(
    centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")], start: str = ""
) -> Response:
    """What activating the draft means, in plain words, to be confirmed."""
    centre_id, draft = _draft(context, centre_id)
    if draft is None:
        return context.go(f"/{scorecard_path(centre_id)}/edit")
    return _activation_form(context, centre_id, draft, start)


@router.post("/scorecards/{centre_id}/activate")
def activate(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Activate the draft from a day: it becomes the next version."""
    centre_id, draft = _draft(context, centre_id)
    if draft is None:
        return context.go(f"/{scorecard_path(centre_id)}/edit")
    typed = context.given("start", 10)
    day, problem = _start_day(context, centre_id, typed)
    if day is not None and context.given("text") != _digest(draft):
        problem = context.w("sc_err_changed", name=draft.edited_by)
    if day is None or problem:
        return _activation_form(context, centre_id, draft, typed, problem)
    try:
        version = activation.activate(context.site.settings, context.store, centre_id, day, context.account.name)
    except ConflictError:
        return _activation_form(context, centre_id, draft, typed, context.w("sc_moved"), has_moved=True)
    except MisconfiguredError as error:
        return _activation_form(context, centre_id, draft, typed, explained(error, "sc_err_said", context.w))
    context.note("scorecard_activated", f"{centre_id} {version} {day.isoformat()}", centre_id)
    return context.go(f"/{scorecard_path(centre_id)}?done=activated")


@router.get("/scorecards/{centre_id}/undo")
def confirm_undo(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """What undoing the latest activation means, to be confirmed."""
    centre_id = with_profile(context, centre_id, "scorecard_undone")
    return _undo_form(context, centre_id)


@router.post("/scorecards/{centre_id}/undo")
def undo(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Undo the latest activation: the version before applies again."""
    centre_id = with_profile(context, centre_id, "scorecard_undone")
    try:
        version = activation.undo(context.site.settings, context.store, centre_id, context.account.name)
    except MisconfiguredError as error:
        return _undo_form(context, centre_id, explained(error, "sc_err_said", context.w))
    context.note("scorecard_undone", f"{centre_id} {version}", centre_id)
    return context.go(f"/{scorecard_path(centre_id)}?done=undone")


@router.get("/scorecards/{centre_id}/regrade")
def regrade_page(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> HTMLResponse:
    """The days whose calls are to be judged again, and the requests that wait for approval."""
    return _regrade_form(context, with_profile(context, centre_id, "regrade_requested"))


@router.post("/scorecards/{centre_id}/regrade")
def request_regrade(centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Request that the calls of some days are judged again by the current version."""
    centre_id = with_profile(context, centre_id, "regrade_requested")
    first, last = _day(context.given("first", 10)), _day(context.given("last", 10))
    problems = {name: context.w("sc_err_day") for name, day in (("first", first), ("last", last)) if day is None}
    if first and last and first > last:
        problems["last"] = context.w("sc_err_order", near=context.w.date(first))
    elif first and last and last - first > LONGEST_SPAN:
        problems["last"] = context.w("sc_err_span", near=context.w.date(first + LONGEST_SPAN))
    if not problems and first and last:
        try:
            activation.request_regrade(context.site.settings, context.store, centre_id, first, last, context.account.name)
        except MisconfiguredError as error:
            problems = {"first": explained(error, "sc_err_said", context.w)}
    if problems or first is None or last is None:
        return _regrade_form(context, centre_id, problems)
    context.note("regrade_requested", f"{centre_id} {first.isoformat()} {last.isoformat()}", centre_id)
    return context.go(f"/{scorecard_path(centre_id)}/regrade?done=requested")


@router.post("/scorecards/{centre_id}/regrade/{request_id}")
def decide_regrade(request_id: int, centre_id: str, context: Annotated[RequestContext, require_permission("edit_scorecards")]) -> Response:
    """Approve or decline a request; somebody else must approve it, where there is somebody else."""
    decision = context.given("decision")
    action = "regrade_approved" if decision == "approve" else "regrade_declined"
    centre_id = with_profile(context, centre_id, action)
    found = next((one for one in activation.regrade_requests(context.store, centre_id) if one.request_id == request_id), None)
    if found is None or decision not in ("approve", "decline") or not _is_open(found):
        context.refuse(404, action, f"{centre_id} {request_id}"[:100], centre_id)
    if decision == "approve" and not _may_approve(context, centre_id, found):
        context.refuse(403, action, f"{centre_id} {request_id}", centre_id)
    try:
        if decision == "approve":
            activation.approve_regrade(context.site.settings, context.store, request_id, context.account.name)
        else:
            activation.decline_regrade(context.store, request_id, context.account.name)
    except MisconfiguredError as error:
        return _regrade_form(context, centre_id, {"first": explained(error, "sc_err_said", context.w)})
    context.note(action, f"{centre_id} {found.first_day.isoformat()} {found.last_day.isoformat()}", centre_id)
    return context.go(f"/{scorecard_path(centre_id)}/regrade?done={'approved' if decision == 'approve' else 'declined'}")


def _draft(context: RequestContext, centre_id: str) -> tuple[str, Draft | None]:
    """The id of a centre with a profile, and its draft, if it can be used."""
    centre_id = with_profile(context, centre_id, "scorecard_edited")
    draft = drafts.load_draft(context.store, centre_id)
    try:
        if draft is not None:
            drafts.profile_of(centre_id, draft.text)
    except MisconfiguredError:
        draft = None  # its editing page says what is wrong
    return centre_id, draft


def _key(context: RequestContext, draft: Draft) -> Hashable:
    """Identifies a preview: the text, the published calls, and the calls that are withheld from this reader."""
    published = context.site.settings.snapshot.stat().st_mtime_ns if context.site.settings.snapshot.exists() else 0
    return draft.centre_id, _digest(draft), published, context.withheld


def _digest(draft: Draft) -> str:
    return hashlib.sha256(draft.text.encode()).hexdigest()[:16]


def _results(context: RequestContext, centre_id: str, draft: Draft, found: Preview) -> dict[str, Any]:
    """The results of a preview for its page: verdicts that change by criterion, the calls behind them, and scores by operator."""
    before, after = load_centre(centre_id), drafts.profile_of(centre_id, draft.text)
    titles = {c.criterion_id: scorecard_view.named(c.title, context.w) for profile in (before, after) for c in profile.scorecard.criteria}
    flips = [flip for flip in found.flips if flip.call_id not in context.withheld]
    counts: dict[str, dict[tuple[str, str], int]] = {}
    for flip in flips:
        kinds = counts.setdefault(flip.criterion_id, {})
        kinds[flip.before, flip.after] = kinds.get((flip.before, flip.after), 0) + 1
    shown = [
        {
            "call_id": flip.call_id, "href": call_path(flip.call_id), "operator_id": flip.operator_id, "title": titles.get(flip.criterion_id, flip.criterion_id),
            "before": flip.before, "after": flip.after, "quote": flip.quote, "turn_no": flip.turn_no, "start_s": flip.start_s, "human": flip.human_verdict,
        }
        for flip in flips[:MOST_FLIPS]
    ]  # fmt: skip
    operators = [
        {"operator_id": one.operator_id, "href": operator_path(centre_id, one.operator_id), "calls": one.calls, "before": one.before_pct, "after": one.after_pct}
        for one in found.operators if one.operator_id
    ] if context.account.may("see_numbers") else []  # fmt: skip
    return {
        "calls": found.calls, "n_flips": len(flips), "flips": shown, "operators": operators,
        "criteria": sorted(((titles.get(one, one), sorted(kinds.items())) for one, kinds in counts.items()), key=lambda row: -sum(n for _, n in row[1])),
        "before": found.agreement_before, "after": found.agreement_after, "seconds": found.seconds,
    }  # fmt: skip


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        return None


def _start_day(context: RequestContext, centre_id: str, typed: str) -> tuple[date | None, str]:
    """The day from which a version is to apply, and what is wrong with it: it is today or later."""
    day, today = _day(typed), activation.today(centre_id)
    if day is None:
        return None, context.w("sc_err_day")
    return (day, "") if day >= today else (None, context.w("sc_err_past", near=context.w.date(today)))


def _activation_form(
    context: RequestContext, centre_id: str, draft: Draft, typed: str, problem: str = "", *, has_moved: bool = False
) -> HTMLResponse:
    current = load_centre(centre_id)
    day = _day(typed) or activation.today(centre_id) + timedelta(days=1)
    job = context.site.previews.find(_key(context, draft))
    return context.page(
        "app/scorecard_activate.html", 400 if problem else 200, centre=context.presenter(centre_id).centre, draft=draft, problem=problem,
        start=typed or day.isoformat(), day=day, today=activation.today(centre_id), current=current.scorecard.version, text=_digest(draft),
        differences=scorecard_view.differences(current, drafts.profile_of(centre_id, draft.text), context.w),
        is_previewed=job is not None and job.state == "done", is_folder_missing=centres_folder() is None, has_moved=has_moved,
    )  # fmt: skip


def _undo_form(context: RequestContext, centre_id: str, problem: str = "") -> HTMLResponse:
    found = versions(context, centre_id)
    before = found[1] if len(found) > 1 else None
    lines = []
    if before is not None:
        lines = scorecard_view.differences(load_centre(centre_id), activation.load_version(centre_id, before.version), context.w)
    return context.page(
        "app/scorecard_undo.html", 400 if problem else 200, centre=context.presenter(centre_id).centre, problem=problem, before=before,
        current=load_centre(centre_id).scorecard.version, differences=lines,
    )  # fmt: skip


def _regrade_form(context: RequestContext, centre_id: str, problems: dict[str, str] | None = None) -> HTMLResponse:
    found, today = activation.regrade_requests(context.store, centre_id), activation.today(centre_id)
    typed = {name: context.given(name, 10) for name in ("first", "last")} if problems else {}
    rows = [
        {"request": one, "is_open": _is_open(one), "may_approve": _may_approve(context, centre_id, one)} for one in found
    ]  # fmt: skip
    return context.page(
        "app/scorecard_regrade.html", 400 if problems else 200, centre=context.presenter(centre_id).centre, rows=rows, problems=problems or {},
        current=load_centre(centre_id).scorecard.version, done=context.request.query_params.get("done", ""), today=today,
        typed={"first": (today - timedelta(days=7)).isoformat(), "last": (today - timedelta(days=1)).isoformat()} | typed,
    )  # fmt: skip


def _is_open(one: RegradeRequest) -> bool:
    return one.approved_at is None and one.done_at is None


def _may_approve(context: RequestContext, centre_id: str, one: RegradeRequest) -> bool:
    """Whether this account may approve a request: not their own, unless nobody else could approve it."""
    others = [
        account
        for account in accounts.everybody(context.store)
        if account.is_active and account.may("edit_scorecards") and account.sees_centre(centre_id) and account.name != one.requested_by
    ]
    return context.account.name != one.requested_by or not others
