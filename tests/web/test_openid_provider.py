"""A slow, silent or unavailable provider never blocks the site, and cached documents bridge an outage for as long as possible."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from pipelines.web.auth import openid_provider
from pipelines.web.auth.openid_provider import FRESH_S, MOST_WAITING, OpenIdError, Provider, _CachedDocument

URL = "http://127.0.0.1:{port}/keys"


class Server:
    """Answers each connection as `answer` says, and counts them."""

    def __init__(self) -> None:
        self.answer: Callable[[socket.socket], None] = lambda _: time.sleep(5)
        self.asked = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = URL.format(port=self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(4096)
                self.answer(connection)
            except OSError:
                return

    def stop(self) -> None:
        with contextlib.suppress(OSError):  # stopped before
            self._listening.shutdown(socket.SHUT_RDWR)  # also for the thread that waits for a connection
        self._listening.close()


def answer(body: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)
    )


def drip(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(openid_provider, "DEADLINE_S", 0.6)
    made = Server()
    yield made
    made.stop()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def refusal(ask: Callable[[], Any]) -> str:
    with pytest.raises(OpenIdError) as refused:
        ask()
    return str(refused.value)


def test_who_asks_while_the_provider_is_silent_waits_once_and_few_wait_at_all(server: Server) -> None:
    provider = Provider()
    with at_most(3), ThreadPoolExecutor(40) as people:
        said = list(people.map(lambda _: refusal(lambda: provider.document(server.url)), range(200)))
    assert set(said) <= {"the provider is busy", "the provider does not answer"} and said.count("the provider is busy") > 20
    assert server.asked == 1
    with at_most(0.2):
        assert refusal(lambda: provider.document(server.url)) == "the provider does not answer"  # remembered
    assert server.asked == 1


def test_a_form_is_not_sent_again_and_again_to_a_provider_that_is_silent(server: Server) -> None:
    provider = Provider()
    with at_most(3), ThreadPoolExecutor(20) as people:
        said = list(people.map(lambda _: refusal(lambda: provider.post(server.url, {}, "code=x")), range(100)))
    assert set(said) <= {"the provider is busy", "the provider does not answer"} and server.asked <= MOST_WAITING


def test_a_whole_answer_has_a_deadline(server: Server) -> None:
    server.answer = drip
    with at_most(2):
        assert refusal(lambda: Provider().document(server.url)) == "the provider does not answer"


def test_an_old_copy_is_used_while_the_provider_is_silent_and_a_new_one_as_soon_as_there_is_one(server: Server) -> None:
    provider = Provider()
    server.answer = answer(b'{"keys": 1}')
    assert provider.document(server.url) == {"keys": 1}
    provider._documents[server.url] = _CachedDocument({"keys": 1}, time.monotonic() - FRESH_S - 1)
    server.answer = lambda _: time.sleep(2)
    with at_most(0.3):
        assert provider.document(server.url) == {"keys": 1}
    with at_most(1.5):
        assert provider.document(server.url, fresh_s=0.0) == {"keys": 1}  # an unknown key: worth a wait
    with provider._lock:
        provider._failures.clear()
    server.answer = answer(b'{"keys": 2}')
    assert provider.document(server.url, fresh_s=0.0) == {"keys": 2}
    provider._documents[server.url] = _CachedDocument({"keys": 2}, time.monotonic() - openid_provider.STALE_S - 1)
    server.stop()
    assert "cannot be reached" in refusal(lambda: provider.document(server.url))
