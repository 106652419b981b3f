"""People's rows in the warehouse, beside the automatic ones: verdicts and evaluations of judge `human`, and corrections."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

from pipelines.core.published import Row

_MOMENTS = {"verdicts": "judged_at", "judged_findings": "judged_at"}  # in seconds since 1970, as people's records have them


def replace(
    db: duckdb.DuckDBPyConnection,
    call_ids: Sequence[str],
    verdicts: Sequence[Row],
    evaluations: Sequence[Row],
    corrected: Sequence[Row] = (),
    judged: Sequence[Row] = (),
) -> None:
    """Set people's rows of these calls, in one transaction.

    Calls whose rows changed are marked for publication; nothing is written when no row changed.
    """
    db.execute("begin")
    try:
        db.execute("create or replace temp table judged_anew (call_id varchar)")
        _replace(db, "verdicts", call_ids, verdicts, "judge = 'human'")
        _replace(db, "evaluations", call_ids, evaluations, "judge = 'human'")
        _replace(db, "corrected_calls", call_ids, corrected)
        _replace(db, "judged_findings", call_ids, judged)
        db.execute("insert into core.unpublished select distinct call_id from judged_anew")  # derived rows are rebuilt
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")


def _replace(db: duckdb.DuckDBPyConnection, table: str, ids: Sequence[str], rows: Sequence[Row], own: str = "true") -> None:
    """Set the rows of one table; `own` is the condition for people's rows in it."""
    columns = {name: kind for name, kind in db.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = 'core' and table_name = ? order by column_index", [table]
    ).fetchall()}  # fmt: skip
    names = ", ".join(columns)
    frame = pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, strict=False)
    db.register("given", frame)
    cast = ", ".join(
        f"to_timestamp(given.{name}) as {name}" if name == _MOMENTS.get(table) else f"cast(given.{name} as {kind}) as {name}"
        for name, kind in columns.items()
    )
    db.execute(f"create or replace temp table given_now as select {cast} from given")
    db.unregister("given")
    old = f"select {names} from core.{table} where {own} and call_id in (select unnest(?))"
    db.execute(
        f"""create or replace temp table differs as
            select distinct call_id from ((({old}) except all from given_now) union all (from given_now except all ({old})))""",
        [ids, ids],
    )
    db.execute("insert into judged_anew from differs")
    db.execute(f"delete from core.{table} where {own} and call_id in (from differs)")
    db.execute(f"insert into core.{table} by name select * from given_now where call_id in (from differs)")
