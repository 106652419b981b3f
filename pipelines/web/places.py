"""Where the rows of each call lie in the published copy, so that one call is read without looking through all.

DuckDB skips what cannot hold a value by the first eight bytes of a text; the ids of a centre's calls share those. The copy is never written, so the numbers
of its rows stand still: they are looked up once for each copy and asked for beside the id. What is not known yet is read as before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from pipelines.published import Row

# The views that pages read by call; what a view shows must be columns of one table.
VIEWS = (
    "turns", "words", "holds", "findings", "abuse_procedures", "criterion_results", "evaluations", "conversation_metrics", "personal_data", "coaching_clips",
    "calls",
)  # fmt: skip
MOST_CALLS = 3000  # looked up by their places at once
MOST_LISTED = 120  # compared one by one with each row of their places
_NEAR_ROWS = 2048  # ranges as near as that are read as one: so many rows DuckDB unpacks at a time
_PLAIN = re.compile(r"CREATE VIEW \w+ AS SELECT (?P<columns>.+) FROM (?P<table>(?:store|made)\.\w+);", re.DOTALL)
_WORDS = "select t.call_id, t.turn_no, t.position as word_no, t.word.text as text, t.word.start_s as start_s, t.word.end_s as end_s, t.word.probability as probability"


class Places:
    """The places of a copy that is attached as `catalog` to a database in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
        """Look them up. Raises duckdb.Error when the copy is not of this version."""
        found = connection.execute(
            "select view_name, sql from duckdb_views() where database_name = ? and schema_name = 'main'", [catalog]
        ).fetchall()
        plain = {name: match for name, sql in found if name in VIEWS and (match := _PLAIN.fullmatch(sql))}
        connection.execute("create schema memory.near")
        self.tables: dict[str, str] = {}
        for name, match in plain.items():
            table = f"{catalog}.{match['table']}"
            connection.execute(f"create view memory.near.{name} as select {match['columns']}, rowid as place from {table}")
            self.tables.setdefault(table, f"of_{len(self.tables)}")
        self._of = {name: self.tables[f"{catalog}.{match['table']}"] for name, match in plain.items()}
        self._turns = f"{catalog}.store.turns"
        if self._turns in self.tables:
            self._of["words"] = self.tables[self._turns]
        joined = " full join ".join(
            f"(select call_id, min(rowid) as {key}_first, max(rowid) as {key}_last from {table} group by call_id) as {key}"
            + (" using (call_id)" if n else "")
            for n, (table, key) in enumerate(self.tables.items())
        )
        connection.execute(f"create table memory.near.places as select * from {joined} order by call_id")

    def of(self, connection: duckdb.DuckDBPyConnection, call_ids: Sequence[str]) -> list[Row]:
        """The places of some calls."""
        these = ", ".join("?" * len(call_ids))
        answer = connection.execute(f"select * from memory.near.places where call_id in ({these})", list(call_ids))
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def source(self, view: str, places: Sequence[Row]) -> str | None:
        """What to select from, in place of a view, to find the rows of these calls among few others; None for a view that is not known."""
        key = self._of.get(view)
        if key is None:
            return None
        ranges = sorted((row[f"{key}_first"], row[f"{key}_last"]) for row in places if row[f"{key}_first"] is not None)
        merged: list[list[int]] = []
        for first, last in ranges:
            if merged and first - merged[-1][1] <= _NEAR_ROWS:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        where = " or ".join(f"place between {first} and {last}" for first, last in merged) or "false"
        if view == "words":
            turns = where.replace("place", "rowid")
            return f"({_WORDS} from (select call_id, turn_no, unnest(words) as word, generate_subscripts(words, 1) as position from {self._turns} where {turns}) as t)"
        return f"(select * exclude (place) from memory.near.{view} where {where})"
