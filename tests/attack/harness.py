"""A real server on this machine, attacked by another process, while clients with and without an account keep requesting pages."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from pipelines.app_db import accounts
from pipelines.app_db.database import open_store
from pipelines.core.settings import ROOT, Settings
from tests.attack import attacks
from tests.benchmarks.pages import serving
from tests.web.made_calls import load_and_publish, some_calls
from tests.web.people import PASSWORD, token_of

PAGES = ("/", "/centres/kyiv", "/centres/kyiv/operators", "/me", "/calls/kyiv-1")


@dataclass(slots=True)
class Report:
    """What those who do no harm saw, and what the attack cost the server."""

    seconds: list[float] = field(default_factory=list)  # of each answer
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)  # no answer at all
    memory_before_mb: float = 0.0
    memory_peak_mb: float = 0.0
    audit_rows: int = 0
    tried: dict[str, Counter[str]] = field(default_factory=dict)  # by attack

    @property
    def megabytes_tried(self) -> float:
        return sum(counts["bytes"] for counts in self.tried.values()) / 1e6

    def text(self) -> str:
        ordered = sorted(self.seconds) or [0.0]
        lines = [
            f"{len(self.seconds)} pages: median {1000 * statistics.median(ordered):.0f} ms, "
            f"95th percentile {1000 * ordered[int(0.95 * (len(ordered) - 1))]:.0f} ms, slowest {1000 * ordered[-1]:.0f} ms",
            f"answers: {dict(self.statuses)}; without an answer: {dict(self.errors)}",
            f"memory of the server: {self.memory_before_mb:.0f} MB before, at most {self.memory_peak_mb:.0f} MB; audit entries: {self.audit_rows}",
            f"{self.megabytes_tried:.0f} MB tried:",
            *(f"  {name}: {dict(counts)}" for name, counts in self.tried.items() if counts),
        ]
        return "\n".join(lines)


def make_site(folder: Path) -> Settings:
    """A site with a few calls and a manager."""
    settings = Settings.from_environment(warehouse=folder / "attacked.duckdb")
    load_and_publish(settings, some_calls())
    accounts.add(open_store(settings), "manager", "manager", PASSWORD, ["kyiv"])
    return settings


def run(settings: Settings, seconds: float, connections: int = 500, pause_s: float = 0.02, only: str = "") -> Report:
    """Attack the server of a site for so long."""
    report = Report()
    with serving(settings) as (address, server), httpx2.Client(base_url=address, timeout=30) as person:
        sign_in(person)
        for path in PAGES:
            person.get(path)  # what is made once is made before
        report.memory_before_mb = report.memory_peak_mb = memory_mb(server)
        rows = audit_rows(settings)
        with attacked(address, connections, pause_s, only) as tried:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                for path in PAGES:
                    _timed(person, path, report)
                with httpx2.Client(base_url=address, timeout=30) as stranger:
                    _timed(stranger, "/sign-in", report)
                report.memory_peak_mb = max(report.memory_peak_mb, memory_mb(server))
                time.sleep(0.05)
        report.tried = tried
        report.audit_rows = audit_rows(settings) - rows
    return report


def sign_in(person: httpx2.Client) -> None:
    fields = {"token": token_of(person.get("/sign-in").text), "name": "manager", "password": PASSWORD, "next": ""}
    answer = person.post("/sign-in", data=fields)
    assert answer.status_code == 303, answer.text


@contextmanager
def attacked(address: str, connections: int, pause_s: float, only: str = "") -> Iterator[dict[str, Counter[str]]]:
    """Another process attacks the server while the block runs; what it tried stands in the result afterwards."""
    parts, tried = urlsplit(address), {}
    given = (parts.hostname, parts.port, ",".join(sources()), connections, pause_s, only)
    command = [sys.executable, "-m", attacks.__name__, *map(str, given)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            assert child.stdout.readline() == "begun\n"
            yield tried
            child.stdin.close()
            tried.update({name: Counter(counts) for name, counts in json.loads(child.stdout.readline()).items()})
        finally:
            child.kill()


def sources() -> list[str]:
    """Addresses of this machine that the attack comes from: others than that of who does no harm, where the system has them (Linux)."""
    found = []
    for address in (f"127.0.0.{n}" for n in range(2, 7)):
        with socket.socket() as sock:
            try:
                sock.bind((address, 0))
            except OSError:
                continue
            found.append(address)
    return found or ["127.0.0.1"]


def memory_mb(process: int) -> float:
    """The memory of a process that is resident; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def audit_rows(settings: Settings) -> int:
    return int(open_store(settings).rows("select count(*) as n from audit")[0]["n"])


def _timed(person: httpx2.Client, path: str, report: Report) -> httpx2.Response | None:
    started = time.perf_counter()
    try:
        answer = person.get(path)
    except httpx2.HTTPError as error:
        report.errors[type(error).__name__] += 1
        return None
    report.seconds.append(time.perf_counter() - started)
    report.statuses[answer.status_code] += 1
    return answer
