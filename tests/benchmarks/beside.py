"""Turns in DuckDB or in Parquet beside it: `python -m tests.benchmarks.beside FOLDER`, where `tests.benchmarks.scale` made a warehouse.

Writes the turns of that warehouse both ways, into a separate DuckDB file and into one Parquet file per month, and reports size, processor
time of writing one more day, and of warm queries.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from models import private_files
from tests.benchmarks import report

QUESTIONS = {
    "the turns of one call": "from {turns} where call_id = (select call_id from calls where status = 'graded' order by call_no desc limit 1 offset 99)",
    "the turns of 20 calls, by `call_no`": "select t.* from {turns} as t join few using (call_id, call_no)",
    "the turns of 20 calls, by `call_id`": "select t.* from {turns} as t join few using (call_id)",
    "loud turns of one day": "select count(*) from {turns} as t join calls as c using (call_id, call_no) where t.raised_voice and cast(c.started_local as date) = (select max(cast(started_local as date)) - 3 from calls)",
    "sentiment by role, all turns": "select role, sentiment, count(*), avg(asr_confidence) from {turns} group by all",
    "words heard badly, all words": "select count(*) from (select unnest(words) as w from {turns}) where w.probability < 0.6",
}  # fmt: skip
WARM = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Write both, ask both, print the table."""
    private_files.apply_umask()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.beside", description=__doc__)
    parser.add_argument("folder", type=Path, help="where `tests.benchmarks.scale` made its warehouse")
    parser.add_argument("--warehouse", default="scale.duckdb", help="its file (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of DuckDB (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=200_000, help="how many calls of it, the last ones (default: %(default)s)")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="beside-", dir=given.folder) as temporary:
        rows = compare(given.folder / given.warehouse, Path(temporary), given.threads, given.calls)
    print(report.markdown(["", "in the file", "Parquet beside it"], rows))
    return 0


def compare(warehouse: Path, folder: Path, threads: int, most: int) -> list[list[str]]:
    """One row a measure: the figure in the file, and in Parquet."""
    db = duckdb.connect()
    db.execute(f"set threads = {threads}")
    db.execute("set timezone = 'UTC'")
    db.execute(f"attach '{warehouse}' as history (read_only)")
    db.execute(
        f"create table calls as select call_id, call_no, status, started_local from history.intermediate.calls order by call_no desc limit {most}"
    )
    db.execute(
        "create table few as select call_id, call_no from calls where status = 'graded' using sample reservoir(20 rows) repeatable (1)"
    )
    db.execute(f"attach '{folder / 'alone.duckdb'}' as alone")
    beside = f"'{folder / 'beside'}'"
    lowest, border = db.execute("select min(call_no), max(call_no) - 8000 from calls").fetchall()[0]
    before = f"select * from history.core.turns where call_no between {lowest} and {border}"
    last = f"select * from history.core.turns where call_no > {border}"
    rows = []

    def both(name: str, first: Callable[[], object], second: Callable[[], object]) -> None:
        rows.append([name, f"{_cpu_s(first):.2f}", f"{_cpu_s(second):.2f}"])
        print(rows[-1], file=sys.stderr, flush=True)

    def in_file(sql: str) -> Callable[[], object]:
        return lambda: (db.execute(sql), db.execute("checkpoint alone"))

    def copied(sql: str) -> Callable[[], object]:
        by_month = (
            f"select t.*, strftime(c.started_local, '%Y-%m') as month from ({sql}) as t join calls as c using (call_no) order by call_no"
        )
        return lambda: db.execute(f"copy ({by_month}) to {beside} (format parquet, compression zstd, partition_by (month), append)")

    both(
        "all but the last day written, CPU s",
        in_file(f"create table alone.turns as {before}"),
        copied(before),
    )
    both("a day more, CPU s", in_file(f"insert into alone.turns {last}"), copied(last))
    sizes = [(folder / "alone.duckdb").stat().st_size, sum(f.stat().st_size for f in (folder / "beside").rglob("*.parquet"))]
    rows.append(["size, MB", *(f"{size / 1e6:.0f}" for size in sizes)])
    for name, question in QUESTIONS.items():
        asked = [question.format(turns=turns) for turns in ("alone.turns", f"read_parquet('{folder / 'beside'}/*/*.parquet')")]
        seconds = [min(_cpu_s(lambda sql=sql: db.execute(sql).fetchall()) for _ in range(WARM)) for sql in asked]  # type: ignore[misc]
        rows.append([f"{name}, CPU s", *(f"{s:.3f}" for s in seconds)])
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
