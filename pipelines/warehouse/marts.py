"""Macros, views, and the tables that precompute expensive views at publication rather than at each query.

Data flows from `core` (what is loaded) through `intermediate` to the views in `main`. `sql/intermediate/<table>.sql` is the query of a
table in the schema `intermediate`; its first line says which rows a refresh replaces. It reads `core` and `intermediate` only; a view in
`sql/marts` reads these and no other view. A load puts the ids of changed calls into core.unpublished. A refresh recomputes only the rows
of the centres, months, periods and operators that these calls affect. A change to the query of such a table, or to a macro, rebuilds all
these tables; a view is replaced alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from pipelines.core.settings import ROOT
from pipelines.warehouse import lake, lemmas

SQL = ROOT / "sql"
_REPLACES = re.compile(r"-- replaces, for t in (\w+): (.+)")
_OF_CALLS = "calls"  # the only table that is refreshed in the transaction of a load: no call may be visible without its row
_OF_LEMMAS = "lemma_index"
_BLOCKS_AT_ONCE = 100  # 50,000 calls


def intermediate(sql: Path = SQL) -> list[Path]:
    """The files of sql/intermediate, each after those it reads.

    The order is stable across processes.
    """
    files = {file.stem: file for file in sorted((sql / "intermediate").glob("*.sql"))}
    reads = {
        name: sorted({m for m in re.findall(r"\b(?:from|join)\s+intermediate\.(\w+)", _code(file)) if m in files} - {name})
        for name, file in files.items()
    }
    return [files[name] for name in TopologicalSorter(reads).static_order()]


def _macros(sql: Path) -> list[Path]:
    return sorted((sql / "macros").glob("*.sql"))


def _views(sql: Path) -> list[Path]:
    return sorted((sql / "marts").glob("*.sql"))


def digest(sql: Path = SQL) -> str:
    """One checksum of the text of all macros, intermediate tables and views."""
    files = [*_macros(sql), *intermediate(sql), *_views(sql)]
    return hashlib.sha256("".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in files).encode()).hexdigest()


def digest_of_intermediate(sql: Path = SQL) -> str:
    """One checksum of what determines the rows of the intermediate tables: their queries and the macros; no comments."""
    texts = [_code(file) for file in [*_macros(sql), *intermediate(sql)]]
    return hashlib.sha256(" ".join("\n".join(texts).split()).encode()).hexdigest()


def create(db: duckdb.DuckDBPyConnection, sql: Path = SQL) -> None:
    """Create macros, tables and views from their files, drop all others, and mark every call for publication.

    Tables are created empty by `limit 0`, not by inserting zero rows: after an ordered insert of no row, DuckDB 1.5.5 does not see the
    rows of a larger insert (more than 122,880) into the same table in the same transaction until the file is opened again.
    """
    _drop_old_views(db, sql)
    db.execute("drop schema if exists intermediate cascade")
    db.execute("create schema intermediate")
    _execute(db, _macros(sql))
    _nothing_touched(db)
    lemmas.create(db)
    for file in intermediate(sql):
        db.execute(f"create table intermediate.{file.stem} as\n{lake.fitted(db, file.read_text(encoding='utf-8'))}\nlimit 0")
    _execute(db, _views(sql))
    db.execute("delete from core.unpublished")
    db.execute("insert into core.unpublished select call_id from core.calls")
    refresh_calls(db, sql)


def create_views(db: duckdb.DuckDBPyConnection, sql: Path = SQL) -> None:
    """Recreate the macros and views, for a version in which no intermediate table changed; no call is published again."""
    _drop_old_views(db, sql)
    _execute(db, [*_macros(sql), *_views(sql)])


def _execute(db: duckdb.DuckDBPyConnection, files: Iterable[Path]) -> None:
    for file in files:
        db.execute(lake.fitted(db, file.read_text(encoding="utf-8")))


def _drop_old_views(db: duckdb.DuckDBPyConnection, sql: Path) -> None:
    kept = {file.stem for file in _views(sql)}
    for (name,) in db.execute("select view_name from duckdb_views() where not internal and schema_name = 'main'").fetchall():
        if name not in kept:
            db.execute(f"drop view {name}")


def refresh_calls(db: duckdb.DuckDBPyConnection, sql: Path = SQL) -> None:
    """Rebuild the rows of intermediate.calls of all unpublished calls; records their earlier centre, operator and month for `refresh`."""
    db.execute(
        """create or replace temp table touched_calls as
           select u.call_id, any_value(c.call_no) as call_no
           from core.unpublished as u
           left join core.calls as c using (call_id)
           group by u.call_id"""
    )
    db.execute(
        """insert into core.touched
           select centre_id, operator_id, month, min(started_local) from intermediate.calls semi join touched_calls using (call_id) group by all
           except
           select * from core.touched"""
    )
    db.execute(
        """insert into core.touched_blocks
            select call_block(call_no) from intermediate.calls semi join touched_calls using (call_id) where call_no is not null
            union
            select call_block(call_no) from touched_calls where call_no is not null
            except
            select block from core.touched_blocks"""
    )
    _replace(db, sql / "intermediate" / f"{_OF_CALLS}.sql")


def refresh(db: duckdb.DuckDBPyConnection, sql: Path = SQL) -> None:
    """Recompute the rows that unpublished calls affect, in their current and earlier state."""
    refresh_calls(db, sql)
    db.execute(_TOUCHED)
    _refresh_lemmas(db, sql)
    for file in intermediate(sql):
        if file.stem not in (_OF_CALLS, _OF_LEMMAS):
            _replace(db, file)


def refresh_without(db: duckdb.DuckDBPyConnection, gone: str, sql: Path = SQL) -> None:
    """Recompute the rows affected by erased calls; the query `gone` gives their centre_id, operator_id, month, started_local, call_no."""
    waiting = db.execute("select 1 from core.unpublished limit 1").fetchone() is not None
    db.execute(f"insert into core.touched select centre_id, operator_id, month, min(started_local) from ({gone}) group by all")
    db.execute(f"insert into core.touched_blocks select distinct call_block(call_no) from ({gone}) where call_no is not null")
    refresh(db, sql)
    if not waiting:
        nothing_waits(db)


def nothing_waits(db: duckdb.DuckDBPyConnection) -> None:
    """Clear the unpublished calls once their rows are recomputed and published."""
    db.execute("delete from core.unpublished")
    db.execute("delete from core.touched")
    db.execute("delete from core.touched_blocks")


def _refresh_lemmas(db: duckdb.DuckDBPyConnection, sql: Path) -> None:
    """Refresh the lemma index a few blocks at a time: the words of millions of calls would not fit into memory."""
    blocks = [block for (block,) in db.execute("select distinct block from core.touched_blocks order by block").fetchall()]
    for first in range(0, len(blocks), _BLOCKS_AT_ONCE):
        db.execute("create or replace temp table touched_blocks as select unnest(?) as block", [blocks[first : first + _BLOCKS_AT_ONCE]])
        has_words = lemmas.learn(db)
        # inserting no row would hide the rows of later blocks: see `create`
        _replace(db, sql / "intermediate" / f"{_OF_LEMMAS}.sql", with_rows=has_words)
        db.execute("drop table touched_words")


def _replace(db: duckdb.DuckDBPyConnection, file: Path, *, with_rows: bool = True) -> None:
    text = file.read_text(encoding="utf-8")
    found = _REPLACES.match(text)
    if found is None:
        raise ValueError(f"{file}: the first line must be `-- replaces, for t in TABLE: CONDITION` on m, the rows of this table.")
    touched, condition = found.groups()
    db.execute(f"delete from intermediate.{file.stem} as m using {touched} as t where {condition}")
    if with_rows:
        db.execute(f"insert into intermediate.{file.stem} by name\n{text}")


def _nothing_touched(db: duckdb.DuckDBPyConnection) -> None:
    db.execute(
        """create or replace temp table touched_calls (call_id varchar, call_no bigint);
           create or replace temp table touched_blocks (block bigint);
           create or replace temp table touched_months (centre_id varchar, month date);
           create or replace temp table touched_periods (centre_id varchar, period varchar, period_start date);
           create or replace temp table touched_operators (centre_id varchar, operator_id varchar, from_local timestamp)"""
    )


# A shift that began before the first change is unaffected; from the last such shift on, an operator's shifts are recomputed.
_TOUCHED = """
insert into core.touched
select centre_id, operator_id, month, min(started_local) from intermediate.calls semi join touched_calls using (call_id) group by all
except
select * from core.touched;

create or replace temp table touched_months as
select distinct centre_id, month from core.touched;

create or replace temp table touched_periods as
select distinct t.centre_id, p.period, if(p.period <> 'all', period_of(p.period, d.day), null) as period_start
from touched_months as t
cross join lateral (
    select unnest(if(t.month is null, [null], generate_series(t.month, t.month + interval 1 month - interval 1 day, interval 1 day))) as day
) as d
cross join (values ('day'), ('week'), ('month'), ('all')) as p (period);

create or replace temp table touched_operators as
select
    f.centre_id,
    f.operator_id,
    coalesce(max(s.shift_start_local), timestamp '-infinity') as from_local
from (
    select centre_id, operator_id, min(first_local) as first_local
    from core.touched
    where operator_id is not null and first_local is not null
    group by all
) as f
left join intermediate.operator_shifts as s
    on s.centre_id is not distinct from f.centre_id and s.operator_id = f.operator_id and s.shift_start_local < f.first_local
group by f.centre_id, f.operator_id;
"""


def _code(file: Path) -> str:
    return re.sub(r"--[^\n]*", "", file.read_text(encoding="utf-8"))
