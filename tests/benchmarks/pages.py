"""Response times of the pages of the web application: `python -m tests.benchmarks.pages --calls 200000 --in FOLDER`.

Serves a made-up warehouse (that of `tests.benchmarks.scale`, created when missing) with `callgrade serve` on this machine, signs in as
each role and asks for every page of the web application again and again, each time of another call, operator or centre, while another
process loads calls into the warehouse and publishes them. The folder grows by what is loaded. Exports are left out: they are files, not
pages.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import quote

import httpx2
from fastapi.routing import APIRoute

from models import private_files
from models.cores import let_people_go_first
from pipelines import warehouse
from pipelines.app_db import accounts
from pipelines.app_db.database import AppDatabase, open_store
from pipelines.coaching import packs
from pipelines.core.published import Published, Row, open_published
from pipelines.core.records import SPEECH_ACTS
from pipelines.core.settings import ROOT, Settings
from pipelines.queries import moments
from pipelines.queries.moment_query import MomentQuery
from pipelines.reviews import disputes as disputing
from pipelines.web.routes import ROUTES
from tests.benchmarks import report, scale
from tests.benchmarks.processes import EngineError

BOUND_S = 0.2
PASSWORD = "seven green lamps at noon"
PACK_MOMENTS, DISPUTES = 8, 40
WORDS = ("перерасчёт", "показания счётчика", "спасибо", "добрый день")  # common ones and rarer ones
NOT_PAGES = re.compile(
    r"^/care$|\.zip$|\.xlsx$|^/calls\.|\.pdf$|^/operator-scorecards/|^/scorecards/.*/(versions/|preview|activate$)|/evidence/|/static/|/sign-in|/sound/|/clips/"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to ask for."""

    calls: list[Row]
    operators: list[Row]
    centres: list[str]
    packs: list[str]
    own_packs: list[str]  # made for that operator
    disputes: list[int]
    own: Row  # the operator whose account asks
    own_calls: list[Row]


@dataclass(slots=True)
class Asked:
    """One kind of page: who asks, how its address is made, and the seconds that each answer took."""

    role: str
    name: str
    path: Callable[[random.Random], str]
    statuses: tuple[int, ...] = (200,)
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)  # of the server, in steps of 10 ms

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve, ask, print median and 95th percentile a page; 1 when a median is over the bound."""
    private_files.apply_umask()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pages", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="calls of a warehouse that is made (default: %(default)s)")
    parser.add_argument("--in", dest="folder", type=Path, help="where scale.duckdb lies, or is made (default: a temporary folder)")
    parser.add_argument("--times", type=int, default=20, help="how often each page is asked for (default: %(default)s)")
    parser.add_argument("--alone", action="store_true", help="load nothing meanwhile")
    parser.add_argument("--only", default="", help="only pages whose name holds this")
    report.arguments(parser)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="callgrade-pages-") as temporary:
        settings = Settings.from_environment(warehouse=(given.folder or Path(temporary)) / "scale.duckdb")
        if not settings.snapshot.exists():
            make(settings, given.calls)
        known = prepare(settings)
        pages = [page for page in every_page(known) if given.only in page.name]
        with loading(settings, is_on=not given.alone) as loaded:
            with serving(settings) as (address, server):
                ask(address, pages, given.times, server)
            published = loaded()
            left_out = "".join(f"\nnot asked for: {path}" for path in not_asked(every_page(known)))
            text = f"{left_out}\n{len(known.calls):,} calls to draw from; published meanwhile {published} times\n\n{table(pages)}"
            figures = [{"role": p.role, "page": p.name, "seconds": p.seconds, "cpu_s": p.cpu_s} for p in pages]
            report.publish({"benchmark": "pages", "pages": figures, "published": published}, text, given.json)
    return int(any(page.median_s > BOUND_S for page in pages))


def make(settings: Settings, calls: int) -> None:
    """Make and publish the warehouse of so many calls."""
    _in_another_process(_make, settings, calls)


def prepare(settings: Settings) -> Known:
    """What there is to ask for; makes the accounts, a pack for each centre and disputes to decide."""
    store = open_store(settings)
    with open_published(settings) as published:
        calls = published.rows(
            "select call_id, centre_id, operator_id from calls where status = 'graded' and operator_id is not null using sample 2000 (reservoir, 1)"
        )
        operators = published.rows("select distinct centre_id, operator_id from calls where operator_id is not null order by all")
        own = operators[0]
        own_calls = [c for c in calls if (c["centre_id"], c["operator_id"]) == (own["centre_id"], own["operator_id"])]
        _let_in(store, own)
        found = [_pack(store, published, centre_id) for centre_id in sorted({c["centre_id"] for c in calls})]
        own_packs = [_pack(store, published, own["centre_id"], own["operator_id"])]
        _disputes(store, published, calls[:DISPUTES])
    disputes = [row["dispute_id"] for row in store.rows("select dispute_id from disputes")]
    return Known(calls, operators, sorted({o["centre_id"] for o in operators}), found, own_packs, disputes, own, own_calls or calls[:1])


def every_page(known: Known) -> list[Asked]:
    """The pages that each role may open."""

    def of(rows: Sequence[object], path: str) -> Callable[[random.Random], str]:
        def page_address(draw: random.Random) -> str:
            row = draw.choice(rows)
            values = row if isinstance(row, dict) else {"it": row}
            return path.format(**{name: quote(str(value), safe="") for name, value in values.items()})

        return page_address

    calls, operators, centres, words, acts = known.calls, known.operators, known.centres, list(WORDS), list(SPEECH_ACTS)
    paths: dict[str, tuple[Sequence[object], str]] = {
        "overview": ([""], "/"),
        "a centre": (centres, "/centres/{it}"),
        "queue, unsure": (centres, "/centres/{it}/queue?kind=unsure"),
        "queue, critical": (centres, "/centres/{it}/queue?kind=critical"),
        "queue, sample": (centres, "/centres/{it}/queue?kind=sample"),
        "operators": (centres, "/centres/{it}/operators"),
        "operators by week": (centres, "/centres/{it}/operators?period=week"),
        "trends": (centres, "/trends/{it}"),
        "trends by month, a year ago": (centres, "/trends/{it}?period=month&against=year"),
        "calibration": (centres, "/centres/{it}/calibration"),
        "an operator": (operators, "/operators/{centre_id}/{operator_id}"),
        "a call": (calls, "/calls/{call_id}"),
        "peaks of a call whose recording is gone": (calls, "/peaks/{call_id}"),
        "form of a call": (calls, "/evaluate/{call_id}"),
        "person and machine": (calls, "/compared/{call_id}"),
        "disputes": ([""], "/disputes"),
        "a dispute": (known.disputes, "/disputes/{it}"),
        "training": ([""], "/trainer"),
        "moments by criterion": (operators, "/trainer/moments?criterion=greeting&verdict=fail&operator={operator_id}&centre={centre_id}"),
        "moments by verdict": (centres, "/trainer/moments?verdict=fail&centre={it}"),
        "moments by act": (acts, "/trainer/moments?act={it}"),
        "moments noticed": (centres, "/trainer/moments?finding=abuse&severity=insult&centre={it}"),
        "moments by words": (words, "/trainer/moments?text={it}"),
        "list of calls": ([""], "/calls"),
        "calls failing a criterion": (centres, "/calls?centre={it}&criterion=greeting&verdict=fail&sort=score"),
        "calls by words": (words, "/calls?text={it}"),
        "new reasons": ([""], "/new-reasons"),
        "new reasons of a centre": (centres, "/new-reasons/{it}"),
        "tokens": ([""], "/api-tokens"),
        "a pack": (known.packs, "/trainer/packs/{it}"),
        "care": (centres, "/care/{it}"),
        "evidence, refused: nobody was threatened": (calls, "/care/threats/{call_id}"),
        "scorecards": ([""], "/scorecards"),
        "a scorecard": (centres, "/scorecards/{it}"),
        "draft of a scorecard": (centres, "/scorecards/{it}/edit"),
        "form of a criterion": (centres, "/scorecards/{it}/edit/criteria/greeting"),
        "form of a new criterion": (centres, "/scorecards/{it}/edit/new-criterion"),
        "form of a topic": (centres, "/scorecards/{it}/edit/topics/complaint"),
        "form of a new topic": (centres, "/scorecards/{it}/edit/new-topic"),
        "undo of a version": (centres, "/scorecards/{it}/undo"),
        "days to regrade": (centres, "/scorecards/{it}/regrade"),
        "own settings": ([""], "/me"),
        "audit": ([""], "/audit"),
        "accounts": ([""], "/accounts"),
        "an account": ([1], "/accounts/{it}"),
    }
    may = {
        "administrator": tuple(paths),
        "manager": tuple(name for name in paths if name not in ("accounts", "an account")),
        "trainer": ("overview", "a centre", "operators", "an operator", "a call", "a scorecard", "training", "moments by criterion", "moments by act", "moments by words", "a pack"),
        "analyst": ("overview", "a centre", "operators", "operators by week", "calibration", "an operator", "a call", "a scorecard"),
    }  # fmt: skip
    pages = [Asked(role, name, of(*paths[name]), (404,) if "refused" in name else (200,)) for role, names in may.items() for name in names]
    own = known.own
    pages += [
        Asked("operator", "own page", of([own], "/operators/{centre_id}/{operator_id}")),
        Asked("operator", "own call", of(known.own_calls, "/calls/{call_id}")),
        Asked("operator", "own scorecard", of([own], "/scorecards/{centre_id}")),
        Asked("operator", "own disputes", of([""], "/my-disputes")),
        Asked("operator", "form of a dispute, or that the time is over", of(known.own_calls, "/dispute/greeting/{call_id}"), (200, 404)),
        Asked("operator", "packs made for one", of([""], "/my-packs")),
        Asked("operator", "a pack made for one", of(known.own_packs, "/my-packs/{it}")),
        Asked("operator", "own settings", of([""], "/me")),
    ]
    return pages


def ask(address: str, pages: Sequence[Asked], times: int, server: int) -> None:
    """Ask for all pages in turn, so many times, and keep how long each answer took, also of the server's processor time.

    A first round is not counted: sums over all calls are worked out in it. What is no page of its kind raises EngineError.
    """
    people = {role: signed_in(address, role) for role in {page.role for page in pages}}
    draw = random.Random(1)
    for number in range(times + 1):
        for page in pages:
            path = page.path(draw)
            started, started_cpu = time.perf_counter(), _cpu_s(server)
            answer = people[page.role].get(path)
            if number:
                page.seconds.append(time.perf_counter() - started)
                page.cpu_s.append(_cpu_s(server) - started_cpu)
            if answer.status_code not in page.statuses:
                raise EngineError(f"{page.role}: {path} was answered {answer.status_code}")
        if number:
            slowest = max(pages, key=lambda page: page.seconds[-1])
            print(f"round {number}: slowest {slowest.role} {slowest.name} {slowest.seconds[-1]:.2f} s", file=sys.stderr, flush=True)
    for person in people.values():
        person.close()


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[str, int]]:
    """The address at which `callgrade serve` answers, in a process of its own, and that process."""
    command = [sys.executable, "-m", "pipelines", "serve", "--warehouse", str(settings.warehouse), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        found = re.search(r"http://\S+?(?=/ )", said)
        try:
            if found is None:
                raise EngineError(f"The server did not start: {said!r}")
            _wait_for(found[0])
            yield found[0], server.pid
        finally:
            server.terminate()


@contextmanager
def loading(settings: Settings, *, is_on: bool) -> Iterator[Callable[[], int]]:
    """Calls are loaded, published and staged by another process while the block runs; what is given tells how often they were published so far.

    The first day is staged before: making it up takes longer than loading it.
    """
    context = multiprocessing.get_context("spawn")
    stop, is_staged, count = context.Event(), context.Event(), context.Value("i", 0)
    child = context.Process(target=_load, args=(settings, stop, is_staged, count), daemon=False)
    if is_on:
        child.start()
        while child.is_alive() and not is_staged.wait(1):
            pass
    try:
        yield lambda: int(count.value)
    finally:
        stop.set()
        if is_on:
            child.join()


def table(pages: Sequence[Asked]) -> str:
    """One row a page: median and 95th percentile for each who asks, and the server's mean processor time."""

    def figures(seconds: Sequence[float], cpu_s: Sequence[float]) -> list[str]:
        ordered = sorted(seconds)
        found = (statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], ordered[-1], statistics.fmean(cpu_s))
        return [f"{1000 * second:.0f}" for second in found]

    rows = [[page.name, page.role, *figures(page.seconds, page.cpu_s)] for page in sorted(pages, key=lambda page: -page.median_s)]
    every = figures([s for page in pages for s in page.seconds], [s for page in pages for s in page.cpu_s])
    return report.markdown(["page", "asked by", "median ms", "p95 ms", "slowest ms", "server's CPU ms"], [*rows, ["all", "", *every]])


def not_asked(pages: Sequence[Asked]) -> list[str]:
    """The routes of pages that no request here covers."""
    draw = random.Random(1)
    asked = [page.path(draw).partition("?")[0] for page in pages]
    routes = [route for module in ROUTES for route in module.router.routes if isinstance(route, APIRoute) and "GET" in route.methods]
    return [route.path for route in routes if not NOT_PAGES.search(route.path) and not any(route.path_regex.match(path) for path in asked)]


def _make(settings: Settings, calls: int) -> None:
    scale.build(settings, calls)
    warehouse.publish(settings)


def _load(settings: Settings, stop: Event, is_staged: Event, count: object) -> None:
    let_people_go_first()  # as `callgrade grade` and the tasks of the Dags do
    first = 20_000_000 + random.Random(time.time_ns()).randrange(1000) * scale.PER_DAY  # numbers that no call in it has
    for day in range(1000):
        batch = scale.stage(settings, first + day * scale.PER_DAY, scale.PER_DAY)
        is_staged.set()
        if stop.is_set():
            return
        warehouse.load(batch, settings)
        warehouse.publish(settings)
        count.value += 1  # type: ignore[attr-defined]  # a number that processes share
        if stop.is_set():
            return


def _in_another_process(work: Callable[..., object], *given: object) -> None:
    child = multiprocessing.get_context("spawn").Process(target=work, args=given)
    child.start()
    child.join()
    if child.exitcode:
        raise EngineError("The warehouse could not be made; what went wrong stands above.")


def _let_in(store: AppDatabase, own: Row) -> None:
    for role in accounts.ROLES:
        name = f"pages.{role}"
        there = [a for a in accounts.everybody(store) if a.name == name]
        if there:
            accounts.set_password(store, there[0], PASSWORD)
        elif role == "operator":
            accounts.add(store, name, role, PASSWORD, [own["centre_id"]], own["operator_id"])
        else:
            accounts.add(store, name, role, PASSWORD, [accounts.EVERY_CENTRE])


def _pack(store: AppDatabase, published: Published, centre_id: str, operator_id: str | None = None) -> str:
    account = accounts.named(store, "pages.trainer")
    found = moments.search(published, MomentQuery((centre_id,), verdict="pass"))[:PACK_MOMENTS]
    until = date.today() + timedelta(days=packs.DAYS_KEPT)
    pack_id = packs.make(store, account, centre_id, "A pack", until, operator_id=operator_id)
    pack = packs.find(store, account, pack_id)
    assert pack is not None
    packs.add(store, pack, found)
    return pack_id


def _disputes(store: AppDatabase, published: Published, calls: Sequence[Row]) -> None:
    account = accounts.named(store, "pages.operator")
    for call in calls:
        points = published.rows("select * from criterion_results where call_id = ? and verdict = 'fail'", call["call_id"])
        for point in points[:1]:
            try:
                disputing.open_dispute(store, account, call, {"may_open": True, "point": point}, "This is not what was said.", None)
            except disputing.NotDisputableError:
                continue  # of an earlier time


def signed_in(address: str, role: str) -> httpx2.Client:
    """The browser of the account of a role."""
    person = httpx2.Client(base_url=address, timeout=600, headers={"accept-language": "en"})
    page = person.get("/sign-in")
    token = re.search(r'name="token" value="(\w+)"', page.text)
    assert token is not None
    answer = person.post("/sign-in", data={"token": token[1], "name": f"pages.{role}", "password": PASSWORD, "next": "/me"})
    if answer.status_code != 303:
        raise EngineError(f"{role} could not sign in: {answer.status_code}")
    return person


def _cpu_s(process: int) -> float:
    """The processor time of a process until now; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_for(address: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            httpx2.get(f"{address}/sign-in", timeout=5)
            return
        except httpx2.TransportError:
            time.sleep(0.2)
    raise EngineError("The server did not answer within two minutes.")


if __name__ == "__main__":
    sys.exit(main())
