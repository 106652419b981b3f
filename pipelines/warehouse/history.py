"""Archives replaced judgements: when a call is judged by other rules or models, the earlier results stay readable.

An unchanged verdict is not archived; it keeps the time when it was first given. The same holds for an evaluation by the same versions.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

# The key of a judgement within its call, and the column with its time.
JUDGED_AT = {"verdicts": "judged_at", "evaluations": "evaluated_at"}
_KEYS = {"verdicts": "call_id, scorecard_id, criterion_id", "evaluations": "call_id, scorecard_id"}


def keep_replaced(db: duckdb.DuckDBPyConnection, moment: datetime) -> None:
    """Copy the automatic judgements that are about to be replaced into core.past_*.

    Call it while old and new rows exist, with the temporary tables `changed` and `known` (those of `changed` that were loaded before).
    Creates the temporary tables `standing_verdicts` and `standing_evaluations`: the keys of unchanged judgements, with their times.
    """
    versions = "m.speech_model, m.scored_by"
    for table, key in _KEYS.items():
        columns = ", ".join(f"j.{name}" for name in _columns_of_both(db, table) if name != JUDGED_AT[table])
        joined, added, met, also = "", "", "", ""
        if table == "evaluations":
            joined, added, also = "left join {}metrics as m on m.call_id = j.call_id", f", {versions}", f", {versions}"
        else:  # only replaced rows are asked which rules changed
            met, also = f"left join new_{table} as n on {_same('n', 'j', key)}", ", n.verdict as replaced_by"
        old = f"""from core.{table} as j {joined.format("core.")} {met}
                  where j.judge = 'machine' and j.call_id in (select call_id from known)"""
        db.execute(
            f"""create or replace temp table outlived as
                select {key}
                from (select {columns}{added} {old}
                      except
                      select {columns}{added} from new_{table} as j {joined.format("new_")})"""
        )
        db.execute(
            f"insert into core.past_{table} by name select j.*{also}, ? as replaced_at {old} and ({_of(key)}) in (from outlived)", [moment]
        )
        db.execute(
            f"create or replace temp table standing_{table} as select {_of(key)}, j.{JUDGED_AT[table]} {old} and ({_of(key)}) not in (from outlived)"
        )


def put_in_place(db: duckdb.DuckDBPyConnection, table: str, moment: datetime) -> None:
    """Replace the automatic judgements of the changed calls; human ones stay.

    The temporary table `numbers` gives their call numbers.
    """
    at = JUDGED_AT[table]
    db.execute(f"delete from core.{table} where call_id in (select call_id from known) and judge = 'machine'")
    db.execute(
        f"""insert into core.{table} by name
            select n.*, coalesce(s.{at}, cast(? as timestamptz)) as {at}{", c.call_no" if table == "verdicts" else ""}
            from new_{table} as n
            join numbers as c on c.call_id = n.call_id
            left join standing_{table} as s on {_same("s", "n", _KEYS[table])}
            order by c.call_no""",
        [moment],
    )


def _of(key: str) -> str:
    return ", ".join(f"j.{name}" for name in key.split(", "))


def _same(one: str, other: str, key: str) -> str:
    return " and ".join(f"{one}.{name} = {other}.{name}" for name in key.split(", "))


def _columns_of_both(db: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The columns that both tables have: a batch staged by an older version lacks newer ones."""
    rows = db.execute(
        """select column_name from duckdb_columns() where schema_name = 'core' and table_name = ?
           intersect
           select column_name from duckdb_columns() where table_name = ?
           order by column_name""",
        [table, f"new_{table}"],
    ).fetchall()
    return [name for (name,) in rows]
