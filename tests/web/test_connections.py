"""A server with silent, slow, endless or too many clients: all others are answered, and offenders are cut off in time."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import Receive, Scope, Send

from pipelines.app_db.rate_limit import Rate
from pipelines.web.connections import ConnectionLimits, Connections
from pipelines.web.request_limits import AnonymousLimit
from pipelines.web.security import RequestGuard
from pipelines.web.server import ListenAddress, make_server

LIMITS = ConnectionLimits(header_s=1.0, request_s=2.0, handshake_s=1.0, stalled_s=1.5, evict_stalled_s=0.5)
MANY = Rate(burst=1e9, per_s=1e9)
LARGE = b"x" * 8_000_000


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once, after a while, or with much."""
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)
    body = LARGE if scope["path"] == "/large" else f"{scope['client'][0]} {len((await receive())['body'])}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(limits: ConnectionLimits = LIMITS, **listening: object) -> Iterator[int]:
    """The port of a server with such limits."""
    with running(limits, **listening) as (port, _):
        yield port


@contextmanager
def running(limits: ConnectionLimits = LIMITS, **listening: object) -> Iterator[tuple[int, uvicorn.Server]]:
    sock = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = sock.getsockname()[1]
    guarded = RequestGuard(
        app,
        {f"127.0.0.1:{port}"},
        False,
        lambda *_: None,
        session_cookie="callgrade",
        anonymous=AnonymousLimit(MANY),
        too_many=lambda _: b"",
    )
    server = make_server(guarded, ListenAddress(port=port, **listening), limits)  # type: ignore[arg-type]
    server.config.lifespan = "off"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield port, server
    server.should_exit = server.force_exit = True
    thread.join(10)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def head(port: int, path: str = "/", *more: str) -> bytes:
    return "\r\n".join([f"{'POST' if more else 'GET'} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *more, "", ""]).encode()


def received(sock: socket.socket) -> bytes:
    """One answer, or what comes until the server closes."""
    content = b""
    with suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            content += piece
            length = re.search(rb"content-length: (\d+)", content)
            if b"\r\n\r\n" in content and length and len(content.partition(b"\r\n\r\n")[2]) >= int(length[1]):
                break
    return content


def status(sock: socket.socket, request: bytes) -> int:
    sock.sendall(request)
    return int((received(sock) or b"HTTP/1.1 0")[9:12])


def seconds_open(sock: socket.socket) -> float:
    started = time.monotonic()
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - started


def test_hundreds_of_silent_connections_keep_nobody_out_and_are_closed() -> None:
    with serving() as port, ExitStack() as stack:
        silent = [stack.enter_context(connect(port)) for _ in range(405)]
        started = time.monotonic()
        for _ in range(20):
            with connect(port) as person:
                assert status(person, head(port)) == 200
        assert time.monotonic() - started < 2
        for sock in silent:
            seconds_open(sock)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("is_header", [True, False], ids=["header", "body"])
def test_a_request_that_does_not_end_is_cut_off(is_header: bool) -> None:
    with serving() as port, connect(port) as slow:
        begun = head(port)[:-2] if is_header else head(port, "/", "Content-Length: 5000")
        started = time.monotonic()
        try:
            slow.sendall(begun)
            while time.monotonic() - started < 8:
                slow.sendall(b"X-A: b\r\n" if is_header else b"a")
                time.sleep(0.1)
        except OSError:
            pass
        allowed_s = LIMITS.header_s if is_header else LIMITS.request_s
        assert allowed_s - 0.5 < time.monotonic() - started < allowed_s + 3


def test_a_connection_that_is_kept_alive_is_used_again_and_its_clock_starts_anew() -> None:
    with serving() as port, connect(port) as person:
        for _ in range(3):
            assert status(person, head(port)) == 200
            time.sleep(LIMITS.header_s + 0.3)
        assert status(person, head(port, "/", "Content-Length: 3") + b"abc") == 200


def test_who_is_being_answered_is_not_closed_for_others() -> None:
    with serving(replace(LIMITS, per_client=4)) as port, connect(port) as person, ExitStack() as stack:
        person.sendall(head(port, "/slow"))
        time.sleep(0.2)
        for _ in range(20):
            stack.enter_context(connect(port))
        assert received(person).startswith(b"HTTP/1.1 200")


def test_where_all_are_being_answered_one_more_is_refused() -> None:
    with serving(replace(LIMITS, per_client=3)) as port, ExitStack() as stack:
        busy = [stack.enter_context(connect(port)) for _ in range(3)]
        for sock in busy:
            sock.sendall(head(port, "/slow"))
        time.sleep(0.3)
        with connect(port) as person:
            assert seconds_open(person) < 1
        assert all(received(sock).startswith(b"HTTP/1.1 200") for sock in busy)


@pytest.mark.parametrize("line", [b"GET /" + b"a" * 200_000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 30_000], ids=["one line", "many lines"])
@pytest.mark.parametrize("has_end", [True, False], ids=["complete", "endless"])
def test_a_header_is_bounded(line: bytes, has_end: bool) -> None:
    with serving() as port, connect(port) as hostile:
        try:
            hostile.sendall(line + (b" HTTP/1.1\r\n\r\n" if has_end else b"") * 2)
        except OSError:
            return  # closed while it was sent
        assert b" 200 " not in received(hostile)[:20]
        assert seconds_open(hostile) < 1


@pytest.mark.parametrize("sent", [["Content-Length: 100000000"], ["Transfer-Encoding: chunked"]], ids=["long", "chunked"])
def test_a_body_that_is_refused_is_read_no_further_than_it_takes_to_say_so(sent: list[str]) -> None:
    with serving() as port, connect(port) as hostile:
        hostile.sendall(head(port, "/", *sent))
        count = 0
        try:
            while count < 100:
                hostile.sendall(b"1\r\nx\r\n" * 10_000 if "chunked" in sent[0] else b"x" * 60_000)
                count += 1
                time.sleep(0.01)
        except OSError:
            pass
        assert count < 90
    with serving() as port, connect(port) as person:
        assert status(person, head(port, "/", *sent) + b"x" * 50) == (411 if "chunked" in sent[0] else 413)


def test_a_form_is_answered_whatever_way_it_arrives() -> None:
    with serving() as port, connect(port) as person:
        person.sendall(head(port, "/", "Content-Length: 60000"))
        for _ in range(6):
            person.sendall(b"x" * 10_000)
            time.sleep(0.05)
        assert received(person).endswith(b"127.0.0.1 60000")


def test_what_is_sent_behind_a_request_is_not_read_while_it_is_answered() -> None:
    with serving() as port, connect(port) as hostile:
        hostile.sendall(head(port, "/slow"))
        time.sleep(0.2)
        hostile.setblocking(False)
        sent = 0
        with suppress(BlockingIOError):
            while sent < 50_000_000:
                sent += hostile.send(b"\x00" * 100_000)
        assert sent < 50_000_000  # the buffers of the system are full
        hostile.setblocking(True)
        assert received(hostile).startswith(b"HTTP/1.1 200")
        assert seconds_open(hostile) < 2
    with serving() as port, connect(port) as person:
        person.sendall(head(port) * 3)  # a few requests at once are answered in turn
        content = b""
        while content.count(b"HTTP/1.1 200") < 3:
            content += person.recv(4096)


def test_a_client_that_does_not_read_is_cut_off_and_one_that_reads_slowly_is_not() -> None:
    with running() as (port, server), connect(port) as hostile, connect(port) as slow:
        hostile.sendall(head(port, "/large"))
        slow.sendall(head(port, "/large"))
        read, started = 0, time.monotonic()
        while read < len(LARGE):
            read += len(slow.recv(300_000))
            time.sleep(max(0, started + 2 * LIMITS.stalled_s * read / len(LARGE) - time.monotonic()))
        assert time.monotonic() - started > LIMITS.stalled_s * 1.5
        while len(server.server_state.connections) > 1 and time.monotonic() - started < 8:
            time.sleep(0.1)
        assert len(server.server_state.connections) == 1


def test_new_connections_beyond_the_rate_wait_and_are_answered() -> None:
    with serving(replace(LIMITS, new=Rate(burst=5, per_s=0.001), delay_s=0.7)) as port:
        waited = []
        for _ in range(7):
            started = time.monotonic()
            with connect(port) as person:
                assert status(person, head(port)) == 200
            waited.append(time.monotonic() - started)
        assert max(waited[:5]) < 0.6 < min(waited[5:])


def test_new_connections_of_a_client_that_was_cut_off_again_and_again_wait() -> None:
    with serving(replace(LIMITS, offences=Rate(burst=3, per_s=0.001), offender_delay_s=0.8, offender_s=1.5)) as port:
        for _ in range(4):
            with connect(port) as hostile:
                hostile.sendall(b"\x00\r\n\r\n")
                assert received(hostile).startswith(b"HTTP/1.1 400")
        started = time.monotonic()
        with connect(port) as person:
            assert status(person, head(port)) == 200
        assert time.monotonic() - started > 0.6
        time.sleep(1.6)
        started = time.monotonic()
        with connect(port) as person:
            assert status(person, head(port)) == 200
        assert time.monotonic() - started < 0.6


def test_connections_of_a_proxy_count_in_total_only() -> None:
    limits = replace(LIMITS, per_client=3, total=30, header_s=30)
    with serving(limits, public_url="https://calls.example") as port, ExitStack() as stack:
        silent = [stack.enter_context(connect(port)) for _ in range(29)]
        with connect(port) as person:
            request = head(port)[:-2] + b"X-Forwarded-For: 192.0.2.7\r\n\r\n"
            person.sendall(request)
            assert received(person).endswith(b"192.0.2.7 0")
        for sock in silent:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)
        for _ in range(10):
            stack.enter_context(connect(port))
        with connect(port) as person:
            assert status(person, head(port)) == 200  # the oldest ones were replaced


class Waiting:
    """A connection for `Connections` without a socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop, since: float) -> None:
        self.loop, self.waiting_since, self.client_key, self.is_closed = loop, since, "", False
        self.open: Connections | None = None

    def is_waiting(self, _: float) -> bool:
        return True

    def abort(self) -> None:
        self.is_closed = True
        assert self.open is not None
        self.open.remove(self)  # type: ignore[arg-type]


def test_room_is_made_by_the_client_with_most_connections_and_a_network_counts_as_one_client() -> None:
    loop = asyncio.new_event_loop()
    connections = Connections(ConnectionLimits(per_client=6, total=8, new=MANY))

    def admit(address: str) -> Waiting:
        made = Waiting(loop, time.monotonic())
        made.open = connections
        assert connections.admit(made, address) == 0  # type: ignore[arg-type]
        return made

    heavy = [admit(f"2001:db8::{n}") for n in range(1, 8)]  # one /64
    assert [c.is_closed for c in heavy] == [True] + [False] * 6
    light = [admit(f"192.0.2.{n}") for n in range(1, 6)]
    assert len(connections) == 8 and not any(c.is_closed for c in light)
    assert [c.is_closed for c in heavy] == [True] * 4 + [False] * 3
    loop.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine and its key, both made here."""
    folder = tmp_path_factory.mktemp("tls")
    key, name, today = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    signed = made.not_valid_before(today - timedelta(1)).not_valid_after(today + timedelta(1)).sign(key, hashes.SHA256())
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate, secret


def test_silent_tls_handshakes_count_as_connections_and_are_closed(certificate: tuple[Path, Path]) -> None:
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    def secure(port: int) -> int:
        with connect(port) as sock, trusting.wrap_socket(sock) as person:
            return status(person, head(port))

    with serving(replace(LIMITS, per_client=20), certificate=certificate[0], key=certificate[1]) as port, ExitStack() as stack:
        silent = [stack.enter_context(connect(port)) for _ in range(50)]
        assert [secure(port) for _ in range(10)] == [200] * 10
        started = time.monotonic()
        for sock in silent:
            seconds_open(sock)
        assert time.monotonic() - started < 4
        with connect(port) as plain:
            plain.sendall(head(port))
            assert b" 200 " not in received(plain)
        assert secure(port) == 200
