"""Signing in again without losing form data: detection of an ended session, and forms submitted without one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from pipelines.app_db import sessions
from pipelines.app_db.sessions import Session
from pipelines.i18n.wording import wording
from pipelines.web.pending_forms import PendingForm
from pipelines.web.request_context import RefusedError, RequestContext, Site, evaluate_path, language_of, render, require_permission
from pipelines.web.routes import evaluate

router = APIRouter()


@router.get("/sign-in/session")
def session_state(context: Annotated[RequestContext, require_permission(None)]) -> Response:
    """The account of the browser's session, and the token of its forms; without a session, a redirect to the sign-in page."""
    return JSONResponse({"account": context.account.name, "token": context.token})


@router.get("/sign-in/done")
def signed_in(context: Annotated[RequestContext, require_permission(None)]) -> HTMLResponse:
    """The final page of a window opened to sign in again."""
    return context.page("app/error.html", context=None, said=context.w("signed_in_window"), hint=context.w("signed_in_window_hint"))


def send_again(request: Request, site: Site, session: Session, carried: PendingForm) -> Response:
    """After signing in: an evaluation becomes a draft of the account and its form is opened; any other form is displayed for submission."""
    if carried.path == "/evaluate":
        with site.snapshot.read() as published:
            context = RequestContext(request, site, session, published, carried.form)
            try:
                evaluate.keep_draft(context)
                return context.go(f"/{evaluate_path(context.given('call_id'))}")
            except RefusedError:
                pass  # a call that this account may not see: submitting the form again reports and records it
    w = wording(language_of(request, session.account))
    values = {
        "context": None, "account": session.account, "here": "/sign-in", "token": sessions.form_token(site.store, session.session_hash), "carried": carried,
    }  # fmt: skip
    return HTMLResponse(render("app/send_again.html", w, values))
