"""Sign-in and sign-out, the user's settings, and the audit log for managers and administrators."""

from __future__ import annotations

import secrets
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from pipelines.app_db import accounts, audit, sessions
from pipelines.core.errors import MisconfiguredError
from pipelines.i18n.wording import LANGUAGES, clock, wording
from pipelines.reviews import blind
from pipelines.web import pending_forms
from pipelines.web.auth import devices
from pipelines.web.auth.cookies import Cookie
from pipelines.web.request_context import (
    MOST_FIELDS,
    TOKEN_FIELD,
    NavItem,
    RequestContext,
    Site,
    address_of,
    language_of,
    render,
    require_permission,
)
from pipelines.web.routes.session import send_again

router = APIRouter()
NAV = (NavItem("/audit", "audit", "see_audit"),)

_FORM_COOKIE = Cookie("callgrade_form", path="/sign-in", samesite="strict")  # binds the form of a client without a session
LONGEST_PATH = 4000  # characters of a path to continue to: the id of a call has up to 200, each up to 12 when quoted
SHOWN = 200
AuditId = Annotated[int | None, Query(ge=0, lt=2**63)]


@router.get("/sign-in")
def sign_in_page(request: Request) -> HTMLResponse:
    """The sign-in form."""
    return sign_in_form(request, 200)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Check name and password, open a session, and continue to the requested page."""
    site: Site = request.app.state.site
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    request.state.carried = pending_forms.of_sign_in(form)
    cookie = _FORM_COOKIE.read(request)
    if not cookie or not sessions.is_form_token(site.store, cookie, fields.get(TOKEN_FIELD)):
        return await run_in_threadpool(_form_is_old, request, site, fields)
    if fields.get("signed_in_elsewhere") == "1":
        return await run_in_threadpool(_go_on, request, site)
    return await run_in_threadpool(_sign_in, request, site, fields)


@router.post("/sign-out")
def sign_out(context: Annotated[RequestContext, require_permission(None)]) -> Response:
    """End the session."""
    sessions.close_session(context.store, context.session)
    context.note("signed_out")
    answer = context.go("/sign-in")
    _session_cookie(context.site).delete(answer, is_https=context.site.is_https)
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


@router.get("/me")
def own_settings(context: Annotated[RequestContext, require_permission(None)]) -> HTMLResponse:
    """The account's access, the language of the pages, and the password form."""
    return _own_page(context)


@router.post("/me/language")
def choose_language(context: Annotated[RequestContext, require_permission(None)]) -> Response:
    """Save the chosen language and go back."""
    language = context.given("language")
    accounts.set_language(context.store, context.account, language if language in LANGUAGES else None)
    return context.go(local_path(context.given("back")) or "/")


@router.post("/me/password")
def choose_password(context: Annotated[RequestContext, require_permission(None)]) -> Response:
    """Change the password, given the old one; every other session of the account ends."""
    old, new, again = (str(context.form.get(name) or "") for name in ("old", "new", "again"))
    try:
        known = sessions.sign_in(context.store, context.account.name, old, context.address, device=context.session.session_hash)
    except sessions.TooManySignInsError as error:
        return _own_page(context, 429, context.w("sign_in_wait", wait=clock(error.wait_s)))
    if known is None:
        return _own_page(context, 400, context.w("password_old_wrong"))
    if new != again:
        return _own_page(context, 400, context.w("password_differs"))
    try:
        accounts.set_password(context.store, context.account, new)
    except MisconfiguredError:
        return _own_page(context, 400, context.w("password_rules", least=accounts.SHORTEST_PASSWORD))
    context.note("password_changed", context.account.name)
    return with_session(context.site, context.account, context.go("/me?done=1"))


@router.get("/audit")
def audit_page(
    context: Annotated[RequestContext, require_permission("see_audit")],
    action: str = "",
    name: str = "",
    older: AuditId = None,
    newer: AuditId = None,
) -> HTMLResponse:
    """The audit log: who listened to, exported and was refused what, newest first."""
    asked = action if action in audit.ACTIONS else None, accounts.fold(name) or None
    found = audit.page(context.store, context.account, SHOWN, *asked, older, newer)
    query = urlencode({"action": action, "name": name})
    rows = blind.audited(found.rows, context.withheld)
    return context.page("app/audit.html", found=found, rows=rows, actions=audit.ACTIONS, action=action, name=name, asked=query)


def _sign_in(request: Request, site: Site, fields: dict[str, str]) -> Response:
    w, address, typed = wording(language_of(request)), address_of(request), fields.get("name", "")
    name, next_path = accounts.canonical(typed), fields.get("next", "")
    device = devices.COOKIE.read(request)
    try:
        account = sessions.sign_in(
            site.store, typed, fields.get("password", ""), address, device=devices.known(site.store, device, name) if name else None
        )
    except sessions.TooManySignInsError as error:
        audit.write(site.store, None, address, "sign_in", name, outcome="refused")
        refused = sign_in_form(request, 429, w("sign_in_wait", wait=clock(error.wait_s)), typed, next_path)
        refused.headers["Retry-After"] = str(int(error.wait_s))
        return refused
    if account is None:
        audit.write(site.store, None, address, "sign_in", name, outcome="refused")
        return sign_in_form(request, 401, w("sign_in_wrong"), typed, next_path)
    audit.write(site.store, account, address, "signed_in")
    chosen = request.query_params.get("language")
    if account.language is None and chosen in LANGUAGES:
        accounts.set_language(site.store, account, chosen)
    if (carried := request.state.carried) is not None:
        token = sessions.open_session(site.store, account, request.cookies.get(site.session_cookie))
        session = sessions.find_session(site.store, token)
        assert session is not None
        answer: Response = send_again(request, site, session, carried)
        _session_cookie(site).set(answer, token, is_https=site.is_https)
    else:
        answer = with_session(site, account, RedirectResponse(local_path(next_path) or "/", 303), request.cookies.get(site.session_cookie))
    _FORM_COOKIE.delete(answer, is_https=site.is_https)
    devices.COOKIE.set(answer, devices.remember(site.store, device, account.name), is_https=site.is_https)
    return answer


def _form_is_old(request: Request, site: Site, fields: dict[str, str]) -> Response:
    """The form again for a page opened before another sign-in, or a browser without cookies."""
    audit.write(site.store, None, address_of(request), "sent_form", "/sign-in", outcome="refused")
    return sign_in_form(request, 403, wording(language_of(request))("sign_in_old"), fields.get("name", ""), fields.get("next", ""))


def _go_on(request: Request, site: Site) -> Response:
    """Submit what the sign-in form carries, for a user who signed in in another window."""
    session = sessions.find_session(site.store, request.cookies.get(site.session_cookie))
    if session is None or request.state.carried is None:
        return sign_in_form(request, 401, wording(language_of(request))("signed_in_nowhere"))
    return send_again(request, site, session, request.state.carried)


def with_session(site: Site, account: accounts.Account, answer: RedirectResponse, replaced: str | None = None) -> RedirectResponse:
    """A response that opens a session for an account."""
    _session_cookie(site).set(answer, sessions.open_session(site.store, account, replaced), is_https=site.is_https)
    return answer


def _session_cookie(site: Site) -> Cookie:
    return Cookie(site.session_cookie, max_age_s=sessions.LONGEST_S)


def sign_in_form(request: Request, status: int, problem: str = "", name: str = "", next_path: str | None = None) -> HTMLResponse:
    """The sign-in page, with the error, the typed name, and the path to continue to (by default from the address)."""
    site: Site = request.app.state.site
    cookie = _FORM_COOKIE.read(request)
    cookie = cookie if len(cookie) == 43 else secrets.token_urlsafe(32)
    w = wording(language_of(request))
    wanted = request.query_params.get("next", "") if next_path is None else next_path
    values = {
        "context": None, "account": None, "here": "/sign-in", "token": sessions.form_token(site.store, cookie), "problem": problem, "name": name[:64],
        "chosen": request.query_params.get("language") in LANGUAGES, "next": local_path(wanted) or "", "has_accounts": bool(site.store.rows("select 1 from accounts limit 1")),
        "carried": getattr(request.state, "carried", None),
        "openid": site.openid.rules.button or w("openid_provider") if site.openid else None,
    }  # fmt: skip
    answer = HTMLResponse(render("app/sign_in.html", w, values), status)
    _FORM_COOKIE.set(answer, cookie, is_https=site.is_https)
    return answer


def _own_page(context: RequestContext, status: int = 200, problem: str = "") -> HTMLResponse:
    return context.page("app/own.html", status, problem=problem, done=context.request.query_params.get("done") == "1")


def local_path(path: str) -> str | None:
    """A path of this site to continue to; None for anything that could lead elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_ours and len(path) <= LONGEST_PATH else None
