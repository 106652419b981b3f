"""Publication: data checks, and the read-only copy that is swapped in when they pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines.core.errors import MisconfiguredError
from pipelines.core.published import Published
from pipelines.core.records import Clip
from pipelines.core.settings import Settings
from pipelines.core.staging import is_whole, schema_of
from pipelines.warehouse import file_copy, lake_copy, marts
from pipelines.warehouse.file import LOCK_TIMEOUT_S, connect, open_for_writing, remove_leftovers
from pipelines.warehouse.marts import SQL

_EXAMPLES = 5
_OF_ALL = "\n-- of all calls"
_PASSING = (
    "call_no",
    "loaded_at",
    "evaluated_at",
    "expires_at",
    "valid_from",
    "valid_to",
)  # a clip expires so many days after its evaluation


class ChecksFailedError(MisconfiguredError):
    """The data violates a check, so it was not published; readers keep the previous copy."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: how many rows violate the rule, and the first of them."""

    name: str
    level: str  # fail | warn
    meaning: str
    offenders: int
    examples: tuple[dict[str, Any], ...] = field(default=())

    @property
    def failed(self) -> bool:
        """True when this blocks publication."""
        return self.level == "fail" and self.offenders > 0

    def __str__(self) -> str:
        if not self.offenders:
            return f"ok   {self.name}"
        lines = [f"{self.level.upper()} {self.name}: {self.meaning} ({self.offenders} rows)"]
        return "\n".join([*lines, *("     " + ", ".join(f"{k}={v}" for k, v in row.items()) for row in self.examples)])


def check(settings: Settings, timeout_s: float = LOCK_TIMEOUT_S) -> list[CheckResult]:
    """Run every check in sql/checks on the warehouse file.

    Raises MisconfiguredError when there is no warehouse, TransientError when another writer holds it.
    """
    if settings.lake is None and not settings.warehouse.exists():
        raise MisconfiguredError(
            f"There is no warehouse {settings.warehouse}. Run `callgrade grade FOLDER --warehouse FILE` first, or correct the path."
        )
    with open_for_writing(settings, timeout_s) as db:
        _refresh(db)
        _register_clip_files(db, settings)
        return [_run_check(db, file) for file in sorted((SQL / "checks").glob("*.sql"))]


def publish(settings: Settings, cut: Callable[[Published], object] | None = None, timeout_s: float = LOCK_TIMEOUT_S) -> list[CheckResult]:
    """Swap in a new read-only copy for all readers; return the checks, some of which may warn.

    Only calls loaded since the last publication are checked and recomputed; `check` covers everything. When the data has passed its checks,
    and before it is visible, `cut` may read it to write the files and rows of its clips; then the checks that read clips run, so that rows,
    clips and files are published together. No other process writes meanwhile.

    Raises ChecksFailedError when a check fails (readers keep the previous copy), TransientError when the disk or the lock fails.
    """
    checks = sorted((SQL / "checks").glob("*.sql"))
    about_clips = [file for file in checks if re.search(r"\bclip(?:s|_files)\b", file.read_text(encoding="utf-8"))]
    with open_for_writing(settings, timeout_s) as db:
        _refresh(db)
        results = _check_unpublished(db, [file for file in checks if file not in about_clips])
        _refuse_failed(results, settings)
        if cut is not None:
            cut(Published(db))
        _record_clips(db, settings)
        _register_clip_files(db, settings)
        results += [_run_check(db, file) for file in about_clips]
        _refuse_failed(results, settings)
        all_is_published(db)
        remove_leftovers(settings.snapshot)
        if settings.lake is not None:
            lake_copy.write(db, settings.snapshot)
            return sorted(results, key=lambda result: result.name)
        db.execute("checkpoint")
        db.close()  # this process still holds the lock, and the file is complete
        file_copy.write(settings.warehouse, settings.snapshot)
    return sorted(results, key=lambda result: result.name)


def _refresh(db: duckdb.DuckDBPyConnection) -> None:
    """Recompute, in one transaction, the rows that unpublished calls affect.

    The calls stay unpublished until all checks have passed.
    """
    if db.execute("select 1 from core.unpublished limit 1").fetchone():
        db.execute("begin")
        try:
            marts.refresh(db)
            db.execute("commit")
        except BaseException:
            with suppress(duckdb.Error):  # a failed commit has already rolled back
                db.execute("rollback")
            raise


def all_is_published(db: duckdb.DuckDBPyConnection) -> None:
    """Clear the unpublished calls and record them under the number of this publication."""
    if db.execute("select 1 from core.unpublished union all select 1 from core.touched limit 1").fetchone():
        db.execute("begin")
        db.execute(
            """insert into core.publications
               select (select coalesce(max(publication), 0) + 1 from core.publications), call_id from core.unpublished group by call_id"""
        )
        marts.nothing_waits(db)
        db.execute("commit")


def _check_unpublished(db: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> list[CheckResult]:
    """Run the checks on the unpublished calls; a check that compares calls with each other is marked so and runs on all.

    Checks read views by name. Temporary tables of the same names shadow the views and hold only the unpublished calls.
    """
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    of_all = [file for file, text in texts.items() if _OF_ALL in text]
    results = [_run_check(db, file) for file in of_all]
    by_call = [file for file in files if file not in of_all]
    keys = _keys_of_views(db)
    read = sorted(set(keys) & set(re.findall(r"\b(?:from|join)\s+(\w+)\b(?!\.)", " ".join(texts[file] for file in by_call))))
    db.execute(
        "create or replace temp table checked as select distinct u.call_id, c.call_no from core.unpublished as u left join core.calls as c using (call_id)"
    )
    for view in read:
        db.execute(f"create temp table {view} as from main.{view} semi join checked using ({keys[view]})")
    try:
        return results + [_run_check(db, file) for file in by_call]
    finally:
        for view in read:
            db.execute(f"drop table temp.{view}")


def _keys_of_views(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The key columns of each view with rows of calls: call_id, and call_no where there is one, so that no other rows are read."""
    rows = db.execute(
        """select table_name, string_agg(column_name, ', ' order by column_name) from duckdb_columns()
           where schema_name = 'main' and column_name in ('call_id', 'call_no') and not internal group by table_name"""
    )
    return dict(rows.fetchall())


def _refuse_failed(results: Sequence[CheckResult], settings: Settings) -> None:
    failed = [result for result in results if result.failed]
    if failed:
        raise ChecksFailedError(
            f"{settings.warehouse.name} was not published; readers keep the previous copy. Failed checks:\n"
            + "\n".join(str(result) for result in failed)
        )


def contents(path: Path) -> dict[str, list[str]]:
    """The content of a warehouse by view, as sorted rows without load times: equal content gives equal values."""
    db = connect(path, read_only=True)
    try:
        return {name: sorted(_rows(db, name)) for name in sorted(file.stem for file in (SQL / "marts").glob("*.sql"))}
    finally:
        db.close()


def _rows(db: duckdb.DuckDBPyConnection, view: str) -> Iterator[str]:
    moments = [
        c
        for (c,) in db.execute("select column_name from duckdb_columns() where schema_name = 'main' and table_name = ?", [view]).fetchall()
        if c in _PASSING
    ]
    columns = f"* exclude ({', '.join(moments)})" if moments else "*"
    for (row,) in db.execute(f"select r::varchar from (select {columns} from {view}) as r").fetchall():
        yield row


def _record_clips(db: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Set core.clips to the clips that coaching wrote last, without those whose file or call no longer exists."""
    rows = settings.site / "clips.parquet"
    if not is_whole(rows):
        return  # nothing was cut yet, or a full disk truncated the file: the next cut rewrites it
    _register_clip_files(db, settings)
    db.execute(
        """create or replace temp table cut as
           select * from read_parquet(?)
           where path in (select path from clip_files) and call_id in (select call_id from core.calls where status = 'graded')""",
        [str(rows)],
    )
    columns = ", ".join(schema_of(Clip))
    new, old = f"select {columns} from cut", f"select {columns} from core.clips"
    db.execute(f"create or replace temp table recut as select distinct call_id from (({new} except {old}) union all ({old} except {new}))")
    if db.execute("select 1 from recut limit 1").fetchone():
        db.execute("begin")
        db.execute("insert into core.unpublished select call_id from recut semi join core.calls using (call_id)")  # for their pages
        db.execute("delete from core.clips")
        db.execute("insert into core.clips by name select * from cut order by call_id, clip_id")
        db.execute("commit")


def _register_clip_files(db: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    files = [str(p.relative_to(settings.site)) for p in settings.clips.rglob("*") if p.is_file()] if settings.clips.exists() else []
    db.register("clip_files", pl.DataFrame({"path": files}, schema={"path": pl.String}))


def _run_check(db: duckdb.DuckDBPyConnection, file: Path) -> CheckResult:
    text = file.read_text(encoding="utf-8")
    level, _, meaning = text.splitlines()[0].removeprefix("-- ").partition(": ")
    if level not in ("fail", "warn") or not meaning:
        raise MisconfiguredError(
            f"{file}: the first line is {text.splitlines()[0]!r}; it must be `-- fail: what it means` or `-- warn: what it means`."
        )
    cursor = db.execute(text)
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    return CheckResult(file.stem, level, meaning, len(rows), tuple(dict(zip(names, row, strict=True)) for row in rows[:_EXAMPLES]))
