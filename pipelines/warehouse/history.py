"""Keeps the judgements that are replaced: when a call is judged by other rules or models, what stood before stays readable.

A verdict that comes again as it was is not kept twice; it stands since it was first given. So is an evaluation by the same versions.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

# The key of a judgement within its call, and when it was given.
JUDGED_AT = {"verdicts": "judged_at", "evaluations": "evaluated_at"}
_KEYS = {"verdicts": "call_id, scorecard_id, criterion_id", "evaluations": "call_id, scorecard_id"}


def keep_replaced(db: duckdb.DuckDBPyConnection, moment: datetime) -> None:
    """Copy the machine's judgements that are about to be replaced into store.past_*; call it while old and new rows are there, and the temporary tables `changed` and, of these, `known`.

    Makes the temporary tables `standing_verdicts` and `standing_evaluations`: the keys of what comes again as it was, with its moment.
    """
    versions = "m.speech_model, m.scored_by"
    for table, key in _KEYS.items():
        columns = ", ".join(f"j.{name}" for name in _columns_of_both(db, table) if name != JUDGED_AT[table])
        joined, added, met, also = "", "", "", ""
        if table == "evaluations":
            joined, added, also = "left join {}metrics as m on m.call_id = j.call_id", f", {versions}", f", {versions}"
        else:  # what the rules changed is asked of what was replaced alone, not of all that stands
            met, also = f"left join new_{table} as n on {_same('n', 'j', key)}", ", n.verdict as replaced_by"
        old = f"""from store.{table} as j {joined.format("store.")} {met}
                  where j.judge = 'machine' and j.call_id in (select call_id from known)"""
        db.execute(
            f"""create or replace temp table outlived as
                select {key}
                from (select {columns}{added} {old}
                      except
                      select {columns}{added} from new_{table} as j {joined.format("new_")})"""
        )
        db.execute(
            f"insert into store.past_{table} by name select j.*{also}, ? as replaced_at {old} and ({_of(key)}) in (from outlived)", [moment]
        )
        db.execute(
            f"create or replace temp table standing_{table} as select {_of(key)}, j.{JUDGED_AT[table]} {old} and ({_of(key)}) not in (from outlived)"
        )


def put_in_place(db: duckdb.DuckDBPyConnection, table: str, moment: datetime) -> None:
    """Replace the machine's judgements of the changed calls by the new ones; a person's stay. The temporary table `numbers` numbers them."""
    at = JUDGED_AT[table]
    db.execute(f"delete from store.{table} where call_id in (select call_id from known) and judge = 'machine'")
    db.execute(
        f"""insert into store.{table} by name
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
    """A batch that an older version staged lacks the newer columns."""
    rows = db.execute(
        """select column_name from duckdb_columns() where schema_name = 'store' and table_name = ?
           intersect
           select column_name from duckdb_columns() where table_name = ?
           order by column_name""",
        [table, f"new_{table}"],
    ).fetchall()
    return [name for (name,) in rows]
