"""Requests to an OpenAI-compatible server (vLLM, llama.cpp, Ollama) on the site's network.

A host name is resolved once for each connection pool and checked; requests go to the checked address, so that a changed name cannot
redirect texts. Redirects are not followed, proxies of the environment are ignored, and every response is bounded in size and time.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from pipelines.core.remote import is_on_site
from pipelines.core.settings import Settings
from pipelines.questions import language_model as lm
from pipelines.questions.breaker import breaker_of
from pipelines.questions.language_model import LONGEST_RESPONSE_TOKENS, Completion, Messages, NoAnswerError

LONGEST_RESPONSE_BYTES = 256_000
CONNECT_S = 5.0
_WITHOUT_SCHEMA = (400, 404, 415, 422, 501)  # how servers refuse a response_format that they do not know
_MAY_PASS = (408, 409, 425, 429, 500, 502, 503, 504)
_LONGEST_COUNT = 10**7  # of tokens: a server may report anything


class Endpoint:
    """The language model on a server."""

    def __init__(self, settings: Settings) -> None:
        if settings.questions_url is None or settings.questions_model is None:
            raise ValueError("no server is configured")
        self._url = settings.questions_url.rstrip("/") + "/chat/completions"
        self._host = urlsplit(self._url).hostname or ""
        self._model, self._timeout_s = settings.questions_model, settings.questions_timeout_s
        self._may_leave_site = settings.questions_outside
        self._breaker = breaker_of(self._url)
        self._knows_schemas = True
        self._addresses: list[str] = []
        self._resolving = asyncio.Lock()
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if settings.questions_key:
            headers["authorization"] = f"Bearer {settings.questions_key}"
        self._client = httpx2.AsyncClient(
            headers=headers,
            verify=ssl.create_default_context() if self._url.startswith("https:") else False,
            timeout=httpx2.Timeout(self._timeout_s, connect=min(CONNECT_S, self._timeout_s)),
            limits=httpx2.Limits(max_connections=settings.questions_concurrency),
            follow_redirects=False,
            trust_env=False,
        )

    async def complete(self, messages: Messages, schema: Mapping[str, Any]) -> Completion:
        """Complete a chat; a server that refuses JSON Schemas is asked without one. Raises NoAnswerError."""
        body = {
            "model": self._model, "messages": list(messages), "temperature": 0, "max_tokens": LONGEST_RESPONSE_TOKENS, "stream": False,
        }  # fmt: skip
        if self._knows_schemas:
            formatted = {"type": "json_schema", "json_schema": {"name": "response", "strict": True, "schema": dict(schema)}}
            try:
                return await self._guarded(body | {"response_format": formatted})
            except NoAnswerError as error:
                if error.http_status not in _WITHOUT_SCHEMA:
                    raise
            completion = await self._guarded(body)
            self._knows_schemas = False
            return completion
        return await self._guarded(body)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _guarded(self, body: Mapping[str, Any]) -> Completion:
        """One request, unless too many failed before."""
        if self._breaker.is_open:
            raise NoAnswerError(lm.NOT_ASKED)
        try:
            completion = await self._post(body)
        except NoAnswerError as error:
            if error.http_status not in _WITHOUT_SCHEMA:
                self._breaker.failed()
            raise
        self._breaker.succeeded()
        return completion

    async def _post(self, body: Mapping[str, Any]) -> Completion:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._sent(body)
                try:
                    content = await _read(answer)
                finally:
                    await answer.aclose()
        except (TimeoutError, httpx2.TimeoutException):
            raise NoAnswerError(lm.LATE, may_retry=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError):
            raise NoAnswerError(lm.UNREACHABLE, may_retry=True) from None
        return _completion(content)

    async def _sent(self, body: Mapping[str, Any]) -> httpx2.Response:
        """The beginning of the response from the first address of the server that accepts a connection."""
        addresses = await self._checked_addresses()
        for address in addresses:
            request = self._client.build_request(
                "POST", httpx2.URL(self._url).copy_with(host=address), json=body, headers={"host": urlsplit(self._url).netloc}
            )
            request.extensions = {**request.extensions, "sni_hostname": self._host}
            try:
                answer = await self._client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if address == addresses[-1]:
                    raise
                continue
            self._addresses = [address]
            return answer
        raise httpx2.ConnectError("the host has no address")

    async def _checked_addresses(self) -> list[str]:
        """The addresses of the host; without the permission to leave the site, only those on its network."""
        async with self._resolving:
            if not self._addresses:
                found = await asyncio.get_running_loop().getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
                addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
                self._addresses = [address for address in addresses if self._may_leave_site or is_on_site(address)]
                if not self._addresses:
                    raise NoAnswerError(lm.OUTSIDE)
            return self._addresses


async def _read(answer: httpx2.Response) -> bytes:
    """The body of a JSON response with status 200. Raises NoAnswerError for any other."""
    if answer.status_code != 200:
        raise NoAnswerError(lm.REFUSED, answer.status_code, may_retry=answer.status_code in _MAY_PASS)
    is_json = answer.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if not is_json or answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise NoAnswerError(lm.NOT_JSON)
    content = bytearray()
    async for piece in answer.aiter_raw():
        content += piece
        if len(content) > LONGEST_RESPONSE_BYTES:
            raise NoAnswerError(lm.TOO_LONG)
    return bytes(content)


def _completion(content: bytes) -> Completion:
    try:
        found = json.loads(content)
        text = found["choices"][0]["message"]["content"]
        usage = found.get("usage")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise NoAnswerError(lm.NOT_JSON) from None
    if not isinstance(text, str):
        raise NoAnswerError(lm.NOT_JSON)
    text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair cannot be sent back or stored
    return Completion(text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))


def _count(usage: object, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value <= _LONGEST_COUNT else 0
