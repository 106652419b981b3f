"""Connection limits in number and time, so that silent, slow and endless clients do not block others.

uvicorn has no time-out before the first request and counts idle connections as load, so `BoundedProtocol` adds to its HTTP/1.1 protocol:

- a limit on open connections, per client and in total. A new connection replaces the one that has waited longest without a complete
request; it is refused only when all connections are being answered. - deadlines for the TLS handshake, the header and the whole request,
and for a client that stops reading its answer. - a limit on the header, on each read, and on the rest of a refused body. While a request
is answered, nothing more is read. - a delay before new connections are read for a client that opens too many, or whose connections are
repeatedly cut off.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipelines.app_db.rate_limit import Rate, RateLimiter, client_key

_PIECE_BYTES = 1024  # headers are parsed in pieces, so that one socket read cannot exceed the limit by much
_PROXY = "proxy"
_NEW, _OFFENCES = Rate(burst=300, per_s=30), Rate(burst=20, per_s=1)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits for one client and for all clients together. Times are in seconds."""

    per_client: int = 200  # an office may share one address
    total: int = 1000
    new: Rate = _NEW  # per client
    delay_s: float = 1.0  # delay of a new connection beyond that rate before it is read
    offences: Rate = _OFFENCES  # connections of a client that were cut off, or refused for their content
    offender_delay_s: float = 5.0  # delay of new connections of a client beyond that rate,
    offender_s: float = 10.0  # for this long after the last offence
    handshake_s: float = 5.0
    header_s: float = 10.0  # from the connection, or the first byte on a kept-alive one, to the end of the header
    request_s: float = 30.0  # the same to the end of the body
    stalled_s: float = 60.0  # a client that reads nothing of its answer for so long is cut off
    evict_stalled_s: float = 5.0  # and may be replaced by a new connection after so long
    header_bytes: int = 32 * 1024  # the path of a call with an odd id, and again as the Referer, take up to 15 kB
    read_bytes: int = 16 * 1024  # read from a connection at a time, so that a flood on one does not delay the others
    discarded_bytes: int = 256 * 1024  # read of a body after its request was refused, so that the client receives the answer


class Connections:
    """The open connections of a server by client.

    With `is_proxied`, connections from this machine are those of the reverse proxy: they count only towards the total.
    """

    def __init__(self, limits: ConnectionLimits, *, is_proxied: bool = False) -> None:
        self.limits = limits
        self._is_proxied = is_proxied
        self._rate = RateLimiter(limits.new)
        self._offences = RateLimiter(limits.offences)
        self._offenders: dict[str, float] = {}  # until when their connections are delayed
        self._open: dict[str, set[BoundedProtocol]] = {}
        self._total = 0
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._total

    def admit(self, connection: BoundedProtocol, address: str) -> float | None:
        """Count a new connection, closing another one if necessary; return its delay in seconds, None when it is refused."""
        client = _PROXY if self._is_proxied and _is_loopback(address) else client_key(address)
        own = self._open.get(client, set())
        if client != _PROXY and len(own) >= self.limits.per_client:
            has_capacity = self._evict(own, connection.loop.time())
        else:
            has_capacity = self._total < self.limits.total or self._evict_any(connection.loop.time())
        if not has_capacity:
            return None
        connection.client_key = client
        self._open.setdefault(client, set()).add(connection)
        self._total += 1
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(1, self._sweep, connection.loop)
        if client == _PROXY:
            return 0.0
        is_over = self._rate.take(client) > 0
        if self._offenders.get(client, 0.0) > connection.loop.time():
            return self.limits.offender_delay_s
        return self.limits.delay_s if is_over else 0.0

    def blame(self, connection: BoundedProtocol) -> None:
        """Count an offence of a connection's client."""
        client = connection.client_key
        if client != _PROXY and self._offences.take(client):
            self._offenders[client] = connection.loop.time() + self.limits.offender_s

    def remove(self, connection: BoundedProtocol) -> None:
        """Remove a closed connection; one that is not counted changes nothing."""
        own = self._open.get(connection.client_key, set())
        if connection in own:
            own.remove(connection)
            self._total -= 1
            if not own:
                del self._open[connection.client_key]

    def _evict_any(self, now: float) -> bool:
        """Close one connection of the client with most connections."""
        return any(self._evict(own, now) for own in sorted(self._open.values(), key=len, reverse=True))

    def _evict(self, own: set[BoundedProtocol], now: float) -> bool:
        oldest = min((c for c in own if c.is_waiting(now)), key=lambda c: c.waiting_since, default=None)
        if oldest is None:
            return False
        oldest.abort()
        return True

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [c for own in self._open.values() for c in own if c.is_overdue(now)]:
            connection.cut_off()
        self._offenders = {client: until for client, until in self._offenders.items() if until > now}
        self._sweeper = loop.call_later(1, self._sweep, loop) if self._total else None


class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol within `ConnectionLimits`.

    It negotiates TLS itself, so that a silent handshake counts as a connection too.
    """

    def __init__(self, open_connections: Connections, tls: ssl.SSLContext | None = None, **given: Any) -> None:
        super().__init__(**given)
        self.client_key = ""
        self.waiting_since = self.loop.time()  # without a complete request
        self._bounded = open_connections
        self._limits = open_connections.limits
        self._tls = tls
        self._negotiating: asyncio.Task[None] | None = None
        self._is_begun = self._is_lost = False
        self._is_kept_alive = False  # nothing of the next request has arrived
        self._early = b""  # data received before the protocol began
        self._discarded = 0  # bytes of the body since its request was refused
        self._unsent = 0
        self._unsent_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.max_size = self._limits.read_bytes  # type: ignore[attr-defined]  # what asyncio's socket transports read at a time
        peer = transport.get_extra_info("peername")
        delay_s = self._bounded.admit(self, str(peer[0]) if peer else "")
        if delay_s is None:
            transport.abort()
        elif delay_s:
            self.loop.call_soon(transport.pause_reading)
            self.loop.call_later(delay_s, self._begin, True)
        else:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._bounded.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._is_begun:
            self._early += data
            if len(self._early) > self._limits.header_bytes:
                self.cut_off()
            return
        if self._is_kept_alive:
            self._is_kept_alive, self.waiting_since = False, self.loop.time()
        while data and not self.transport.is_closing():
            if self._is_refused:
                self._discarded += len(data)
                if self._discarded > self._limits.discarded_bytes:
                    self.cut_off()
                    return
            size = _PIECE_BYTES if self.conn.their_state is h11.IDLE else len(data)
            piece, data = data[:size], data[size:]
            super().data_received(piece)
            if self._is_chunked:
                self._bounded.blame(self)
                self.flow.pause_reading()  # the application answers 411; thousands of tiny chunks are not parsed
                return

    def on_response_complete(self) -> None:
        self._is_kept_alive, self.waiting_since, self._discarded = True, self.loop.time(), 0
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self._bounded.blame(self)
        super().send_400_response(msg)

    def cut_off(self) -> None:
        """Close the connection because of an offence."""
        self._bounded.blame(self)
        self.abort()

    def abort(self) -> None:
        """Close the connection at once, discarding unsent data."""
        self._bounded.remove(self)
        self.transport.abort()

    def is_waiting(self, now: float) -> bool:
        """Whether a new connection may replace this one: it has no complete request, or its client does not read the answer."""
        if self._track_unsent(now):
            return now - self._unsent_since > self._limits.evict_stalled_s
        return not self._is_answering

    def is_overdue(self, now: float) -> bool:
        """Whether a deadline has passed."""
        if self._track_unsent(now):
            return now - self._unsent_since > self._limits.stalled_s
        if not self._is_begun or self._is_answering or self._is_kept_alive:
            return False  # the handshake and the kept-alive connection have timers of their own
        allowed_s = self._limits.header_s if self.conn.their_state is h11.IDLE else self._limits.request_s
        return now - self.waiting_since > allowed_s

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    @property
    def _is_refused(self) -> bool:
        """Whether the answer was sent before the whole request arrived."""
        return self.cycle is not None and self.cycle.response_complete and self.conn.their_state is h11.SEND_BODY

    @property
    def _is_chunked(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY and any(name == b"transfer-encoding" for name, _ in self.headers)

    def _track_unsent(self, now: float) -> int:
        """The bytes of the answer that the client has not read yet."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return unsent

    def _begin(self, is_paused: bool = False) -> None:
        if self._is_lost or self.transport.is_closing():
            return
        self.waiting_since = self.loop.time()
        if self._tls is not None:
            self._negotiating = self.loop.create_task(self._negotiate(self._tls))
            return
        self._speak(self.transport)
        if is_paused:
            self.transport.resume_reading()

    async def _negotiate(self, tls: ssl.SSLContext) -> None:
        try:
            secure = await self.loop.start_tls(self.transport, self, tls, server_side=True, ssl_handshake_timeout=self._limits.handshake_s)
        except (OSError, asyncio.CancelledError):  # no TLS, a time-out, a disconnected client
            secure = None
        if secure is None or self._is_lost:
            self.abort()
        else:
            self._speak(secure)

    def _speak(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._is_begun = True
        early, self._early = self._early, b""
        if early:
            self.data_received(early)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
