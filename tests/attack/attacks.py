"""Attacks on the server by a client without an account, each on one connection after another.

To add one, write a coroutine that takes a `Target` and runs until the server or a time-out ends it, and name it in `ATTACKS` with the
number of connections it gets of a hundred.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.attack.padded_names import spellings

BLOCK = 64 * 1024
HOLD_S = 600.0


@dataclass(slots=True)
class Line:
    """The line of the attacker, with so many bytes a second: loopback has none, and would measure the machine's memory."""

    bytes_per_s: float = 1e8
    free_at: float = 0.0

    async def wait(self, size: int) -> None:
        now = time.monotonic()
        self.free_at = max(self.free_at, now) + size / self.bytes_per_s
        if self.free_at - now > 0.01:
            await asyncio.sleep(self.free_at - now)


@dataclass(slots=True)
class Target:
    """The server under attack, where the attack comes from, and what became of it."""

    host: str
    port: int
    source: str
    line: Line
    counts: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(self.host, self.port, local_addr=(self.source, 0))
        self.counts["connections"] += 1
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self.line.wait(len(data))
        writer.write(data)
        await writer.drain()
        self.counts["bytes"] += len(data)

    def head(self, line: str, *more: str) -> bytes:
        return "\r\n".join([f"{line} HTTP/1.1", f"Host: {self.host}:{self.port}", *more, "", ""]).encode()


async def idle(target: Target) -> None:
    """Say nothing."""
    async with target.connection() as (reader, _):
        await reader.read()


async def slow_header(target: Target) -> None:
    """Send a header that never ends, a line now and then."""
    async with target.connection() as (_, writer):
        await target.send(writer, target.head("GET /sign-in")[:-2])
        while True:
            await asyncio.sleep(0.5)
            await target.send(writer, b"X-A: b\r\n")


async def header_flood(target: Target) -> None:
    """Send a header that never ends as fast as the server takes it."""
    async with target.connection() as (_, writer):
        await target.send(writer, target.head("GET /sign-in")[:-2])
        while True:
            await target.send(writer, b"X-A: " + b"b" * BLOCK + b"\r\n")


async def many_headers(target: Target) -> None:
    """Send a complete header of thousands of lines at once."""
    async with target.connection() as (reader, writer):
        await target.send(writer, target.head("GET /sign-in", *["X: y"] * 30_000))
        await reader.read()


async def huge_body(target: Target) -> None:
    """Announce and send a body of a gigabyte."""
    async with target.connection() as (_, writer):
        await target.send(writer, target.head("POST /sign-in", "Content-Length: 1000000000"))
        while True:
            await target.send(writer, b"x" * BLOCK)


async def tiny_chunks(target: Target) -> None:
    """Send a body in chunks of one byte."""
    async with target.connection() as (_, writer):
        await target.send(writer, target.head("POST /sign-in", "Transfer-Encoding: chunked"))
        while True:
            await target.send(writer, b"1\r\nx\r\n" * 10_000)


async def slow_body(target: Target) -> None:
    """Send a form a byte at a time."""
    async with target.connection() as (_, writer):
        await target.send(writer, target.head("POST /sign-in", "Content-Length: 60000", "Content-Type: application/x-www-form-urlencoded"))
        while True:
            await asyncio.sleep(0.5)
            await target.send(writer, b"a")


async def garbage(target: Target) -> None:
    """Send what is no HTTP, over and over."""
    async with target.connection() as (reader, writer):
        await target.send(writer, random.randbytes(BLOCK))
        await reader.read()


async def pipelined(target: Target) -> None:
    """Send thousands of requests without reading an answer, then garbage."""
    async with target.connection() as (_, writer):
        await target.send(writer, target.head("GET /sign-in") * 1000)
        while True:
            await target.send(writer, random.randbytes(BLOCK))


async def not_found(target: Target) -> None:
    """Ask for pages that do not exist, as fast as the answers come."""
    async with target.connection() as (reader, writer):
        while True:
            await target.send(writer, target.head(f"GET /no-such-page-{random.random()}"))
            if not await reader.read(BLOCK):
                return


async def foreign_host(target: Target) -> None:
    """Ask for another host, a connection for each request."""
    async with target.connection() as (reader, writer):
        await target.send(writer, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        await reader.read()


async def padded_names(target: Target) -> None:
    """Guess at one account under many spellings of its name, with the token and cookie of a sign-in page."""
    async with target.connection() as (reader, writer):
        await target.send(writer, target.head("GET /sign-in"))
        page = (await reader.readuntil(b"</html>")).decode()
        token, cookie = re.search(r'name="token" value="(\w+)"', page), re.search(r"set-cookie: ([^;]+)", page, re.IGNORECASE)
        for name in spellings("manager"):
            body = urlencode({"name": name, "password": "a guess", "token": token[1] if token else ""}).encode()
            form = (
                "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {len(body)}",
                f"Cookie: {cookie[1] if cookie else ''}",
            )
            await target.send(writer, target.head("POST /sign-in", *form) + body)
            if not await reader.read(BLOCK):
                return


async def no_reading(target: Target) -> None:
    """Ask for pages and never read them."""
    async with target.connection() as (_, writer):
        while True:
            await target.send(writer, target.head("GET /sign-in"))
            await asyncio.sleep(0.2)


Attack = Callable[[Target], Awaitable[None]]
ATTACKS: dict[Attack, int] = {
    idle: 40, slow_header: 12, header_flood: 8, many_headers: 4, huge_body: 8, tiny_chunks: 4, slow_body: 8, garbage: 4, pipelined: 4, not_found: 4,
    foreign_host: 2, no_reading: 2, padded_names: 2,
}  # fmt: skip


def shared_out(connections: int, only: str = "") -> list[Attack]:
    """Which attack each of so many connections makes; the first one makes up for what cannot be divided."""
    chosen = {attack: share for attack, share in ATTACKS.items() if not only or attack.__name__ == only}
    total = sum(chosen.values())
    made = [attack for attack, share in reversed(chosen.items()) for _ in range(max(1, connections * share // total))]
    return (made + [next(iter(chosen))] * connections)[:connections]


async def attack(
    host: str, port: int, sources: list[str], connections: int, pause_s: float, until: Callable[[], bool], only: str = ""
) -> dict[str, Counter[str]]:
    """Keep so many hostile connections busy until told to stop; what was tried, by attack."""
    line = Line()
    targets = {made: [Target(host, port, source, line) for source in sources] for made in ATTACKS}

    async def again(made: Attack, target: Target) -> None:
        while not until():
            try:
                async with asyncio.timeout(HOLD_S):
                    await made(target)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                target.counts["cut off"] += 1
            await asyncio.sleep(pause_s)

    pending = {asyncio.create_task(again(made, targets[made][n % len(sources)])) for n, made in enumerate(shared_out(connections, only))}
    while not until():
        await asyncio.sleep(0.1)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1)
    return {made.__name__: sum((target.counts for target in of), Counter()) for made, of in targets.items()}


async def _main(host: str, port: str, sources: str, connections: str, pause_s: str, only: str) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stopped.set)  # closed by the caller to stop
    tried = asyncio.create_task(attack(host, int(port), sources.split(","), int(connections), float(pause_s), stopped.is_set, only))
    await asyncio.sleep(1)
    print("begun", flush=True)
    print(json.dumps(await tried), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
