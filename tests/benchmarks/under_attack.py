"""Response times of pages during an attack: `python -m tests.benchmarks.under_attack --calls 20000 --in FOLDER`.

Serves a made-up warehouse (that of `tests.benchmarks.scale`, created when missing) with `callgrade serve` on this machine. A hundred
browsers, signed in, each open a page every ten seconds on average, drawn from all that their role may open, while `tests.attack` keeps
500 hostile connections busy. Measured without the attack first, then with it; browsers, attack and server share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from pipelines.core.settings import Settings
from tests.attack import harness
from tests.benchmarks import pages, report

BOUND_S = 0.3
WARM_UP_S = 5.0


@dataclass(slots=True)
class Seen:
    """What the browsers saw."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    memory_mb: float = 0.0

    def row(self, name: str) -> list[str]:
        ordered = sorted(self.seconds)
        found = (statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1])
        return [name, str(len(ordered)), *(f"{1000 * second:.0f}" for second in found), f"{self.memory_mb:.0f}"]


def main(argv: Sequence[str] | None = None) -> int:
    """Print medians without and with the attack; 1 when that with it is over the bound or a page was not answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.under_attack", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="calls of a warehouse that is made (default: %(default)s)")
    parser.add_argument("--in", dest="folder", type=Path, help="where scale.duckdb lies, or is made (default: a temporary folder)")
    parser.add_argument("--seconds", type=float, default=60, help="for each of both (default: %(default)s)")
    parser.add_argument("--browsers", type=int, default=100, help="(default: %(default)s)")
    parser.add_argument("--every", type=float, default=10, help="seconds between two pages of a browser, on average (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=500, help="hostile ones (default: %(default)s)")
    report.arguments(parser)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="callgrade-attack-") as temporary:
        settings = Settings.from_environment(warehouse=(given.folder or Path(temporary)) / "scale.duckdb")
        if not settings.snapshot.exists():
            pages.make(settings, given.calls)
        asked = pages.every_page(pages.prepare(settings))
        found: dict[str, Seen] = {}
        for name in ("no attack", f"{given.connections} hostile connections"):
            with pages.serving(settings) as (address, server):
                attack = harness.attacked(address, given.connections, 0.02) if found else nullcontext({})
                with attack as tried:
                    found[name] = asyncio.run(_browse(address, server, asked, given.browsers, given.every, given.seconds))
    table = report.markdown(
        ["", "pages", "median ms", "p95 ms", "slowest ms", "server's memory MB"], [seen.row(name) for name, seen in found.items()]
    )
    answers = "; ".join(f"{name}: {dict(seen.statuses)}" for name, seen in found.items())
    megabytes = sum(counts["bytes"] for counts in tried.values()) / 1e6
    figures = {name: {"seconds": seen.seconds, "statuses": seen.statuses, "memory_mb": seen.memory_mb} for name, seen in found.items()}
    text = f"{table}\n\nAnswers: {answers}. The attack sent {megabytes:.0f} MB."
    report.publish({"benchmark": "under_attack", "seen": figures}, text, given.json)
    seen = list(found.values())[-1]
    return int(statistics.median(seen.seconds) > BOUND_S or set(seen.statuses) - {"200", "303", "404"} != set())


async def _browse(address: str, server: int, asked: Sequence[pages.Asked], browsers: int, every_s: float, seconds: float) -> Seen:
    """A number of browsers open pages for so long; those of the first seconds are not counted."""
    seen, roles = Seen(), sorted({page.role for page in asked})
    cookies = {role: pages.signed_in(address, role).cookies for role in roles}
    begun = time.monotonic() + WARM_UP_S

    async def browse(number: int, browser: httpx2.AsyncClient) -> None:
        draw = random.Random(number)
        role = roles[number % len(roles)]
        browser.cookies = cookies[role]
        own = [page for page in asked if page.role == role]
        while time.monotonic() < begun + seconds:
            await asyncio.sleep(draw.expovariate(1 / every_s))
            page = draw.choice(own)
            started = time.monotonic()
            said = await _opened(browser, page.path(draw))
            if started >= begun:
                seen.statuses[said] += 1
                seen.seconds.append(time.monotonic() - started)
                seen.memory_mb = max(seen.memory_mb, harness.memory_mb(server))

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(httpx2.AsyncClient(base_url=address, timeout=60)) for _ in range(browsers)]
        await asyncio.gather(*(browse(number, client) for number, client in enumerate(clients)))
    return seen


async def _opened(browser: httpx2.AsyncClient, path: str) -> str:
    """The status of an answer; like a browser it asks once more when a connection that was kept alive has been closed."""
    for is_last in (False, True):
        try:
            return str((await browser.get(path)).status_code)
        except (httpx2.RemoteProtocolError, httpx2.ReadError) as error:
            if is_last:
                return type(error).__name__
        except httpx2.HTTPError as error:
            return type(error).__name__
    raise AssertionError


if __name__ == "__main__":
    sys.exit(main())
