"""The FastAPI application: the shared site state, the request guard, the routes, and error pages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import cache
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from pipelines.app_db import audit
from pipelines.app_db.accounts import Account
from pipelines.app_db.database import open_store
from pipelines.app_db.openid_settings import read_rules
from pipelines.app_db.rate_limit import Limits, RateLimiter
from pipelines.app_db.refusals import Refusals
from pipelines.app_db.sessions import find_session
from pipelines.coaching.call_sound import CallSounds
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.settings import Settings
from pipelines.i18n.wording import Wording, wording
from pipelines.queries.snapshot import Snapshot, SnapshotReader
from pipelines.reports.templating import STATIC, asset, asset_path
from pipelines.reviews import blind
from pipelines.web import api, pending_forms
from pipelines.web.auth.openid import OpenId
from pipelines.web.request_context import RefusedError, SignInFirstError, Site, address_of, asked_path, language_of, render
from pipelines.web.request_limits import AnonymousLimit
from pipelines.web.routes import ROUTES
from pipelines.web.routes.access import sign_in_form
from pipelines.web.security import RequestGuard

log = logging.getLogger("callgrade")

_COUNTS_EVERY_S = 60.0  # how often counts of refused requests are written to the audit log
_SAID = {
    400: "error_form",
    403: "error_not_allowed",
    404: "error_not_found",
    405: "error_form",
    413: "error_too_large",
    429: "error_too_many",
    503: "error_later",
}
_LIMITS = Limits()


def make_app(settings: Settings, hosts: Collection[str], *, is_https: bool = False, limits: Limits = _LIMITS) -> FastAPI:
    """The application for one site; `hosts` are the accepted host names, with port."""
    navigation = tuple(item for route in ROUTES for item in getattr(route, "NAV", ()))
    rules = read_rules(settings)
    openid = OpenId(rules) if rules else None
    site = Site(
        settings, open_store(settings), Snapshot(settings), CallSounds(settings), is_https, navigation, openid, RateLimiter(limits.exports)
    )
    site.store.refusals = Refusals(limits)

    def warm(published: SnapshotReader) -> None:
        blind.warm(published, site.store)
        for route in ROUTES:
            if hasattr(route, "warm"):
                route.warm(published)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        site.store.hold()
        site.snapshot.keep_warm(warm)
        counting = asyncio.create_task(_keep_counting(site))
        yield
        counting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await counting
        _write_counts(site)
        site.previews.close()
        site.store.close()
        site.snapshot.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan, redirect_slashes=False)
    app.state.site = site
    for route in ROUTES:
        app.include_router(route.router)
    app.mount(api.PREFIX, api.make_api(site, limits))
    app.add_api_route("/static/{version}/{name}", _static, methods=["GET", "HEAD"])
    app.add_exception_handler(SignInFirstError, _sign_in_first)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _http_error)
    app.add_exception_handler(TransientError, _failed)
    app.add_exception_handler(MisconfiguredError, _failed)
    app.add_exception_handler(Exception, _failed)

    def refused(address: str, path: str, status: int) -> None:
        log.warning(
            "refused %d: %s", status, "a foreign host or form" if status in (400, 403) else "a body that is too large or of unknown length"
        )
        try:
            audit.write(site.store, None, address, "sent_form" if status != 400 else "opened", path, outcome="refused")
        except TransientError as error:
            log.warning("%s", error)

    app.add_middleware(
        RequestGuard, hosts=frozenset(h.lower() for h in hosts), is_https=is_https, refused=refused, session_cookie=site.session_cookie,
        anonymous=AnonymousLimit(limits.anonymous), too_many=lambda scope: _too_many(language_of(Request(scope))),
    )  # fmt: skip
    return app


async def _keep_counting(site: Site) -> None:
    while True:
        await asyncio.sleep(_COUNTS_EVERY_S)
        await run_in_threadpool(_write_counts, site)


def _write_counts(site: Site) -> None:
    try:
        audit.write_counts(site.store)
    except TransientError as error:
        log.warning("%s", error)


@cache
def _too_many(language: str) -> bytes:
    """The page for a client without a session that exceeds the rate limit."""
    return _error_text(wording(language), None, "/", "error_too_many").encode()


def _static(version: str, name: str) -> Response:
    """A style sheet or script listed in `templating.STATIC`."""
    if name not in STATIC or f"/static/{version}/{name}" != asset_path(name):
        raise HTTPException(404)
    return Response(asset(name), media_type=STATIC[name][0], headers={"Cache-Control": "public, max-age=31536000, immutable"})


async def _sign_in_first(request: Request, error: Exception) -> Response:
    request.state.account = None  # tells the guard that there is no such session
    if request.method not in ("GET", "HEAD"):
        try:
            request.state.carried = await pending_forms.of_request(request)
        except HTTPException as refused:  # too large, too many fields, a file
            return await _http_error(request, refused)
        if request.state.carried is None:
            return _error_page(request, 403, "error_signed_out")
        return await run_in_threadpool(sign_in_form, request, 403, wording(language_of(request))("sign_in_to_send"))
    asked = asked_path(request)
    return RedirectResponse("/sign-in" if asked == "/" else f"/sign-in?next={quote(asked, safe='')}", 303)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    site: Site = request.app.state.site
    if _account(request) is None:
        request.state.account = await run_in_threadpool(_who, request, site)  # the error page is in this person's language
    await run_in_threadpool(
        audit.write,
        site.store,
        _account(request),
        address_of(request),
        error.action,
        error.subject or request.url.path,
        error.centre_id,
        "refused",
    )
    answer = _error_page(request, error.status, _SAID[error.status])
    if error.wait_s:
        answer.headers["Retry-After"] = str(math.ceil(error.wait_s))
    return answer


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    if status in (400, 403, 404, 405, 413):
        return await _refused(
            request, RefusedError(status, "opened" if request.method in ("GET", "HEAD") else "sent_form", request.url.path)
        )
    return _error_page(request, status, "error_ours")


async def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, TransientError):
        log.warning("%s", error)
        return _error_page(request, 503, "error_later")
    if isinstance(error, MisconfiguredError):
        log.error("%s", error)
        is_empty = not request.app.state.site.settings.snapshot.exists()
        return _error_page(request, 503, "error_nothing_published" if is_empty else "error_ours")
    return _error_page(request, 500, "error_ours")


def _who(request: Request, site: Site) -> Account | None:
    """The account of a request without a matching route; its session was not looked up."""
    session = find_session(site.store, request.cookies.get(site.session_cookie))
    return session.account if session else None


def _account(request: Request) -> Account | None:
    account: Account | None = getattr(request.state, "account", None)
    return account


def _error_page(request: Request, status: int, key: str) -> HTMLResponse:
    account = _account(request)
    w = wording(language_of(request, account))
    return HTMLResponse(_error_text(w, account, request.url.path, key), status)


def _error_text(w: Wording, account: Account | None, here: str, key: str) -> str:
    values = {"context": None, "account": account, "here": here, "said": w(key), "hint": w(key + "_hint"), "token": ""}
    return render("app/error.html", w, values)
