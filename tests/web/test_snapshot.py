"""The published copy in a server: the rows of its calls, reloaded after a swap, without long waits for aggregates."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from pipelines import warehouse
from pipelines.coaching import call_sound
from pipelines.coaching.call_sound import Staged
from pipelines.core.published import NUMBERED
from pipelines.core.settings import Settings
from pipelines.queries import snapshot
from pipelines.queries.call_details import VIEWS
from pipelines.queries.snapshot import Snapshot, SnapshotReader


@pytest.fixture
def copied(judged: Settings, tmp_path: Path) -> Settings:
    """A site of its own whose copy may be swapped."""
    settings = Settings.from_environment(warehouse=tmp_path / "judged.duckdb")
    shutil.copytree(judged.site, settings.site)
    return settings


def swap(settings: Settings) -> None:
    """Publish the same again, as another file."""
    part = settings.snapshot.with_suffix(".part")
    shutil.copy(settings.snapshot, part)
    part.replace(settings.snapshot)


@pytest.fixture
def watched(copied: Settings) -> Iterator[tuple[Snapshot, list[threading.Event]]]:
    """A snapshot whose copies get warm only when the event that belongs to each is set."""
    found, gates = Snapshot(copied), [threading.Event() for _ in range(4)]
    met: list[tuple[int, ...]] = []

    def warm(published: SnapshotReader) -> None:
        met.append(published.generation)
        gates[len(met) - 1].wait(20)

    gates[0].set()
    found.keep_warm(warm)
    yield found, gates
    for gate in gates:
        gate.set()
    found.close()


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end and not holds():
        time.sleep(0.02)
    return holds()


def test_rows_of_calls_are_those_that_looking_through_all_finds(copied: Settings) -> None:
    site = Snapshot(copied)
    with site.read() as reading:
        every = [row["call_id"] for row in reading.rows("select call_id from calls order by call_id")]
        assert len(every) > 5
        for view in (*VIEWS, "words", "calls"):
            columns = [row["column_name"] for row in reading.rows(f"describe {view}")]
            rows = reading.rows(f"select * from {view} order by {', '.join(columns)}")
            assert view not in NUMBERED or rows
            for ids in ([every[0]], every[:1] + every[-1:], every, ["nobody's"], [every[2], "' or true --"], []):
                found = reading.of_calls(view, ids, ", ".join(columns))
                assert found == [row for row in rows if row["call_id"] in ids], (view, ids)
        more = ("call_id, turn_no", "call_id, turn_no", "role = ? and turn_no > ?", ["client", 1])
        expected = reading.rows("select call_id, turn_no from turns where role = 'client' and turn_no > 1 order by all")
        assert reading.of_calls("turns", every, *more) == expected != []
    site.close()


def test_the_previous_copy_is_served_until_the_new_one_is_warm(
    copied: Settings, watched: tuple[Snapshot, list[threading.Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PATIENCE_S", 0.05)
    site, gates = watched

    def current_generation() -> tuple[int, ...]:
        with site.read() as reading:
            assert reading.rows("select count(*) as n from calls")[0]["n"] > 5
            return reading.generation

    first = current_generation()
    swap(copied)
    assert [current_generation(), current_generation()] == [first, first]
    swap(copied)  # and once more before that one is warm: it is waited for all the same
    assert current_generation() == first
    gates[1].set()
    assert until(lambda: current_generation() != first)
    second = current_generation()
    gates[2].set()
    assert until(lambda: current_generation() not in (first, second))


def test_an_old_copy_is_served_no_longer_than_that(
    copied: Settings, watched: tuple[Snapshot, list[threading.Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PATIENCE_S", 0.05)
    monkeypatch.setattr(snapshot, "LONGEST_OLD_S", 0.2)
    site, _ = watched
    with site.read() as reading:
        first = reading.generation
    swap(copied)

    def other() -> bool:
        with site.read() as reading:
            return reading.generation != first

    assert until(other)


@pytest.mark.parametrize("is_warming", [False, True])
def test_a_copy_without_forgotten_calls_is_read_at_once(
    judged: Settings, copied: Settings, watched: tuple[Snapshot, list[threading.Event]], monkeypatch: pytest.MonkeyPatch, is_warming: bool
) -> None:
    """Although it is not warm, and although one that was published shortly before is being warmed."""
    monkeypatch.setattr(snapshot, "PATIENCE_S", 0.05)
    shutil.copy(judged.warehouse, copied.warehouse)
    site, _ = watched

    def calls() -> int:
        with site.read() as reading:
            return int(reading.rows("select count(*) as n from calls")[0]["n"])

    assert calls() == 7
    if is_warming:
        swap(copied)
        assert calls() == 7
    warehouse.erase_client(copied, "c-1")
    assert calls() == 0


def test_batches_are_read_once_and_new_ones_are_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    really = pl.read_parquet
    monkeypatch.setattr(pl, "read_parquet", lambda file, **more: (read.append(file), really(file, **more))[1])

    def batch(name: str, call_id: str) -> None:
        recording = settings.warehouse.parent / f"{call_id}.wav"
        recording.write_bytes(b"x")
        folder = settings.stage / name
        folder.mkdir(parents=True)
        pl.DataFrame({"call_id": [call_id], "recording": [str(recording)]}).write_parquet(folder / "calls.parquet")

    staged = Staged(settings)
    assert staged.recording("a") is None  # there is no stage yet
    batch("one", "a")
    assert staged.recording("a") == settings.warehouse.parent / "a.wav"
    for _ in range(5):
        assert staged.recording("gone") is None
    assert len(read) == 1  # what is gone is not looked for in every batch again and again
    batch("two", "b")
    assert staged.recording("b") is not None and len(read) == 2
    (settings.warehouse.parent / "b.wav").unlink()
    assert staged.recording("b") is None
    batch_file = settings.stage / "one" / "calls.parquet"
    pl.DataFrame({"call_id": ["a", "c"], "recording": [str(settings.warehouse.parent / "a.wav")] * 2}).write_parquet(batch_file)
    monkeypatch.setattr(call_sound, "LOOK_AGAIN_S", 0.0)
    assert staged.recording("c") is not None and len(read) == 3
