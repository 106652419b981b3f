"""People's verdicts for analysts: what stands in the people's file is brought into the warehouse before each publication, beside the machine's."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

from pipelines.app_db.database import open_store, store_path
from pipelines.core.published import Published, Row
from pipelines.core.settings import Settings
from pipelines.queries import call_details
from pipelines.reviews import resolved_verdicts
from pipelines.reviews.human_verdicts import standing
from pipelines.warehouse.file import open_for_writing

_AT_ONCE = 500


def bring(settings: Settings) -> int:
    """Make the rows of judge `human` in the warehouse say what people say now; how many verdicts those are.

    A call that people have judged in the web application has only their rows from here; nothing is written when nothing changed.
    Raises TransientError when another writer keeps the file.
    """
    if not store_path(settings).exists() or not (settings.lake or settings.warehouse.exists()):
        return 0
    people = standing(open_store(settings))
    if not people:
        return 0
    with open_for_writing(settings) as db:
        results, evaluations = [], []
        published, ids = Published(db), sorted(people)
        for first in range(0, len(ids), _AT_ONCE):
            calls = published.rows(
                "select * from calls where status = 'graded' and call_id in (select unnest(?))", ids[first : first + _AT_ONCE]
            )
            for call, rows in call_details.read_calls(published, calls):
                own, cards = resolved_verdicts.by_people(call, rows, people[call["call_id"]])
                results += [_standing_in_its_turn(row, call, rows["turns"]) | {"judged_at": row["at"]} for row in own]
                evaluations += [row | {"is_auto_fail": row["auto_fail"]} for row in cards]
        db.execute("begin")
        try:
            db.execute("create or replace temp table judged_anew (call_id varchar)")
            _replace(db, "verdicts", ids, results, "judged_at")
            _replace(db, "evaluations", ids, evaluations, "evaluated_at")
            db.execute("insert into store.unpublished select distinct call_id from judged_anew")  # what follows from them is made anew
        except BaseException:
            db.execute("rollback")
            raise
        db.execute("commit")
    return len(results)


def _standing_in_its_turn(row: Row, call: Row, turns: Sequence[Row]) -> Row:
    """The row with a quote that stands in its turn as the warehouse keeps it: where that is readable, people saw and quoted it masked."""
    if row["quote"] is None or call["text_kept"] != "raw":
        return row
    return row | {"quote": next((t["text"] for t in turns if t["turn_no"] == row["turn_no"]), None)}


def _replace(db: duckdb.DuckDBPyConnection, table: str, ids: Sequence[str], rows: Sequence[Row], moment: str) -> None:
    columns = {name: kind for name, kind in db.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = 'store' and table_name = ? order by column_index", [table]
    ).fetchall()}  # fmt: skip
    names = ", ".join(columns)
    frame = pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, strict=False)
    db.register("said", frame)
    cast = ", ".join(
        f"to_timestamp(said.{name}) as {name}" if name == moment and table == "verdicts" else f"cast(said.{name} as {kind}) as {name}"
        for name, kind in columns.items()
    )
    db.execute(f"create or replace temp table said_now as select {cast} from said")
    db.unregister("said")
    old = f"select {names} from store.{table} where judge = 'human' and call_id in (select unnest(?))"
    db.execute(
        f"""create or replace temp table differs as
            select distinct call_id from ((({old}) except all from said_now) union all (from said_now except all ({old})))""",
        [ids, ids],
    )
    db.execute("insert into judged_anew from differs")
    db.execute(f"delete from store.{table} where judge = 'human' and call_id in (from differs)")
    db.execute(f"insert into store.{table} by name select * from said_now where call_id in (from differs)")
