"""One request as a route sees it: who asks, in what language, what may be looked up, and how an answer is made.

A route takes a `RequestContext` through `require_permission(right)`: by then the session is checked, the role has the right, and a form carried its token. Routes look calls,
centres and operators up through the context and never otherwise, so that what an account must not see is refused, and noted, in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, NoReturn
from urllib.parse import quote

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
from pipelines.reviews import blind, human_verdicts, resolved_verdicts
from pipelines.web.auth.openid import OpenId

MOST_FIELDS = 300
TOKEN_FIELD = "token"
HOME = (
    "/centres/",
    "/operators/",
    "/calls/",
    "/evaluate/",
    "/compared/",
)  # what is reached from the first page stands under it in the navigation


class RefusedError(Exception):
    """Something that this account must not do or see; answered with an error page and noted in the audit."""

    def __init__(
        self, status: int, action: str = "opened", subject: str | None = None, centre_id: str | None = None, wait_s: float = 0.0
    ) -> None:
        super().__init__(f"refused: {action}")
        self.status, self.action, self.subject, self.centre_id = status, action, subject, centre_id
        self.wait_s = wait_s  # how long to wait before trying again, where that helps


class SignInFirstError(Exception):
    """Nobody is signed in; answered with the way to the sign-in page."""


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the navigation: its path, the key of its name in the strings, the right that shows it, and how much waits there."""

    path: str
    name: str
    right: str
    is_here: bool = False
    waiting: Callable[[RequestContext], int] | None = None
    count: int = 0


@dataclass(frozen=True)
class Site:
    """What all requests share: `request.app.state.site`."""

    settings: Settings
    store: AppDatabase
    snapshot: Snapshot
    sounds: CallSounds
    is_https: bool
    navigation: tuple[NavItem, ...] = ()
    openid: OpenId | None = None  # where people may come in through a provider
    exports: RateLimiter = field(default_factory=lambda: RateLimiter(Limits().exports))

    @property
    def session_cookie(self) -> str:
        """The name of the cookie; over https one that a browser takes from this very host only."""
        return "__Host-callgrade" if self.is_https else "callgrade"


@dataclass
class RequestContext:
    """A request of somebody who is signed in and has the right that the route asked for."""

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
        """The words of the page in this person's language."""
        return wording(language_of(self.request, self.account))

    @property
    def address(self) -> str:
        return address_of(self.request)

    @property
    def token(self) -> str:
        """What every form must carry, in a field named as `TOKEN_FIELD`; templates write it with `forms.token()`."""
        return form_token(self.store, self.session.session_hash)

    def given(self, name: str, longest: int = 2000) -> str:
        """A field of the form that was sent, trimmed and without control characters; empty when it is not there."""
        text = self.form.get(name)
        return "".join(c for c in text if c.isprintable() or c == "\n").strip()[:longest] if isinstance(text, str) else ""

    def all_given(self, name: str) -> list[str]:
        """Every value of a field that may be there several times."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def call(self, call_id: str, action: str = "opened") -> Row:
        """A graded call's row of the view calls. Raises RefusedError when there is none that this account may see: it cannot tell which."""
        rows = self.published.of_calls("calls", [call_id], "call_id", more="status = 'graded'")
        if not rows or not self.account.sees_call(rows[0]):
            self.refuse(404, action, call_id, rows[0]["centre_id"] if rows else None)
        return rows[0]

    def centre(self, centre_id: str) -> str:
        """The id of a centre that has calls and that this account sees. Raises RefusedError otherwise."""
        if not self.account.sees_centre(centre_id) or centre_id not in self.centres():
            self.refuse(404, "opened", centre_id, centre_id)
        return centre_id

    def operator(self, centre_id: str, operator_id: str) -> str:
        """The id of a centre whose operator this account may look at. Raises RefusedError otherwise; an operator sees nobody else."""
        if self.account.role == "operator" and operator_id != self.account.operator_id:
            self.refuse(404, "opened", f"{centre_id}/{operator_id}", centre_id)
        return self.centre(centre_id)

    def centres(self) -> list[str]:
        """The centres with calls that this account sees, by id."""
        found = self.published.once(
            "centres",
            lambda: [r["centre_id"] for r in self.published.rows("select distinct centre_id from calls where centre_id is not null")],
        )
        return sorted(c for c in found if self.account.sees_centre(c))

    def unpublished(self, centre_id: str) -> int:
        """How many verdicts of people came after the published copy: sums over calls are without them."""
        return human_verdicts.count_since(self.store, centre_id, self.site.settings.snapshot.stat().st_mtime)

    def presenter(self, centre_id: str) -> Presenter:
        """How a page in this person's language shows the rows of a centre; look the centre up with `centre` first."""
        return Presenter(centre_id, self.w, LINKS, lambda rows: resolved_verdicts.of_list(self.published, self.store, rows), self.withheld)

    @cached_property
    def withheld(self) -> frozenset[str]:
        """The calls that this person has yet to judge blind: their results are on no page until then."""
        return blind.withheld(self.published, self.store, self.account, self.centres())

    def withheld_of(self, centre_id: str) -> int:
        """How many calls of a centre's sample this person has yet to judge blind."""
        return sum(row["call_id"] in self.withheld for row in blind.sampled(self.published, self.store, centre_id))

    def to_blind_form(self, call_id: str) -> RedirectResponse:
        """On to the evaluation form of a call whose results are withheld, instead of a page that shows them."""
        return self.go(f"/{evaluate_path(call_id)}")

    def note(self, action: str, subject: str | None = None, centre_id: str | None = None) -> None:
        """Write into the audit what this person did."""
        audit.write(self.store, self.account, self.address, action, subject, centre_id)

    def refuse(self, status: int, action: str, subject: str | None = None, centre_id: str | None = None) -> NoReturn:
        """Answer with an error page (404, 403, 400) and note it."""
        raise RefusedError(status, action, subject, centre_id)

    def limit_exports(self, subject: str, centre_id: str) -> None:
        """Count a file that is about to be made for this account. Raises RefusedError (429) when there were too many: see `Limits.exports`."""
        wait_s = self.site.exports.take(self.account.account_id)
        if wait_s:
            raise RefusedError(429, "exported", subject, centre_id, wait_s)

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of `templates/`, with all that the layout of the routes needs."""
        return HTMLResponse(render(template, self.w, self.layout() | values), status)

    def layout(self) -> dict[str, Any]:
        """What `layout.html` shows around every page."""
        return {"context": self, "account": self.account, "here": asked_path(self.request), "token": self.token}

    def nav(self) -> list[NavItem]:
        """The pages in the navigation of this account, the open one marked."""
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
        """After a form was taken: on to a page, by GET."""
        return RedirectResponse(path, 303)


def render(template: str, w: Wording, values: Mapping[str, Any]) -> str:
    """The text of a page of the server."""
    return environment().get_template(template).render(w=w, root="/", layout="app/layout.html", languages=LANGUAGES, **values)


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def asked_path(request: Request) -> str:
    """The path and query that a browser asked for, still quoted: the id of a call may hold what would mean something else unquoted."""
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    path = raw.partition(b"?")[0].decode("latin-1")
    return f"{path}?{request.url.query}" if request.url.query else path


def language_of(request: Request, account: Account | None = None) -> str:
    """The language of a person: the one chosen, else the first that the browser asks for and we speak, else English."""
    chosen = account.language if account else request.query_params.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    asked = [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "")[:200].split(",")]
    return next((code for code in asked if code in LANGUAGES), "en")


def call_path(call_id: str) -> str:
    """Where the page of a call is, without the leading slash."""
    return f"calls/{quote(call_id, safe='')}"


def evaluate_path(call_id: str) -> str:
    """Where the evaluation form of a call is, without the leading slash."""
    return f"evaluate/{quote(call_id, safe='')}"


def operator_path(centre_id: str, operator_id: str) -> str:
    """Where the page of an operator is, without the leading slash."""
    return f"operators/{quote(centre_id, safe='')}/{quote(operator_id, safe='')}"


LINKS = Links(
    centre=lambda centre_id: f"centres/{quote(centre_id, safe='')}",
    operator=operator_path,
    call=call_path,
    sound=lambda clip: f"clips/{quote(clip['clip_id'], safe='')}",
)


def require_permission(right: str | None) -> Any:
    """A dependency that gives a route its `RequestContext` when the person may do this; None asks only that somebody is signed in."""

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
    request.state.account = session.account  # for whoever writes the audit when this is refused
    return session


async def _form(request: Request, session: Annotated[Session, Depends(_session)]) -> FormData:
    """The form that came with the request, once its token was checked; empty for a request that only reads."""
    if request.method in ("GET", "HEAD"):
        return FormData()
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    site: Site = request.app.state.site
    if not is_form_token(site.store, session.session_hash, form.get(TOKEN_FIELD)):
        raise RefusedError(403, "sent_form", request.url.path)
    return form
