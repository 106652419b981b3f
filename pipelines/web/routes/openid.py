"""Sign-in through an OpenID provider, where `openid.yaml` names one: the redirect to it, and the callback."""

from __future__ import annotations

import logging
import secrets
from typing import NoReturn

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from pipelines.app_db import administration, audit
from pipelines.app_db.addresses import network_of
from pipelines.i18n.wording import wording
from pipelines.web.auth.cookies import Cookie
from pipelines.web.auth.identities import NotLetInError, account_of
from pipelines.web.auth.openid import LONGEST_TRY_S, OpenId, TooManyRedirectsError
from pipelines.web.auth.openid_provider import OpenIdError
from pipelines.web.request_context import RefusedError, Site, address_of, language_of
from pipelines.web.routes.access import local_path, sign_in_form, with_session

log = logging.getLogger("callgrade")

router = APIRouter()
BACK = "/sign-in/openid/back"
_PATH = "/sign-in/openid"
COOKIE = Cookie("callgrade_openid", path=_PATH, max_age_s=LONGEST_TRY_S)  # binds the callback to the browser that was redirected


@router.get(_PATH)
def begin(request: Request, next: str = "") -> Response:
    """Redirect the browser to the provider."""
    site: Site = request.app.state.site
    openid = _openid(site)
    held = COOKIE.read(request)
    browser = held if len(held) == 43 else secrets.token_urlsafe(32)
    try:
        where = openid.begin(site.store, browser, _back(request, site), local_path(next) or "", network_of(address_of(request)))
    except OpenIdError as error:
        return _failed(request, site, error)
    answer = RedirectResponse(where, 303)
    COOKIE.set(answer, browser, is_https=site.is_https)
    return answer


@router.get(BACK)
def back(request: Request) -> Response:
    """Sign in a user whom the provider authenticated and whose groups have a role."""
    site: Site = request.app.state.site
    openid = _openid(site)
    address = address_of(request)
    try:
        claims, next_path = openid.finish(site.store, COOKIE.read(request), _back(request, site), dict(request.query_params))
        before, account = account_of(site.store, openid.rules, claims)
    except OpenIdError as error:
        return _failed(request, site, error)
    except NotLetInError as error:
        log.warning("OpenID: access denied: %s", error)
        audit.write(site.store, None, address, "sign_in", f"{error.name[:64]} by OpenID: {error}", outcome="refused")
        return sign_in_form(request, 403, wording(language_of(request))("openid_no_role"), next_path=next_path)
    changes = administration.changes(before, account) if before else administration.added(account)
    for action, subject in changes:
        audit.write(site.store, account, address, action, subject, administration.centre_of(*([before] if before else []), account))
    audit.write(site.store, account, address, "signed_in", "by OpenID")
    answer = RedirectResponse(local_path(next_path) or "/", 303)
    COOKIE.delete(answer, is_https=site.is_https)
    return with_session(site, account, answer, request.cookies.get(site.session_cookie))


def _openid(site: Site) -> OpenId:
    if site.openid is None:
        _not_there()
    return site.openid


def _not_there() -> NoReturn:
    raise RefusedError(404, "opened", _PATH)


def _back(request: Request, site: Site) -> str:
    """The redirect URI; the guard has checked that the host is ours."""
    return f"{'https' if site.is_https else 'http'}://{request.headers['host']}{BACK}"


def _failed(request: Request, site: Site, error: OpenIdError) -> Response:
    log.warning("OpenID: sign-in failed: %s", error)
    audit.write(site.store, None, address_of(request), "sign_in", f"by OpenID: {error}", outcome="refused")
    status = 429 if isinstance(error, TooManyRedirectsError) else 401
    return sign_in_form(request, status, wording(language_of(request))("openid_failed"), next_path=error.next_path)
