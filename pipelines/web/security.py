"""What holds for every request whatever room answers it: headers, the host that was asked for, where a form comes from, the size of bodies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

Refuse = Callable[[str, str, int], None]  # address, what, status


class Guard:
    """Refuses what no room should see, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], is_https: bool, refused: Refuse) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._is_https = is_https
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks WebSocket
        headers = Headers(scope=scope)
        status = self._why_not(scope["method"], headers)
        if status:
            await self._refuse(scope, send, status)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY_BYTES:
                raise HTTPException(413)  # answered like everything that a room refuses
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, counted, with_headers)

    def _why_not(self, method: str, headers: Headers) -> int | None:
        """The status of a request that is refused before any room sees it."""
        if headers.get("host", "").lower() not in self._hosts:
            return 400  # another name that points here: a page of somebody else asking
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
        client = scope.get("client")
        self._refused(client[0] if client else "", scope["path"], status)
        said = {
            400: b"This address does not serve that host.",
            403: b"Forms are taken from our own pages only.",
            413: b"That is too much at once.",
        }
        headers = MutableHeaders(
            {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(said[status])), "Connection": "close"}
        )
        self._add(headers)
        await send({"type": "http.response.start", "status": status, "headers": headers.raw})
        await send({"type": "http.response.body", "body": said[status]})
