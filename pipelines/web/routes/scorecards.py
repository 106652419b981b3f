"""The scorecard of a centre for everybody who reads its calls: criteria, topics, procedure, and every version."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.centres.profile import Centre, load_centre
from pipelines.core.profile_files import centre_ids
from pipelines.reports import scorecard_view
from pipelines.scorecards import activation, drafts
from pipelines.scorecards.activation import Version
from pipelines.web.request_context import NavItem, RequestContext, require_permission, scorecard_path

router = APIRouter()
NAV = (NavItem("/scorecards", "scorecards", "see_calls"),)


@router.get("/scorecards")
def start(context: Annotated[RequestContext, require_permission("see_calls")]) -> Response:
    """The scorecards of this account's centres; redirects an account of one centre to that scorecard."""
    found = [centre_id for centre_id in centre_ids() if context.account.sees_centre(centre_id)]
    if len(found) == 1:
        return context.go("/" + scorecard_path(found[0]))
    called = set(context.centres())
    rows = [context.presenter(one).centre | {"profile": load_centre(one), "has_calls": one in called} for one in found]
    return context.page("app/scorecards.html", rows=sorted(rows, key=lambda row: not row["has_calls"]))


@router.get("/scorecards/{centre_id}")
def scorecard(centre_id: str, context: Annotated[RequestContext, require_permission("see_calls")], version: str = "") -> Response:
    """The newest scorecard of a centre; with the version that judged a call, that version, if it was stored."""
    centre_id = with_profile(context, centre_id)
    current = load_centre(centre_id)
    if version not in ("", current.scorecard.version) and any(one.version == version for one in versions(context, centre_id)):
        return context.go(f"/{scorecard_path(centre_id)}/versions/{quote(version, safe='')}")
    return _page(context, centre_id, current, None)


@router.get("/scorecards/{centre_id}/versions/{version}")
def past_version(centre_id: str, version: str, context: Annotated[RequestContext, require_permission("see_calls")]) -> Response:
    """An earlier version of a scorecard; leads to the newest one where it is that version."""
    centre_id = with_profile(context, centre_id)
    found = next((one for one in versions(context, centre_id) if one.version == version), None)
    if found is None:
        context.refuse(404, "opened", f"{centre_id} {version}"[:100], centre_id)
    if found.is_current:
        return context.go("/" + scorecard_path(centre_id))
    return _page(context, centre_id, activation.load_version(centre_id, version), found)


def with_profile(context: RequestContext, centre_id: str, action: str = "opened") -> str:
    """The id of a centre that has a profile and that this account has access to. Raises RefusedError otherwise, without distinction."""
    if not context.account.sees_centre(centre_id) or centre_id not in centre_ids():
        context.refuse(404, action, centre_id, centre_id)
    return centre_id


def versions(context: RequestContext, centre_id: str) -> list[Version]:
    """The versions of a centre's profile, the newest first."""
    return activation.history(context.site.settings, centre_id)


def _page(context: RequestContext, centre_id: str, profile: Centre, past: Version | None) -> HTMLResponse:
    may_edit = context.account.may("edit_scorecards")
    more: dict[str, Any] = {"draft": None, "requests": []}
    if may_edit and past is None:
        more = {"draft": drafts.load_draft(context.store, centre_id), "requests": activation.regrade_requests(context.store, centre_id)}
    return context.page(
        "app/scorecard.html", centre=context.presenter(centre_id).centre,
        in_force=load_centre(centre_id, activation.today(centre_id)).scorecard.version, versions=versions(context, centre_id), past=past, may_edit=may_edit,
        done=context.request.query_params.get("done", ""), **scorecard_view.show(profile, context.w), **more,
    )  # fmt: skip
