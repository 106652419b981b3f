"""Runs the web application of a site (`callgrade serve`)."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pipelines.app_db import accounts
from pipelines.app_db.database import open_store
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings
from pipelines.web.log_limit import RepeatFilter

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from pipelines.web.connections import ConnectionLimits

log = logging.getLogger("callgrade")

HOST, PORT = "127.0.0.1", 8750
_BACKLOG = 512  # connections that the system queues
_FILES, _OTHER_FILES = 4096, 200  # the requested limit of open files, and those that are not connections
_TURN_S = 0.0005  # thread switch interval: precomputing threads yield quickly to requests; Python's default of 5 ms is noticeable


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """The address the server listens on, and the one that browsers use."""

    host: str = HOST
    port: int = PORT
    public_url: str | None = None  # behind a proxy on this machine that speaks https
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_https(self) -> bool:
        return self.certificate is not None or (self.public_url or "").startswith("https://")

    @property
    def url(self) -> str:
        return self.public_url or f"{'https' if self.certificate else 'http'}://{self.host}:{self.port}"

    def hosts(self) -> set[str]:
        """The accepted values of the Host header."""
        named = {f"{name}:{self.port}" for name in (self.host, *(("localhost", HOST) if _is_loopback(self.host) else ()))}
        public = urlsplit(self.public_url or "").netloc
        return named | ({public} if public else set())


def serve(settings: Settings, listening: ListenAddress) -> int:
    """Serve until Ctrl-C; return the exit status 0.

    Raises MisconfiguredError when nothing is published, the port is taken, or passwords would be sent in clear text.
    """
    from pipelines.web.app import make_app

    sys.setswitchinterval(_TURN_S)
    sock = bind(settings, listening)
    with sock:
        listening = replace(listening, port=int(sock.getsockname()[1]))
        server = make_server(make_app(settings, listening.hosts(), is_https=listening.is_https), listening)
        sock.listen(_BACKLOG)  # a client may connect as soon as the line below is printed: the system queues it until the server runs
        print(f"Callgrade at {listening.url}/  (Ctrl-C stops)", flush=True)
        if not accounts.everybody(open_store(settings)):
            print("Nobody can sign in yet: `callgrade accounts add NAME --role administrator` creates the first account.", flush=True)
        for name in ("callgrade", "uvicorn.error"):
            logging.getLogger(name).addFilter(RepeatFilter())
        try:
            server.run(sockets=[sock])
        except KeyboardInterrupt:
            log.info("stopped")
    return 0


def make_server(app: ASGIApp, listening: ListenAddress, limits: ConnectionLimits | None = None) -> uvicorn.Server:
    """A server with bounded connections (see `connections`), for a listening socket."""
    import uvicorn

    from pipelines.web.connections import BoundedProtocol, ConnectionLimits, Connections

    limits = limits or ConnectionLimits()
    limits = replace(limits, total=max(min(limits.total, _raised_file_limit() - _OTHER_FILES), 10))
    tls = None
    if listening.certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(listening.certificate, listening.key)
    connections = Connections(limits, is_proxied=listening.public_url is not None)
    protocol = partial(BoundedProtocol, connections, tls)
    config = uvicorn.Config(
        cast(Any, app), log_level="warning", access_log=False, server_header=False, loop="asyncio", http=cast(type[asyncio.Protocol], protocol), ws="none",
        h11_max_incomplete_event_size=limits.header_bytes, proxy_headers=listening.public_url is not None, forwarded_allow_ips=[HOST, "::1"],
        timeout_keep_alive=15, timeout_graceful_shutdown=5, backlog=_BACKLOG,
    )  # fmt: skip
    return uvicorn.Server(config)


def bind(settings: Settings, listening: ListenAddress) -> socket.socket:
    """The socket to listen on. Raises MisconfiguredError as `serve` does."""
    if not settings.snapshot.exists():
        raise MisconfiguredError(
            f"Nothing is published yet: {settings.snapshot} is missing. Run `callgrade grade FOLDER --warehouse FILE` first."
        )
    if (listening.certificate is None) != (listening.key is None):
        raise MisconfiguredError("--certificate and --key belong together: give both, or neither.")
    for file in (listening.certificate, listening.key):
        if file is not None and not file.is_file():
            raise MisconfiguredError(f"{file} is not a file; --certificate and --key name PEM files.")
    if listening.public_url is not None:
        _check_public_url(listening.public_url)
    if not _is_loopback(listening.host) and listening.certificate is None:
        raise MisconfiguredError(
            f"On {listening.host} passwords would be sent in clear text. Give --certificate and --key, or leave --host and use an https proxy (--public-url)."
        )
    sock = socket.socket(socket.AF_INET6 if ":" in listening.host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((listening.host, listening.port))
    except OSError as error:
        sock.close()
        raise MisconfiguredError(
            f"Port {listening.port} of {listening.host} cannot be used ({error.strerror}). Choose another with --port."
        ) from error
    return sock


def _check_public_url(url: str) -> None:
    """Raise MisconfiguredError unless browsers use https to that address, or do not leave this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:  # brackets without a valid address
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host:
        raise MisconfiguredError(f"--public-url is {url!r}; it must begin with https:// and name the host that browsers use.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise MisconfiguredError(
            f"--public-url is {url!r}: passwords and recordings would be sent in clear text. Let the proxy use https and begin the address with https://."
        )


def _raised_file_limit() -> int:
    """The limit of open files and connections of this process, after requesting `_FILES` from the system."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return _FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        soft = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _FILES if soft == resource.RLIM_INFINITY else soft


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
