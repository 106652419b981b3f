from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.intake.folder import read_folder
from pipelines.intake.inbox import network_errors
from pipelines.intake.object_store import pull

LOG = "call_id,centre,recording,started_at\nc-1,irkutsk,x.wav,2024-10-21 08:47\n"


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    memory = fsspec.filesystem("memory")
    memory.pipe("/records/2024-10-21/calls.csv", LOG.encode())
    memory.pipe("/records/2024-10-21/a/x.wav", b"sound")
    memory.pipe("/records/2024-10-22/a/y.wav", b"another day")
    yield memory
    memory.rm("/records", recursive=True)


def test_a_day_comes_into_a_folder_that_intake_reads(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    paths = pull("memory://records/2024-10-21", tmp_path / "inbox")

    assert [p.relative_to(tmp_path / "inbox").as_posix() for p in paths] == ["a/x.wav", "calls.csv"]
    intake = read_folder(tmp_path / "inbox")
    assert [c.call_id for c in intake.calls] == ["c-1"]
    assert not intake.rejected


def test_what_is_there_is_not_fetched_again_and_a_broken_pull_goes_on(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    pull("memory://records/2024-10-21", tmp_path)
    before = (tmp_path / "calls.csv").stat().st_mtime_ns
    (tmp_path / "a" / "x.wav").write_bytes(b"so")
    (tmp_path / "a" / "x.wav.part").write_bytes(b"s")

    pull("memory://records/2024-10-21/", tmp_path)

    assert (tmp_path / "a" / "x.wav").read_bytes() == b"sound"
    assert not (tmp_path / "a" / "x.wav.part").exists()
    assert (tmp_path / "calls.csv").stat().st_mtime_ns == before


def test_a_local_address_works_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "day" / "deep").mkdir(parents=True)
    (tmp_path / "day" / "deep" / "запись 1.wav").write_bytes(b"1")

    (path,) = pull(f"file://{tmp_path}/day", tmp_path / "inbox")

    assert path == tmp_path / "inbox" / "deep" / "запись 1.wav"


def test_a_key_that_points_out_of_the_inbox_is_left_out(
    store: fsspec.AbstractFileSystem, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.store["/records/2024-10-21/../../../evil.wav"] = store.store["/records/2024-10-21/a/x.wav"]

    with caplog.at_level(logging.WARNING, "callgrade"):
        paths = pull("memory://records/2024-10-21", tmp_path / "deep" / "inbox")

    assert all(tmp_path / "deep" / "inbox" in p.parents for p in paths)
    assert not list(tmp_path.rglob("evil.wav"))


@pytest.mark.parametrize("url", ["memory://records/2030-01-01", "nosuch://bucket/day"])
def test_an_address_with_nothing_behind_it_says_so(url: str, tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match=url):
        pull(url, tmp_path)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(TimeoutError("slow"), TransientError), (ConnectionResetError(), TransientError), (PermissionError(), MisconfiguredError),
     (type("NoCredentialsError", (Exception,), {})(), MisconfiguredError), (EOFError(), TransientError)],
)  # fmt: skip
def test_a_network_error_says_whether_to_try_again(raised: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected, match="s3://b/day"), network_errors("s3://b/day"):
        raise raised
