"""A warehouse of an earlier version opens with this one and keeps every row; it is then published, and listed as graded by other rules.

Until then its calls are known, and its published copy is read, as before.

`older_version/` holds the tables of a warehouse that version 0.1.0 with migrations up to 0010 wrote for three of the shipped calls.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines import warehouse
from pipelines.core import versions
from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from pipelines.reports import static_pages
from pipelines.warehouse import publications
from pipelines.warehouse.export import export
from pipelines.warehouse.file import connect, migrate, open_for_writing
from pipelines.warehouse.forgetting import forgotten_ids
from pipelines.warehouse.marts import SQL
from tests.staged import call, stage
from tests.warehouse.older import downgrade

ROWS = Path(__file__).with_name("older_version")
LAST = "0010_transcripts.sql"
TABLES = sorted(file.stem for file in ROWS.glob("*.parquet") if file.stem != "migrations")


@pytest.fixture
def older(settings: Settings) -> Settings:
    """A site whose warehouse is as the earlier version left it."""
    db = connect(settings.warehouse)
    db.execute("create schema store")
    db.execute("create table store.migrations (name varchar primary key, sha256 varchar not null, applied_at timestamptz not null)")
    for file in sorted((SQL / "migrations").glob("*.sql")):
        if file.name <= LAST:
            db.execute(file.read_text(encoding="utf-8"))
    for table in (*TABLES, "migrations"):
        db.execute(f"delete from store.{table}")
        db.execute(f"insert into store.{table} by name from read_parquet(?)", [str(ROWS / f"{table}.parquet")])
    db.execute("delete from store.migrations where name like '~%'")  # it had views and tables made of these rows
    for (path,) in db.execute("select path from store.clips").fetchall():
        clip = settings.site / path
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"sound")
    db.close()
    return settings


def rows(db: duckdb.DuckDBPyConnection, table: str) -> Iterator[tuple[object, ...]]:
    columns = ", ".join(name for name, *_ in db.execute(f"describe from read_parquet('{ROWS / table}.parquet')").fetchall())
    yield from db.execute(f"select {columns} from core.{table} order by all").fetchall()


def stored(table: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        return db.execute(f"from read_parquet('{ROWS / table}.parquet') order by all").fetchall()


def test_the_migrations_that_it_had_are_still_those() -> None:
    applied = {name: sha256 for name, sha256, _ in stored("migrations") if not name.startswith("~")}
    assert max(applied) == LAST
    for name, sha256 in applied.items():
        assert hashlib.sha256((SQL / "migrations" / name).read_bytes()).hexdigest() == sha256


def test_every_row_is_kept_and_published(older: Settings) -> None:
    with open_for_writing(older) as db:
        assert {table: list(rows(db, table)) for table in TABLES} == {table: stored(table) for table in TABLES}
        applied = {name for (name,) in db.execute("select name from core.migrations").fetchall()}
        assert {file.name for file in (SQL / "migrations").glob("*.sql")} <= applied
        left = "select schema_name, table_name from duckdb_tables() where schema_name in ('store', 'made')"
        assert db.execute(left).fetchall() == [("store", "migrations")]
        known = {f"{n:04}" for n in range(12)}  # to the version before: it refuses a file with any other migration in this list
        assert {name[:4] for (name,) in db.execute("select name from store.migrations").fetchall()} - known == {"0012"}
    warehouse.publish(older)
    with open_published(older) as published:
        calls = published.rows("select call_id, status, scored_by from calls order by 1")
        assert [row["call_id"] for row in calls] == ["irkutsk-ru-001", "kyiv-uk-001", "motiv-hu-003"]
        assert {row["scored_by"] for row in calls} != {versions.graded_by(older.profile)}
        assert len(published.rows("from criterion_results")) == len(stored("verdicts"))
        assert len(published.rows("from turns")) == len(stored("turns"))


def test_more_rows_than_fit_one_group_are_kept_in_their_order() -> None:
    """DuckDB stores rows in groups of 122,880."""
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        migrate(db)
        downgrade(db, "0011_reasons_as_keys.sql")
        db.execute(
            """insert into store.speech_acts
               select 'c' || (1000000 - n), 1, 'greeting', 'operator', 0, 1, 'x', 1, n from range(300000) as r(n)"""
        )
        migrate(db)
        found = db.execute(
            "select count(*), count(*) filter (where call_no = row_no) from (select *, rowid as row_no from core.speech_acts)"
        )
        assert found.fetchone() == (300_000, 300_000)


def test_until_it_is_migrated_its_calls_are_known_and_its_published_copy_is_read(settings: Settings, tmp_path: Path) -> None:
    warehouse.load(stage(settings, "b", [call("a"), call("b", client_ref="gone")]), settings)
    warehouse.erase_client(settings, "gone")
    warehouse.publish(settings)
    for file in (settings.warehouse, settings.snapshot):
        with connect(file) as db:
            downgrade(db, "0011_reasons_as_keys.sql")
    assert warehouse.already_graded(settings, [call("a"), call("c")], speech_model="speech-1") == {"a"}
    calls, rejected = warehouse.reject_forgotten(settings, [call("a"), call("b", client_ref="gone")], [])
    assert [one.call_id for one in calls] == ["a"] and len(rejected) == 1
    with open_published(settings) as published:
        assert publications.last(published) == 1 and publications.identity(published)
        assert publications.calls_since(published, 0) == {"a"}
        assert publications.months_since(published, 0) and publications.next_or_last(published) == 1
        assert len(forgotten_ids(published)) == 1
    assert export(settings, "calls", tmp_path / "calls.xlsx") == 1
    assert static_pages.publish_pages(settings).exists()
    warehouse.erase_client(settings, "c-1")
    with open_published(settings) as published:
        assert published.rows("from calls") == []
