"""Coming in and going out, one's own settings, and for administrators the accounts; for them and managers the audit."""

from __future__ import annotations

import secrets
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from pipelines.errors import MisconfiguredError
from pipelines.score.scorecard import centre_ids
from pipelines.web import accounts, audit, sessions
from pipelines.web.visit import MOST_FIELDS, TOKEN_FIELD, NavItem, RefusedError, Site, Visit, address_of, language_of, may, render
from pipelines.web.wording import LANGUAGES, clock, wording

router = APIRouter()
NAV = (NavItem("/audit", "audit", "see_audit"), NavItem("/accounts", "accounts", "manage_accounts"))

_FORM_COOKIE = "callgrade_form"  # what the form of somebody who has no session yet is bound to
SHOWN = 200
AuditId = Annotated[int | None, Query(ge=0, lt=2**63)]


@router.get("/sign-in")
def sign_in_page(request: Request) -> HTMLResponse:
    """The form to sign in with."""
    return sign_in_form(request, 200)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Check name and password, open a session, and go on to where the person wanted to be."""
    site: Site = request.app.state.site
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    cookie = request.cookies.get(_FORM_COOKIE, "")
    if not cookie or not sessions.is_form_token(site.store, cookie, fields.get(TOKEN_FIELD)):
        raise RefusedError(403, "sent_form", "/sign-in")
    return await run_in_threadpool(_sign_in, request, site, fields)


@router.post("/sign-out")
def sign_out(visit: Annotated[Visit, may(None)]) -> Response:
    """End the session."""
    sessions.close_session(visit.store, visit.session)
    visit.note("signed_out")
    answer = visit.go("/sign-in")
    answer.delete_cookie(visit.site.session_cookie, secure=visit.site.is_https, httponly=True, samesite="lax")
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


@router.get("/me")
def own_settings(visit: Annotated[Visit, may(None)]) -> HTMLResponse:
    """What somebody may see, the language of the pages, and a new password."""
    return _own_page(visit)


@router.post("/me/language")
def choose_language(visit: Annotated[Visit, may(None)]) -> Response:
    """Keep the language a person chose and go back."""
    language = visit.given("language")
    accounts.set_language(visit.store, visit.account, language if language in LANGUAGES else None)
    return visit.go(local_path(visit.given("back")) or "/")


@router.post("/me/password")
def choose_password(visit: Annotated[Visit, may(None)]) -> Response:
    """A new password, against the old one; every other session of the account ends."""
    old, new, again = (str(visit.form.get(name) or "") for name in ("old", "new", "again"))
    try:
        known = sessions.sign_in(visit.store, visit.account.name, old, visit.address)
    except sessions.TooManyTriesError as error:
        return _own_page(visit, 429, visit.w("sign_in_wait", wait=clock(error.wait_s)))
    if known is None:
        return _own_page(visit, 400, visit.w("password_old_wrong"))
    if new != again:
        return _own_page(visit, 400, visit.w("password_differs"))
    try:
        accounts.set_password(visit.store, visit.account, new)
    except MisconfiguredError:
        return _own_page(visit, 400, visit.w("password_rules", least=accounts.SHORTEST_PASSWORD))
    visit.note("password_changed", visit.account.name)
    return with_session(visit.site, visit.account, visit.go("/me?done=1"))


@router.get("/accounts")
def account_list(visit: Annotated[Visit, may("manage_accounts")]) -> HTMLResponse:
    """Everybody who may come in, and a form for one more."""
    return _accounts_page(visit)


@router.post("/accounts")
def add_account(visit: Annotated[Visit, may("manage_accounts")]) -> Response:
    """Let somebody in, with a password that is shown once."""
    password = accounts.fresh_password(visit.given("name"))
    try:
        made = accounts.add(
            visit.store, visit.given("name"), visit.given("role"), password, _centres_given(visit), visit.given("operator_id") or None,
            visit.given("hears_personal_data") == "1",
        )  # fmt: skip
    except accounts.AccountError as error:
        return _accounts_page(visit, 400, problem=visit.w(error.key))
    visit.note("account_added", made.name)
    return _accounts_page(visit, 200, made=made, password=password)


@router.post("/accounts/{account_id}")
def change_account(account_id: int, visit: Annotated[Visit, may("manage_accounts")]) -> Response:
    """Change what an account sees, close it, or give it a new password."""
    account = accounts.find(visit.store, account_id) if account_id < 2**62 else None
    if account is None:
        visit.refuse(404, "account_changed", str(account_id))
    if visit.given("new_password") == "1":
        password = accounts.fresh_password(account.name)
        try:
            accounts.set_password(visit.store, account, password)
        except accounts.AccountError as error:
            return _accounts_page(visit, 400, problem=visit.w(error.key))
        visit.note("password_changed", account.name)
        return _accounts_page(visit, 200, made=account, password=password)
    try:
        accounts.change(
            visit.store, account_id, centres=_centres_given(visit), hears_personal_data=visit.given("hears_personal_data") == "1",
            is_active=visit.given("is_active") == "1",
        )  # fmt: skip
    except accounts.AccountError as error:
        return _accounts_page(visit, 400, problem=visit.w(error.key))
    visit.note("account_changed", account.name)
    return visit.go("/accounts")


@router.get("/audit")
def audit_page(
    visit: Annotated[Visit, may("see_audit")], action: str = "", name: str = "", older: AuditId = None, newer: AuditId = None
) -> HTMLResponse:
    """Who heard, exported and was refused what, newest first."""
    asked = action if action in audit.ACTIONS else None, accounts.fold(name) or None
    found = audit.page(visit.store, visit.account, SHOWN, *asked, older, newer)
    return visit.page(
        "rooms/audit.html", found=found, actions=audit.ACTIONS, action=action, name=name, asked=urlencode({"action": action, "name": name})
    )


def _sign_in(request: Request, site: Site, fields: dict[str, str]) -> Response:
    w, address, name = wording(language_of(request)), address_of(request), fields.get("name", "")
    try:
        account = sessions.sign_in(site.store, name, fields.get("password", ""), address)
    except sessions.TooManyTriesError as error:
        audit.write(site.store, None, address, "sign_in", accounts.fold(name)[:64], outcome="refused")
        refused = sign_in_form(request, 429, w("sign_in_wait", wait=clock(error.wait_s)), name)
        refused.headers["Retry-After"] = str(int(error.wait_s))
        return refused
    if account is None:
        audit.write(site.store, None, address, "sign_in", accounts.fold(name)[:64], outcome="refused")
        return sign_in_form(request, 401, w("sign_in_wrong"), name)
    audit.write(site.store, account, address, "signed_in")
    chosen = request.query_params.get("language")
    if account.language is None and chosen in LANGUAGES:
        accounts.set_language(site.store, account, chosen)
    answer = RedirectResponse(local_path(fields.get("next", "")) or "/", 303)
    answer.delete_cookie(_FORM_COOKIE)
    return with_session(site, account, answer, request.cookies.get(site.session_cookie))


def with_session(site: Site, account: accounts.Account, answer: RedirectResponse, replaced: str | None = None) -> RedirectResponse:
    """An answer that opens a session for an account."""
    token = sessions.open_session(site.store, account, replaced)
    answer.set_cookie(
        site.session_cookie, token, max_age=int(sessions.LONGEST_S), path="/", secure=site.is_https, httponly=True, samesite="lax"
    )
    return answer


def sign_in_form(request: Request, status: int, problem: str = "", name: str = "") -> HTMLResponse:
    """The page to sign in on, with what went wrong."""
    site: Site = request.app.state.site
    cookie = request.cookies.get(_FORM_COOKIE, "")
    cookie = cookie if len(cookie) == 43 else secrets.token_urlsafe(32)
    w = wording(language_of(request))
    values = {
        "visit": None, "account": None, "here": "/sign-in", "token": sessions.form_token(site.store, cookie), "problem": problem, "name": name[:64],
        "chosen": request.query_params.get("language") in LANGUAGES, "next": local_path(request.query_params.get("next", "")) or "", "has_accounts": bool(site.store.rows("select 1 from accounts limit 1")),
        "openid": site.openid.rules.button or w("openid_provider") if site.openid else None,
    }  # fmt: skip
    answer = HTMLResponse(render("rooms/sign_in.html", w, values), status)
    answer.set_cookie(_FORM_COOKIE, cookie, path="/sign-in", secure=site.is_https, httponly=True, samesite="strict")
    return answer


def _own_page(visit: Visit, status: int = 200, problem: str = "") -> HTMLResponse:
    return visit.page("rooms/own.html", status, problem=problem, done=visit.request.query_params.get("done") == "1")


def _accounts_page(visit: Visit, status: int = 200, **said: object) -> HTMLResponse:
    values = {"problem": "", "made": None, "password": ""} | said
    return visit.page(
        "rooms/accounts.html",
        status,
        everybody=accounts.everybody(visit.store),
        roles=accounts.ROLES,
        centres=_known_centres(visit),
        **values,
    )


def _known_centres(visit: Visit) -> list[str]:
    return sorted({*centre_ids(), *visit.centres()})


def _centres_given(visit: Visit) -> list[str]:
    known = {*_known_centres(visit), accounts.EVERY_CENTRE}
    return [centre_id for centre_id in visit.all_given("centre") if centre_id in known]


def local_path(path: str) -> str | None:
    """A path of our own to go on to; None for anything that could lead elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_ours and len(path) < 500 else None
