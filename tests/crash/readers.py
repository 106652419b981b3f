"""Twenty processes read the published copy without a pause while another loads and publishes: `python -m tests.crash.readers`.

Each reading takes a count and a checksum. They must belong to one state that was published, and no reader may ever meet an error.
Exit status 0 when that held.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from models import private_files
from pipelines import warehouse
from pipelines.core.settings import Settings
from tests.staged import call, stage

READERS = 20
PUBLISHED = 4  # times
STATE = "select count(*), md5(string_agg(call_id || coalesce(score_pct, 0), ',' order by call_id)) from calls left join evaluations using (call_id)"


def main() -> int:
    """Run the loader and the readers to the end, and say what was seen."""
    private_files.apply_umask()
    with tempfile.TemporaryDirectory(prefix="callgrade-readers-") as folder:
        settings = Settings(warehouse=Path(folder) / "w.duckdb")
        done = Path(folder) / "done"
        _wait([_start(Path(folder) / "first", lambda: _publish(settings, 0))])
        readers = [_start(Path(folder) / f"reader-{n}", lambda: _read(settings, done)) for n in range(READERS)]
        loader = _start(Path(folder) / "loader", lambda: [_publish(settings, n) for n in range(1, PUBLISHED)])
        _wait([loader])
        done.touch()
        _wait(readers)
        published = {pickle.loads((Path(folder) / "first").read_bytes()), *pickle.loads((Path(folder) / "loader").read_bytes())}
        seen = [pickle.loads((Path(folder) / f"reader-{n}").read_bytes()) for n in range(READERS)]
    states = set().union(*({state for state, _ in one} for one in seen))
    readings = sum(count for one in seen for _, count in one)
    print(
        f"{READERS} readers, {readings} readings, {len(states)} of {len(published)} published states seen, {len(states - published)} others"
    )
    return 0 if states <= published and len(states) > 1 and readings >= READERS else 1


def _publish(settings: Settings, n: int) -> tuple[Any, ...]:
    """Load five calls more and judge five others anew; the state that is then published."""
    warehouse.load(stage(settings, f"new-{n}", [call(f"{n}-{k}") for k in range(5)]), settings)
    if n:
        warehouse.load(stage(settings, f"again-{n}", [call(f"{n - 1}-{k}") for k in range(5)], verdict="fail"), settings)
    warehouse.publish(settings)
    return _state(settings)


def _read(settings: Settings, done: Path) -> list[tuple[tuple[Any, ...], int]]:
    os.nice(10)  # otherwise the loader would get one twentieth of the CPU
    seen: dict[tuple[Any, ...], int] = {}
    while True:
        is_last = done.exists()
        state = _state(settings)
        seen[state] = seen.get(state, 0) + 1
        if is_last:
            return list(seen.items())


def _state(settings: Settings) -> tuple[Any, ...]:
    with duckdb.connect(str(settings.snapshot), read_only=True, config={"threads": 1}) as db:
        row = db.execute(STATE).fetchone()
    assert row is not None
    return row


def _start(said: Path, work: Callable[[], Any]) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            said.write_bytes(pickle.dumps(work()))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child


def _wait(children: list[int]) -> None:
    for child in children:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            raise AssertionError(f"A process ended with {status}.")


if __name__ == "__main__":
    sys.exit(main())
