"""The request context of a route: account, language, access-checked look-ups, and responses.

A route takes a `RequestContext` through `require_permission(right)`, which has checked the session, the role's right and a form's token.
Routes look calls, centres and operators up only through the context, so that access is checked, and refusals are recorded, in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from urllib.parse import quote, urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from pipelines.app_db import audit
from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase
from pipelines.app_db.rate_limit import Limits, RateLimiter
from pipelines.app_db.sessions import Session, find_session, form_token, is_form_token
from pipelines.coaching.call_sound import CallSounds
from pipelines.core.published import Row
from pipelines.core.settings import Settings
from pipelines.i18n.wording import LANGUAGES, Wording, wording
from pipelines.queries.snapshot import Snapshot, SnapshotReader
from pipelines.reports.presenters import Links, Presenter
from pipelines.reports.templating import environment
from pipelines.reviews import blind, corrections, human_verdicts, resolved_verdicts
from pipelines.web.auth.openid import OpenId
from pipelines.web.background_jobs import BackgroundJobs

if TYPE_CHECKING:
    from pipelines.scorecards.preview import Preview

MOST_FIELDS = 300
TOKEN_FIELD = "token"
HOME = (
    "/centres/",
    "/operators/",
    "/evaluate/",
    "/compared/",
    "/trends/",
)  # pages reached from the first page are below it in the navigation


class RefusedError(Exception):
    """An action or object that this account must not access; answered with an error page and recorded in the audit log."""

    def __init__(
        self, status: int, action: str = "opened", subject: str | None = None, centre_id: str | None = None, wait_s: float = 0.0
    ) -> None:
        super().__init__(f"refused: {action}")
        self.status, self.action, self.subject, self.centre_id = status, action, subject, centre_id
        self.wait_s = wait_s  # how long to wait before trying again, where that helps


class SignInFirstError(Exception):
    """The request has no session; answered with a redirect to the sign-in page."""


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the navigation: its path, the key of its label, the right that shows it, and the number of pending items."""

    path: str
    name: str
    right: str
    is_here: bool = False
    waiting: Callable[[RequestContext], int] | None = None
    count: int = 0


@dataclass(frozen=True)
class Site:
    """The state shared by all requests: `request.app.state.site`."""

    settings: Settings
    store: AppDatabase
    snapshot: Snapshot
    sounds: CallSounds
    is_https: bool
    navigation: tuple[NavItem, ...] = ()
    openid: OpenId | None = None  # set where sign-in through a provider is configured
    exports: RateLimiter = field(default_factory=lambda: RateLimiter(Limits().exports))
    previews: BackgroundJobs[Preview] = field(default_factory=BackgroundJobs)

    @property
    def session_cookie(self) -> str:
        """The name of the cookie; over https one with the `__Host-` restrictions."""
        return "__Host-callgrade" if self.is_https else "callgrade"


@dataclass
class RequestContext:
    """A request of a signed-in account that has the right required by the route."""

    request: Request
    site: Site
    session: Session
    published: SnapshotReader
    form: FormData = field(default_factory=FormData)

    @property
    def account(self) -> Account:
        return self.session.account

    @property
    def store(self) -> AppDatabase:
        return self.site.store

    @property
    def w(self) -> Wording:
        """The texts of the page in the account's language."""
        return wording(language_of(self.request, self.account))

    @property
    def address(self) -> str:
        return address_of(self.request)

    @property
    def token(self) -> str:
        """The CSRF token of every form, in the field named by `TOKEN_FIELD`; templates write it with `forms.token()`."""
        return form_token(self.store, self.session.session_hash)

    def given(self, name: str, longest: int = 2000) -> str:
        """A field of the submitted form, trimmed and without control characters; empty when it is missing."""
        text = self.form.get(name)
        return "".join(c for c in text if c.isprintable() or c == "\n").strip()[:longest] if isinstance(text, str) else ""

    def all_given(self, name: str) -> list[str]:
        """Every value of a field that may be repeated."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def call(self, call_id: str, action: str = "opened") -> Row:
        """A graded call's row of the view calls.

        Raises RefusedError when it does not exist or the account may not see it, without distinction.
        """
        rows = self.published.of_calls("calls", [call_id], "call_id", more="status = 'graded'")
        if not rows or not self.account.sees_call(rows[0]):
            self.refuse(404, action, call_id, rows[0]["centre_id"] if rows else None)
        return rows[0]

    def centre(self, centre_id: str) -> str:
        """The id of a centre that has calls and that this account has access to. Raises RefusedError otherwise."""
        if not self.account.sees_centre(centre_id) or centre_id not in self.centres():
            self.refuse(404, "opened", centre_id, centre_id)
        return centre_id

    def operator(self, centre_id: str, operator_id: str) -> str:
        """The id of a centre whose operator this account may see. Raises RefusedError otherwise; an operator sees no other operator."""
        if self.account.role == "operator" and operator_id != self.account.operator_id:
            self.refuse(404, "opened", f"{centre_id}/{operator_id}", centre_id)
        return self.centre(centre_id)

    def centres(self) -> list[str]:
        """The centres with calls that this account has access to, by id."""
        found = self.published.once(
            "centres",
            lambda: [r["centre_id"] for r in self.published.rows("select distinct centre_id from calls where centre_id is not null")],
        )
        return sorted(c for c in found if self.account.sees_centre(c))

    def unpublished(self, centre_id: str) -> int:
        """The number of human verdicts and corrections given after the published copy: aggregates do not include them."""
        at = self.site.settings.snapshot.stat().st_mtime
        return human_verdicts.count_since(self.store, centre_id, at) + corrections.count_since(self.store, centre_id, at)

    def presenter(self, centre_id: str) -> Presenter:
        """The presenter of a centre's rows in the account's language; look the centre up with `centre` first."""
        return Presenter(centre_id, self.w, LINKS, lambda rows: resolved_verdicts.of_list(self.published, self.store, rows), self.withheld)

    @cached_property
    def withheld(self) -> frozenset[str]:
        """The calls that this account must still judge blind: no page shows their results until then."""
        return blind.withheld(self.published, self.store, self.account, self.centres())

    def withheld_of(self, centre_id: str) -> int:
        """The number of calls of a centre's sample that this account must still judge blind."""
        return sum(row["call_id"] in self.withheld for row in blind.sampled(self.published, self.store, centre_id))

    def to_blind_form(self, call_id: str) -> RedirectResponse:
        """A redirect to the evaluation form of a call whose results are withheld, instead of a page that shows them."""
        return self.go(f"/{evaluate_path(call_id)}")

    def note(self, action: str, subject: str | None = None, centre_id: str | None = None) -> None:
        """Record an action of this account in the audit log."""
        audit.write(self.store, self.account, self.address, action, subject, centre_id)

    def refuse(self, status: int, action: str, subject: str | None = None, centre_id: str | None = None) -> NoReturn:
        """Answer with an error page (404, 403, 400) and record it."""
        raise RefusedError(status, action, subject, centre_id)

    def limit_exports(self, subject: str, centre_id: str) -> None:
        """Count an export of this account. Raises RefusedError (429) when there were too many: see `Limits.exports`."""
        wait_s = self.site.exports.take(self.account.account_id)
        if wait_s:
            raise RefusedError(429, "exported", subject, centre_id, wait_s)

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page from `templates/`, with the values that the layout needs."""
        return HTMLResponse(render(template, self.w, self.layout() | values), status)

    def layout(self) -> dict[str, Any]:
        """The values of `layout.html` around every page."""
        return {"context": self, "account": self.account, "here": asked_path(self.request), "token": self.token}

    def nav(self) -> list[NavItem]:
        """The pages in the navigation of this account, the current one marked."""
        here = self.request.url.path
        items = [item for item in self.site.navigation if self.account.may(item.right)]
        return [
            replace(
                item,
                is_here=here == item.path or here.startswith(HOME if item.path == "/" else item.path + "/"),
                count=item.waiting(self) if item.waiting else 0,
            )
            for item in items
        ]

    def go(self, path: str) -> RedirectResponse:
        """A redirect (GET) after an accepted form."""
        return RedirectResponse(path, 303)


def render(template: str, w: Wording, values: Mapping[str, Any]) -> str:
    """The text of a page of the server."""
    return environment().get_template(template).render(w=w, root="/", layout="app/layout.html", languages=LANGUAGES, **values)


def address_of(request: Request) -> str:
    """The client address of a request."""
    return request.client.host if request.client else ""


def asked_path(request: Request) -> str:
    """The requested path and query, still quoted: an unquoted call id may contain characters with another meaning."""
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    path = raw.partition(b"?")[0].decode("latin-1")
    return f"{path}?{request.url.query}" if request.url.query else path


def language_of(request: Request, account: Account | None = None) -> str:
    """The language of the account: the chosen one, else the first supported one that the browser accepts, else English."""
    chosen = account.language if account else request.query_params.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    asked = [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "")[:200].split(",")]
    return next((code for code in asked if code in LANGUAGES), "en")


def call_path(call_id: str) -> str:
    """The path of a call's page, without the leading slash."""
    return f"calls/{quote(call_id, safe='')}"


def calls_path(filters: Mapping[str, str]) -> str:
    """The address of the list of calls with some filters."""
    return f"/calls?{urlencode({name: value for name, value in filters.items() if value})}"


def evaluate_path(call_id: str) -> str:
    """The path of a call's evaluation form, without the leading slash."""
    return f"evaluate/{quote(call_id, safe='')}"


def operator_path(centre_id: str, operator_id: str) -> str:
    """The path of an operator's page, without the leading slash."""
    return f"operators/{quote(centre_id, safe='')}/{quote(operator_id, safe='')}"


def scorecard_path(centre_id: str) -> str:
    """The path of a centre's scorecard, without the leading slash."""
    return f"scorecards/{quote(centre_id, safe='')}"


def trends_path(centre_id: str) -> str:
    """The path of a centre's trends, without the leading slash."""
    return f"trends/{quote(centre_id, safe='')}"


LINKS = Links(
    centre=lambda centre_id: f"centres/{quote(centre_id, safe='')}",
    operator=operator_path,
    call=call_path,
    sound=lambda clip: f"clips/{quote(clip['clip_id'], safe='')}",
    scorecard=scorecard_path,
    calls=lambda filters: calls_path(filters).removeprefix("/"),
)


def require_permission(right: str | None) -> Any:
    """A dependency that gives a route its `RequestContext` if the account has the right; None only requires a session."""

    def context(
        request: Request, session: Annotated[Session, Depends(_session)], form: Annotated[FormData, Depends(_form)]
    ) -> Iterator[RequestContext]:
        site: Site = request.app.state.site
        if right is not None and not session.account.may(right):
            raise RefusedError(403, "opened", request.url.path)
        with site.snapshot.read() as published:
            yield RequestContext(request, site, session, published, form)

    return Depends(context)


async def _session(request: Request) -> Session:
    site: Site = request.app.state.site
    session = await run_in_threadpool(find_session, site.store, request.cookies.get(site.session_cookie))
    if session is None:
        raise SignInFirstError
    request.state.account = session.account  # for the audit entry of a refusal
    return session


async def _form(request: Request, session: Annotated[Session, Depends(_session)]) -> FormData:
    """The form of the request, after its token was checked; empty for a request that only reads."""
    if request.method in ("GET", "HEAD"):
        return FormData()
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    site: Site = request.app.state.site
    if not is_form_token(site.store, session.session_hash, form.get(TOKEN_FIELD)):
        raise RefusedError(403, "sent_form", request.url.path)
    return form
