"""Requests to an OpenID provider that do not block this site when the provider is slow or silent.

One thread with an event loop sends them, with a deadline for each whole response. At most `MOST_WAITING` requests of the site wait for a
response; others get the error that the provider is busy. Published documents are cached: an old copy is served while one request refreshes
it for all callers. A failure is remembered for a while.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

LONGEST_ANSWER_BYTES = 1_000_000
DEADLINE_S = 5.0  # for a whole response
MOST_WAITING = 8  # waiting requests of the site
FRESH_S, STALE_S = 3600.0, 24 * 3600.0  # how long a document is used, and how long while it cannot be refreshed
FAILED_S = 30.0  # how long a failure is remembered


class OpenIdError(Exception):
    """The reason why a sign-in failed: a few words for the log and the audit log; never a token, a code or a secret."""

    next_path: str | None = None  # the requested path, once the attempt is known to belong to this browser


class UnreachableError(OpenIdError):
    """The provider did not answer, or not in time."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _CachedDocument(Generic[T]):
    """A document or a failure, and when it was received."""

    what: T
    at: float

    def is_younger(self, seconds: float) -> bool:
        return time.monotonic() - self.at <= seconds


class Provider:
    """The provider of a site."""

    def __init__(self) -> None:
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._lock = threading.Lock()  # never held during a request
        self._loop: asyncio.AbstractEventLoop | None = None
        self._documents: dict[str, _CachedDocument[dict[str, Any]]] = {}
        self._failures: dict[str, _CachedDocument[str]] = {}
        self._fetching: dict[str, Future[dict[str, Any]]] = {}

    def document(self, url: str, fresh_s: float = FRESH_S) -> dict[str, Any]:
        """JSON that the provider publishes, at most `fresh_s` old if available, else a copy of at most one day.

        Raises OpenIdError when there is none.
        """
        with self._lock:
            kept = self._documents.get(url)
            if kept is not None and kept.is_younger(fresh_s):
                return kept.what
            usable = kept.what if kept is not None and kept.is_younger(STALE_S) else None
            failure = self._failure(url)
            if failure is not None and usable is None:
                raise OpenIdError(failure)
            if failure is None and url not in self._fetching:
                self._fetching[url] = self._start(self._keep(url))
            fetching = self._fetching.get(url)
        if usable is not None and (fetching is None or fresh_s >= FRESH_S):
            return usable
        assert fetching is not None
        try:
            return self._wait(fetching)
        except OpenIdError:
            if usable is None:
                raise
            return usable

    def post(self, url: str, headers: Mapping[str, str], form: str) -> dict[str, Any]:
        """The provider's JSON response to an encoded form. Raises OpenIdError when there is none."""
        with self._lock:
            failure = self._failure(url)
        if failure is not None:
            raise OpenIdError(failure)
        try:
            return self._wait(_json("POST", url, headers, form))
        except UnreachableError as error:
            with self._lock:
                self._failures[url] = _CachedDocument(str(error), time.monotonic())
            raise

    def forget(self) -> None:
        """Drop all cached documents and failures."""
        with self._lock:
            self._documents.clear()
            self._failures.clear()

    def _failure(self, url: str) -> str | None:
        failed = self._failures.get(url)
        return failed.what if failed is not None and failed.is_younger(FAILED_S) else None

    async def _keep(self, url: str) -> dict[str, Any]:
        try:
            content = await _json("GET", url, {"Accept": "application/json"})
        except OpenIdError as error:
            with self._lock:
                self._failures[url] = _CachedDocument(str(error), time.monotonic())
            raise
        else:
            with self._lock:
                self._documents[url] = _CachedDocument(content, time.monotonic())
            return content
        finally:
            with self._lock:
                self._fetching.pop(url, None)

    def _wait(self, work: Future[dict[str, Any]] | Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """The result, if there is a free place to wait for it."""
        if not self._waiting.acquire(blocking=False):
            if isinstance(work, Coroutine):
                work.close()
            raise OpenIdError("the provider is busy")
        try:
            if isinstance(work, Coroutine):
                with self._lock:
                    work = self._start(work)
            return work.result()  # it ends by its deadline
        except OpenIdError as error:
            raise type(error)(str(error)) from None  # several callers may wait for one response, and each gets its own error
        finally:
            self._waiting.release()

    def _start(self, work: Coroutine[Any, Any, dict[str, Any]]) -> Future[dict[str, Any]]:
        """Start work on the provider's thread; the lock is held."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="openid", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def _json(method: str, url: str, headers: Mapping[str, str], form: str | None = None) -> dict[str, Any]:
    """A JSON object from an address, without following redirects. Raises OpenIdError, without response text, when there is none."""
    import httpx2

    content = bytearray()
    try:
        async with (
            asyncio.timeout(DEADLINE_S),
            httpx2.AsyncClient(timeout=DEADLINE_S, follow_redirects=False) as client,
            client.stream(method, url, content=form, headers=headers) as answer,
        ):
            status = answer.status_code
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > LONGEST_ANSWER_BYTES:
                    raise OpenIdError("the provider answered too much")
    except TimeoutError:
        raise UnreachableError("the provider does not answer") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        is_late = isinstance(error, httpx2.TimeoutException)
        raise UnreachableError(f"the provider {'does not answer' if is_late else 'cannot be reached'}") from None
    if status != 200:
        raise OpenIdError(f"the provider answered {status}")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise OpenIdError("the provider did not answer in JSON") from None
    if not isinstance(found, dict):
        raise OpenIdError("the provider did not answer in JSON")
    return found
