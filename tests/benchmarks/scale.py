"""The warehouse with millions of calls: `python -m tests.benchmarks.scale --calls 200000 --in FOLDER`.

Generates a warehouse of so many calls (rows, no sound; the folder is reused when it has them), loads a day on top of it, publishes, and
runs the queries of docs/warehouse.md. Each part runs in a separate process, whose processor time and memory are reported.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from models import private_files
from pipelines import warehouse
from pipelines.centres.profile import SHARED_CRITERIA, load_centre
from pipelines.centres.vocabulary import TOPICS
from pipelines.core.profile_files import centre_ids
from pipelines.core.records import SPEECH_ACTS
from pipelines.core.settings import ROOT, Settings
from pipelines.core.staging import Batch
from pipelines.core.yaml_lines import entries, read_yaml
from pipelines.warehouse import history, loading, marts
from pipelines.warehouse.file import connect, migrate
from pipelines.warehouse.publishing import all_is_published
from tests.benchmarks import report

PER_DAY = 8000  # calls of five centres together
FIRST_DAY = date(2024, 1, 1)  # as in made_calls.sql
SMALL = 20  # calls of a batch as a run of every quarter of an hour has them
WARM = 5  # times that each query is asked after the first
KINDS = ("calls", *(kind for kind in loading.KINDS if kind != "dropped"))  # generated calls have no dropped speech
# Kinds that generated calls do not have, with the columns that loading reads.
NOT_MADE = {
    "answers": """call_id varchar, criterion_id varchar, answer varchar, problem varchar, is_final boolean, model varchar, prompt_version varchar,
        question_version varchar, prompt_tokens bigint, completion_tokens bigint, seconds double, requests bigint""",
    "summaries": "call_id varchar, sentence_no bigint, text varchar, turn_no bigint, quote varchar, start_s double, end_s double",
}
_SYLLABLES = [c + v for c in "бвгдзклмнпрст" for v in "аеио"]
_SAID_OFTEN = ["добрый", "день", "здравствуйте", "спасибо"]
# Words and phrases of the business, by their place among the 4,000 words from the most to the least frequent: the 60th is said in one call of four, the
# 600th in one of twenty.
_SAID = {
    "счёт": 60,
    "показания": 70,
    "счета": 90,
    "оплата": 120,
    "тариф": 300,
    "отопление": 400,
    "личный кабинет": 500,
    "перерасчёт": 600,
    "перерасчёта": 700,
}


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of the benchmark took."""

    name: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    file_mb: float


def main(argv: Sequence[str] | None = None) -> int:
    """Build, load, publish, ask; print what each took."""
    private_files.apply_umask()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="calls in the warehouse before the day (default: %(default)s)")
    parser.add_argument("--in", dest="folder", type=Path, help="where the warehouse lies, or is made (default: a temporary folder)")
    parser.add_argument("--days", type=int, default=2, help="days loaded on top, one after the other (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of DuckDB (default: %(default)s)")
    report.arguments(parser)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="callgrade-scale-") as temporary:
        folder = given.folder or Path(temporary)
        settings = Settings.from_environment(warehouse=folder / "scale.duckdb")
        parts, times = measure(settings, given.calls, given.days, given.threads)
    result = {"benchmark": "scale", "calls": given.calls, "threads": given.threads, "parts": [asdict(p) for p in parts], "queries": times}
    report.publish(result, f"{given.calls:,} calls, {given.threads} threads\n\n{table(parts)}\n\n{queries_table(times)}", given.json)
    return 0


def measure(settings: Settings, calls: int, days: int, threads: int) -> tuple[list[Part], dict[str, list[float]]]:
    """What each part took, and the seconds of each query: the first time and warm."""
    parts = []

    def part(name: str, work: Callable[[], object]) -> None:
        parts.append(apart(name, settings, threads, work))
        print(parts[-1], file=sys.stderr, flush=True)

    if not settings.warehouse.exists():
        part("made up", lambda: build(settings, calls))
        part("copied for readers", lambda: warehouse.publish(settings))
    staged = [int(folder.name.removeprefix("made-")) + PER_DAY for folder in settings.stage.glob("made-*")]
    first = max([-(-calls // PER_DAY) * PER_DAY, *staged])  # the day after the last
    for day in range(days):
        batch = stage(settings, first + day * PER_DAY, PER_DAY)
        part("a day of 8,000 calls loaded", lambda batch=batch: warehouse.load(batch, settings))  # type: ignore[misc]
        part("published", lambda: warehouse.publish(settings))
    small = stage(settings, first + days * PER_DAY, SMALL)
    part("20 calls loaded", lambda: warehouse.load(small, settings))
    part("published, 20 calls", lambda: warehouse.publish(settings))
    part("published again, nothing new", lambda: warehouse.publish(settings))
    times: dict[str, list[float]] = {}
    with tempfile.NamedTemporaryFile("r", suffix=".txt") as said:
        part("queries of the documentation", lambda: ask(settings, Path(said.name)))
        for line in said:
            name, *seconds = line.split("\t")
            times[name] = [float(s) for s in seconds]
    return parts, times


def apart(name: str, settings: Settings, threads: int, work: Callable[[], object]) -> Part:
    """Do a piece of work in a child process and tell what it took. The caller must not have opened DuckDB."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _limit_threads(threads)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, ended, usage = os.wait4(child, 0)
    if ended:
        raise SystemExit(f"{name}: ended with status {os.waitstatus_to_exitcode(ended)}")
    size = settings.warehouse.stat().st_size / 1e6 if settings.warehouse.exists() else 0.0
    return Part(name, time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, size)


def _limit_threads(threads: int) -> None:
    opened = duckdb.connect

    def connect_with(*given: object, **named: object) -> duckdb.DuckDBPyConnection:
        connection = opened(*given, **named)  # type: ignore[arg-type]
        connection.execute(f"set threads = {threads}")
        return connection

    duckdb.connect = connect_with  # type: ignore[assignment]


def build(settings: Settings, calls: int) -> None:
    """Fill an empty warehouse with the history that loading and publishing made-up calls day by day would leave; everything in it is published.

    Only what is said on the first day is made up word by word. Calls of later days repeat the words, lengths and turns of one of its calls, in
    the same order, so that nothing has to be sorted; all else is their own.
    """
    db = connect(settings.warehouse)
    migrate(db)
    _prepare(db)
    for centre_id in centre_ids():
        db.execute("insert into core.centres by name select ? as centre_id, ? as name, ? as timezone",
                   [centre_id, load_centre(centre_id).name, str(load_centre(centre_id).timezone)])  # fmt: skip
    _make(db, 0, min(PER_DAY, calls))
    _insert(db, loading.TABLES)
    _made_by_publishing(db)
    db.execute(_REPEATED)
    without_turns = {table: sql for table, sql in loading.TABLES.items() if table != "turns"}
    for first, last in _months(min(PER_DAY, calls), calls):
        _make(db, first, last, repeats=True)
        _insert(db, without_turns)
        _made_by_publishing(db)
        for day in range(first, last, PER_DAY):
            _say_again(db, day, min(day + PER_DAY, last))
        print(f"{last:,} of {calls:,} calls made up", file=sys.stderr, flush=True)
    db.close()


def _months(first: int, calls: int) -> Iterator[tuple[int, int]]:
    """The numbers of the calls, cut where months begin: what is made by month is made once."""
    for day in range(1, calls // PER_DAY + 2):
        last = min(day * PER_DAY, calls)
        if last > first and (last == calls or (FIRST_DAY + timedelta(days=day)).day == 1):
            yield first, last
            first = last


def _insert(db: duckdb.DuckDBPyConnection, tables: dict[str, str]) -> None:
    db.execute("begin")
    for table, sql in tables.items():
        given = history.JUDGED_AT.get(table)
        moment = f", timestamptz '2024-01-01 00:00:00+00' as {given}" if given else ""
        numbered = f"select r.*, m.n + 1 as call_no from ({sql}) as r join made as m using (call_id)"
        by_turn = f"{numbered} order by m.n, r.turn_no"
        rows = {"turns": by_turn, "speech_acts": by_turn, "verdicts": numbered}.get(table, sql)
        db.execute(f"insert into core.{table} by name select *{moment} from ({rows})")
    db.execute(
        """insert into core.calls by name
           select c.*, coalesce(p.status, 'graded') as status, p.step as status_step, p.reason as status_reason, 'redacted' as text_kept,
               md5(c.call_id) as content_md5, timestamptz '2024-01-01 00:00:00+00' as loaded_at, m.n + 1 as call_no
           from staged_calls as c
           join made as m using (call_id)
           left join (select call_id, status, step, reason from staged_rejected) as p using (call_id)
           order by m.n"""
    )
    db.execute(_JUDGED_BEFORE)
    db.execute("insert into core.received select call_id, recording_sha256 from staged_calls")
    db.execute("insert into core.unpublished select call_id from staged_calls")
    db.execute("commit")


# One call of four was judged by other rules before: the evaluation and one verdict of twelve were others.
_JUDGED_BEFORE = """
insert into core.past_evaluations by name
select *, 'machine' as judge, timestamptz '2023-12-01 00:00:00+00' as evaluated_at, timestamptz '2024-01-01 00:00:00+00' as replaced_at,
    'speech-1' as speech_model, 'rules-0' as scored_by
from staged_evaluations where hash(call_id) % 4 = 0;
insert into core.past_verdicts by name
select * replace (if(verdict = 'pass', 'fail', 'pass') as verdict), 'machine' as judge, timestamptz '2023-12-01 00:00:00+00' as judged_at,
    timestamptz '2024-01-01 00:00:00+00' as replaced_at, verdict as replaced_by
from staged_verdicts
where hash(call_id) % 4 = 0 and hash(call_id, criterion_id) % 12 = 0;
"""


def _made_by_publishing(db: duckdb.DuckDBPyConnection) -> None:
    db.execute("begin")
    marts.refresh(db)
    db.execute("commit")
    all_is_published(db)


_REPEATED = """
create temp table first_day as
select n as like_n, call_id from made where status = 'graded' order by n;
set variable repeated = (select list(like_n order by like_n) from first_day);
create temp table turns_again as
select f.like_n, t.* exclude (call_id, call_no) from first_day as f join core.turns as t using (call_id) order by f.like_n, t.turn_no;
create temp table said_again as
select s.lemma, f.like_n, s.turn_nos from lemmas as s join first_day as f using (call_id) order by s.lemma, f.like_n;
"""


def _say_again(db: duckdb.DuckDBPyConnection, first: int, last: int) -> None:
    """The turns and the search for words of one day, in the order in which loading and publishing write them."""
    db.execute(
        f"""create or replace temp table speaking as
            select call_id, n + 1 as call_no, like_n from made where status = 'graded' and n >= {first} and n < {last} order by n"""
    )
    db.execute("begin")
    db.execute(
        """insert into core.turns by name
           select s.call_id, s.call_no, a.* exclude (like_n) from turns_again as a join speaking as s using (like_n)"""
    )
    db.execute(
        """insert into intermediate.lemma_index by name
            select a.lemma, call_block(s.call_no) as block, list({'call_no': s.call_no, 'turn_nos': a.turn_nos} order by s.call_no) as calls
            from said_again as a join speaking as s using (like_n)
            group by a.lemma, block order by a.lemma, block"""
    )
    db.execute("commit")


def stage(settings: Settings, first: int, calls: int) -> Batch:
    """A staged batch of made-up calls, as their judges would leave it; written by another process."""
    batch = Batch(settings.stage / f"made-{first}")
    shutil.rmtree(batch.folder, ignore_errors=True)

    def write() -> None:
        (batch.folder / "put_aside").mkdir(parents=True)
        db = duckdb.connect()
        db.execute("set timezone = 'UTC'")
        _prepare(db)
        _make(db, first, first + calls)
        for kind, path in [("rejected", batch.folder / "put_aside" / "audio.parquet"), *((kind, batch.path(kind)) for kind in KINDS)]:
            db.execute(f"copy (from staged_{kind}) to '{path}' (format parquet, compression zstd)")
        db.close()

    apart("staged", settings, 1, write)
    return batch


def _prepare(db: duckdb.DuckDBPyConnection) -> None:
    draw = random.Random(1)
    words = _SAID_OFTEN + ["".join(draw.choices(_SYLLABLES, k=draw.randint(1, 5))) for _ in range(4000)]
    for said, place in _SAID.items():
        words.insert(place, said)
    centres = [{"id": i, "language": load_centre(i).languages[0], "timezone": str(load_centre(i).timezone)} for i in centre_ids()]
    criteria = sorted(entries(read_yaml(SHARED_CRITERIA)))[:15]
    for name, value in (
        ("per_day", PER_DAY),
        ("vocabulary", words),
        ("centres", centres),
        ("topics", list(TOPICS[:12])),
        ("criteria", criteria),
        ("acts", list(SPEECH_ACTS)),
    ):
        db.execute(f"set variable {name} = ?", [value])


def _make(db: duckdb.DuckDBPyConnection, first: int, last: int, *, repeats: bool = False) -> None:
    """The temporary tables of made_calls.sql; with turns of their own unless they are to repeat those of the first day."""
    like = (
        "getvariable('repeated')[1 + (n % getvariable('per_day')) * len(getvariable('repeated')) // getvariable('per_day')]"
        if repeats
        else "n"
    )
    folder = Path(__file__).parent
    db.execute((folder / "made_calls.sql").read_text(encoding="utf-8").format(first=first, last=last, per_day=PER_DAY, like=like))
    if not repeats:
        db.execute((folder / "made_turns.sql").read_text(encoding="utf-8"))
    db.execute("create or replace temp table staged_dropped as from staged_findings limit 0")
    for kind, columns in NOT_MADE.items():  # nobody was asked
        db.execute(f"create or replace temp table staged_{kind} ({columns})")


def documented() -> dict[str, str]:
    """The example queries of docs/warehouse.md, each under the sentence before it."""
    text = (ROOT / "docs" / "warehouse.md").read_text(encoding="utf-8")
    return {about.strip().splitlines()[-1]: query for about, query in re.findall(r"([^\n]+)\n\n```sql\n(.*?)```", text, re.S)}


def ask(settings: Settings, said: Path) -> None:
    """Ask every documented query of the published copy, once cold and then warm, and write down the seconds."""
    with duckdb.connect(str(settings.snapshot), read_only=True) as db, said.open("w", encoding="utf-8") as out:
        db.execute("set timezone = 'UTC'")
        for name, query in documented().items():
            seconds = []
            for _ in range(WARM + 1):
                started = time.monotonic()
                db.execute(query).fetchall()
                seconds.append(time.monotonic() - started)
            print(name, *seconds, sep="\t", file=out)
            print(f"{seconds[0]:7.2f} {sorted(seconds[1:])[WARM // 2]:7.3f}  {name}", file=sys.stderr, flush=True)


def table(parts: Sequence[Part]) -> str:
    """One row a part."""
    head = ["", "wall s", "CPU s", "peak MB", "file MB afterwards"]
    return report.markdown(head, [[p.name, f"{p.wall_s:.1f}", f"{p.cpu_s:.1f}", f"{p.peak_mb:.0f}", f"{p.file_mb:.0f}"] for p in parts])


def queries_table(times: dict[str, list[float]]) -> str:
    """One row a query, and all of them together."""
    rows = [[name, f"{s[0]:.2f}", f"{_quantile(s[1:], 0.5):.3f}", f"{_quantile(s[1:], 0.95):.3f}"] for name, s in times.items()]
    warm = [second for s in times.values() for second in s[1:]]
    rows.append(["all", "", f"{_quantile(warm, 0.5):.3f}", f"{_quantile(warm, 0.95):.3f}"])
    return report.markdown(["query", "first s", "warm p50 s", "warm p95 s"], rows)


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    sys.exit(main())
