"""Staged files: written completely or not at all, and the handling of those that a disk truncated nevertheless."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipelines.core import staging
from pipelines.core.errors import TransientError
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from tests.staged import call, stage


@pytest.fixture
def batch(settings: Settings) -> Batch:
    return stage(settings, "b", [call("a"), call("b")])


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(("kind", "goes"), [
    ("audio", {"audio"}), ("dropped", {"dropped", "turns"}), ("turns", {"turns"}), ("roles", {"roles", "turns"}), ("metrics", {"metrics"}),
])  # fmt: skip
def test_what_is_cut_short_goes_with_what_must_be_made_again_beside_it(batch: Batch, kind: str, goes: set[str]) -> None:
    before = {file.stem for file in batch.folder.glob("*.parquet")}
    cut(batch.path(kind))
    assert not batch.has(kind)
    with pytest.raises(staging.CutShortError, match=kind):
        batch.read(kind)
    assert batch.repair() == [kind]
    assert before - {file.stem for file in batch.folder.glob("*.parquet")} == goes
    assert batch.repair() == []


def test_a_batch_whose_calls_are_cut_short_says_what_to_do(batch: Batch) -> None:
    cut(batch.path("calls"))
    with pytest.raises(staging.CutShortError, match="Remove the folder"):
        batch.repair()


def test_any_length_but_the_whole_is_reported_as_truncated(batch: Batch, tmp_path: Path) -> None:
    content = batch.path("verdicts").read_bytes()
    file = tmp_path / "part.parquet"
    for length in range(0, len(content), 7):
        file.write_bytes(content[:length])
        assert not staging.is_whole(file)
    file.write_bytes(content)
    assert staging.is_whole(file)
    assert not staging.is_whole(tmp_path / "none.parquet")


def test_a_full_disk_is_reported_and_leaves_the_old_file(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    before = batch.read("calls")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TransientError, match="No space left"):
        batch.write("calls", [])
    assert batch.read("calls") == before
    assert not list(batch.folder.rglob("*.part"))


def test_the_next_writer_removes_what_a_killed_one_left_but_not_what_a_living_one_writes(batch: Batch) -> None:
    left, other = batch.folder / ".calls.parquet.dead.part", batch.folder / ".turns.parquet.alive.part"
    left.touch()
    with other.open("wb") as living:
        staging.fcntl.flock(living, staging.fcntl.LOCK_EX)
        batch.repair()
        assert not left.exists() and other.exists()
    batch.write("turns", [])
    assert not other.exists()


def test_unmasked_words_are_wiped_in_one_move(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    batch.write("words", [])
    batch.write("spoken_turns", [])
    monkeypatch.setattr(staging.shutil, "rmtree", lambda *_, **__: None)  # killed before anything was removed
    batch.wipe_private()
    assert not batch.has("words") and not batch.has("spoken_turns")
    monkeypatch.undo()
    batch.repair()
    assert {file.name for file in batch.folder.iterdir() if file.is_dir()} == {"put_aside"}
