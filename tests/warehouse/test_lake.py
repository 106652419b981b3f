"""Several machines, one lake: the same tables, checks and views over a real PostgreSQL, started here."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines import flow, warehouse
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.lake_address import parse
from pipelines.core.settings import Settings
from pipelines.warehouse import lake
from pipelines.warehouse.file import open_for_writing
from tests.staged import call, rows, stage
from tests.warehouse import bucket, postgres
from tests.warehouse.older import downgrade

SECRET = "Аксолотль"
PROCESSES = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Site:
    """A lake, and the folder in which its machines keep their own files."""

    address: str
    folder: Path
    database: str

    def machine(self, name: str) -> Settings:
        """One machine that works on the lake."""
        return Settings(warehouse=self.folder / name / "w.duckdb", lake=parse(self.address)[0])

    def files(self) -> list[Path]:
        """The rows of the lake."""
        return sorted((self.folder / "rows").rglob("*.parquet"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("lake")
    with postgres.running() as server:
        yield Site(f"ducklake:{server}callgrade?data={folder / 'rows'}", folder, f"{server}callgrade")


def test_a_lake_holds_what_a_file_holds(site: Site, tmp_path: Path) -> None:
    on_lake, in_file = site.machine("first"), Settings(warehouse=tmp_path / "file" / "w.duckdb")
    assert warehouse.already_graded(on_lake, [call("a")]) == set()  # nothing has been written yet
    for settings in (on_lake, in_file):
        assert warehouse.load(stage(settings, "b", [call("a"), call("b", operator_id="op-2")], words=(SECRET, "день")), settings)
        assert warehouse.load(
            stage(settings, "c", [call("b", operator_id="op-2"), call("c", client_ref="stays")], verdict="fail"), settings
        )
        assert [result for result in warehouse.publish(settings) if result.failed] == []
    assert warehouse.contents(on_lake.snapshot) == warehouse.contents(in_file.snapshot)
    assert rows(on_lake.snapshot, "select comment from duckdb_columns() where table_name = 'calls' and column_name = 'call_id'") != [
        (None,)
    ]
    assert warehouse.already_graded(on_lake, [call("a"), call("d")], speech_model="speech-1") == {"a"}

    before = on_lake.snapshot.stat()
    warehouse.publish(on_lake)
    assert on_lake.snapshot.stat().st_mtime_ns == before.st_mtime_ns  # nothing was new


def test_a_lake_in_a_bucket_holds_what_a_file_holds_and_forgets_as_it_does(tmp_path: Path) -> None:
    with postgres.running() as server, bucket.running() as store:
        on_lake = Settings(
            warehouse=tmp_path / "lake" / "w.duckdb", lake=parse(f"ducklake:{server}callgrade?data=s3://{store.name}/rows")[0]
        )
        in_file = Settings(warehouse=tmp_path / "file" / "w.duckdb")
        for settings in (on_lake, in_file):
            assert warehouse.load(stage(settings, "b", [call("a"), call("b", client_ref="stays")], words=(SECRET, "день")), settings)
            assert [result for result in warehouse.publish(settings) if result.failed] == []
        assert warehouse.contents(on_lake.snapshot) == warehouse.contents(in_file.snapshot)
        assert _held(store.objects()) == {"a", "b"}
        for settings in (on_lake, in_file):
            warehouse.erase_client(settings, "c-1")
            warehouse.publish(settings)
        assert warehouse.contents(on_lake.snapshot) == warehouse.contents(in_file.snapshot)
        assert _held(store.objects()) == {"b"}
        assert not (tmp_path / "lake" / "rows").exists() and not Path("s3:").exists()


def test_two_machines_load_at_once_and_both_batches_are_there(site: Site) -> None:
    loaders = [PROCESSES.Process(target=_load, args=(site, name)) for name in ("second", "third")]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join(120)
    assert [loader.exitcode for loader in loaders] == [0, 0]
    warehouse.publish(site.machine("first"))
    loaded = rows(
        site.machine("first").snapshot, "select call_id, count(*) from turns where call_id like 'at-once%' group by all order by all"
    )
    assert loaded == [("at-once-both", 2), ("at-once-second", 2), ("at-once-third", 2)]


def test_a_killed_writer_keeps_nobody_waiting_and_leaves_nothing(site: Site) -> None:
    writer = PROCESSES.Process(target=_killed_while_writing, args=(site,))
    writer.start()
    writer.join(120)
    assert writer.exitcode == -signal.SIGKILL
    with open_for_writing(site.machine("first"), timeout_s=5.0) as db:
        assert db.execute("select count(*) from core.received where call_id = 'half'").fetchone() == (0,)
        with pytest.raises(TransientError, match=r"from 127\.0\.0\.1"), open_for_writing(site.machine("second"), timeout_s=0.0):
            pass


def test_an_erased_client_is_in_no_file_of_the_lake_nor_its_catalogue(site: Site) -> None:
    settings = site.machine("first")
    assert _holding(site)
    flow.erase_client(settings, "c-1")
    assert _holding(site) == []
    warehouse.publish(settings)
    assert _holding(site) == []
    assert rows(settings.snapshot, "select call_id from calls") == [("c",)]


def test_a_lake_of_an_earlier_version_keeps_its_calls_and_forgets_an_erased_client(site: Site, tmp_path: Path) -> None:
    server = site.database.removesuffix("callgrade")
    postgres.ask(f"{server}postgres", "create database earlier")
    earlier = Site(f"ducklake:{server}earlier?data={tmp_path / 'rows'}", tmp_path, f"{server}earlier")
    settings = earlier.machine("first")
    warehouse.load(stage(settings, "b", [call("a"), call("b", client_ref="stays")], words=(SECRET, "день")), settings)
    warehouse.publish(settings)
    before = warehouse.contents(settings.snapshot)
    with open_for_writing(settings) as db:
        downgrade(db, "0011_reasons_as_keys.sql")
    assert warehouse.already_graded(settings, [call("a"), call("d")], speech_model="speech-1") == {"a"}
    warehouse.publish(settings)
    assert warehouse.contents(settings.snapshot) == before
    with open_for_writing(settings) as db:
        left = "select schema_name, table_name from duckdb_tables() where schema_name in ('store', 'made')"
        assert db.execute(left).fetchall() == [("store", "migrations")]
    flow.erase_client(settings, "stays")
    flow.erase_client(settings, "c-1")
    warehouse.publish(settings)
    assert _holding(earlier) == []


def test_what_is_missing_is_reported_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = parse("ducklake:postgresql://callgrade:se'cret@127.0.0.1:1/callgrade?data=/shared")[0]
    with pytest.raises(TransientError, match="cannot be reached") as refused, lake.open_for_reading(closed):
        pass
    assert "cret" not in str(refused.value)
    monkeypatch.setattr(duckdb, "__version__", "9.9.9")
    with pytest.raises(MisconfiguredError, match=r"v9.9.9/ducklake.duckdb_extension is missing. Install it with: pip install duckdb-ext"):
        lake.extension_file("ducklake")


def _load(site: Site, name: str) -> None:
    settings = site.machine(name)
    calls = [call(f"at-once-{name}"), call("at-once-both", sound="both")]
    warehouse.load(stage(settings, name, calls), settings)


def _killed_while_writing(site: Site) -> None:
    with open_for_writing(site.machine("second")) as db:
        db.execute("begin")
        db.execute("insert into core.received values ('half', null)")
        os.kill(os.getpid(), signal.SIGKILL)


def _held(objects: Mapping[str, bytes]) -> set[str]:
    """The calls that have rows in a bucket."""
    found = [pl.read_parquet(content) for key, content in objects.items() if key.endswith(".parquet")]
    return {call_id for rows in found if "call_id" in rows.columns for call_id in rows["call_id"]}


def _holding(site: Site) -> list[str]:
    """Where the words or the name of the client still stand: in the copies, the catalogue, or the rows, whose text is packed."""
    found = [str(path) for path in site.folder.rglob("*.duckdb") if SECRET.encode() in path.read_bytes()]
    said = postgres.dump(site.database)
    found += [line for line in said.splitlines() if SECRET in line or "c-1" in line.split("\t")]
    for path in site.files():
        with duckdb.connect() as db:
            held = " ".join(str(row) for row in db.execute("from read_parquet(?)", [str(path)]).fetchall())
        if SECRET in held or "c-1" in held:
            found.append(str(path))
    return found
