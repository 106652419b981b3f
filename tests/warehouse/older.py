"""Turns a warehouse of this version into one of the version before the schemas `core` and `intermediate`."""

from __future__ import annotations

import duckdb

from pipelines.warehouse import lake
from pipelines.warehouse.marts import SQL

# What the tables of this version and their schemas were called.
_NAMES = {"intermediate.lemma_index": "made.said", "intermediate.": "made.", "core.": "store."}
# Views that read one table then, and more since.
_ONE_TABLE = {"findings": "findings", "abuse_procedures": "procedures"}


def downgrade(db: duckdb.DuckDBPyConnection, last: str) -> None:
    """Move every row to tables as migrations up to the file `last` (at most 0011) define them, and let the views read these."""
    db.execute("drop table store.migrations")
    for file in sorted((SQL / "migrations").glob("*.sql")):
        if file.name <= last:
            db.execute(lake.fitted(db, file.read_text(encoding="utf-8")))
    for table in _columns(db, "store"):
        shared = ", ".join(name for name in _columns(db, "store")[table] if name in _columns(db, "core")[table])
        db.execute(f"insert into store.{table} ({shared}) select {shared} from core.{table}")
    db.execute("create table store.migrations as select name, sha256, applied_at from core.migrations where name <= ?", [last])
    db.execute("create schema made")
    for table in _columns(db, "intermediate"):
        db.execute(f"create table {_as_before(f'intermediate.{table}')} as from intermediate.{table}")
    for file in sorted((SQL / "marts").glob("*.sql")):
        try:
            db.execute(lake.fitted(db, _as_before(file.read_text(encoding="utf-8"))))
        except duckdb.CatalogException:  # a view of tables that a later migration adds
            db.execute(f"drop view {file.stem}")
            if file.stem in _ONE_TABLE:
                db.execute(f"create view {file.stem} as from store.{_ONE_TABLE[file.stem]}")
    db.execute("drop schema core cascade")
    db.execute("drop schema intermediate cascade")


def _as_before(text: str) -> str:
    for now, before in _NAMES.items():
        text = text.replace(now, before)
    return text


def _columns(db: duckdb.DuckDBPyConnection, schema: str) -> dict[str, list[str]]:
    rows = db.execute(
        """select table_name, list(column_name order by column_index) from duckdb_columns()
           where schema_name = ? and database_name = current_database() group by all order by all""",
        [schema],
    )
    return dict(rows.fetchall())
