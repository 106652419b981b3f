"""Checks on every request, whatever route answers it: headers, host, origin of forms, body size and rate limits."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.web.request_limits import AnonymousLimit

log = logging.getLogger("callgrade")

LARGEST_BODY_BYTES = 64 * 1024
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; media-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex",
}
READING = ("GET", "HEAD")

_SAID = {
    400: b"This address does not serve that host.",
    403: b"Forms are taken from our own pages only.",
    411: b"Send the length of the body (Content-Length).",
    413: b"That is too much at once.",
}

Refuse = Callable[[str, str, int], None]  # address, what, status; called in a thread


class RequestGuard:
    """Refuses invalid requests before any route sees them, and adds security headers to every answer.

    The body is read here, before a route begins, so that a slow one occupies neither a thread nor the published copy. `too_many` returns
    the page for a client that exceeds the rate limit.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], is_https: bool, refused: Refuse, session_cookie: str, anonymous: AnonymousLimit, too_many: Callable[[Scope], bytes]
    ) -> None:  # fmt: skip
        self._app = app
        self._hosts = frozenset(hosts)
        self._is_https = is_https
        self._refused = refused
        self._session_cookie = session_cookie
        self._anonymous = anonymous
        self._too_many = too_many

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # WebSocket is not supported
        headers = Headers(scope=scope)
        session = cookie_parser(headers.get("cookie", "")).get(self._session_cookie)
        wait_s = self._anonymous.wait_s(_address(scope), session)
        if wait_s:
            await self._answer(
                send, 429, "text/html", self._too_many(scope), {"Retry-After": str(math.ceil(wait_s)), "Connection": "close"}
            )
            return
        status = self._why_not(scope["method"], headers)
        if status:
            await self._refuse(scope, send, status)
            return
        if headers.get("content-length", "0") != "0":
            body = await _read(receive)
            if body is None:
                return  # the client disconnected
            if len(body) > LARGEST_BODY_BYTES:
                await self._refuse(scope, send, 413)
                return
            receive = _replaying(body, receive)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, with_headers)
        state = scope.get("state", {})
        if "account" in state:  # set when the session was looked up
            self._anonymous.learn(session, is_valid=state["account"] is not None)

    def _why_not(self, method: str, headers: Headers) -> int | None:
        """The status with which a request is refused before any route sees it."""
        if headers.get("host", "").lower() not in self._hosts:
            return 400  # a foreign host name that resolves here (DNS rebinding)
        if "transfer-encoding" in headers:
            return 411  # no browser sends a form in chunks, and chunks of one byte are expensive to read
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
            return 413
        if method not in READING:
            origin = headers.get("origin")
            if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return 403
            if origin is not None and urlsplit(origin).netloc.lower() not in self._hosts:
                return 403
        return None

    def _add(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        headers.setdefault("Cache-Control", "no-store")
        if self._is_https:
            headers["Strict-Transport-Security"] = "max-age=31536000"

    async def _refuse(self, scope: Scope, send: Send, status: int) -> None:
        await run_in_threadpool(self._refused, _address(scope), scope["path"], status)
        await self._answer(send, status, "text/plain", _SAID[status], {} if status == 413 else {"Connection": "close"})

    async def _answer(self, send: Send, status: int, kind: str, content: bytes, more: dict[str, str]) -> None:
        headers = MutableHeaders({"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content)), **more})
        self._add(headers)
        await send({"type": "http.response.start", "status": status, "headers": headers.raw})
        await send({"type": "http.response.body", "body": content})


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _read(receive: Receive) -> bytes | None:
    """The body, or enough of it to show that it is too large; None when the client disconnected before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False) or len(body) > LARGEST_BODY_BYTES:
            return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A receive function that returns the body already read, then what follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
