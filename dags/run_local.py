"""Runs Dags without a scheduler or a server: `python -m dags.run_local pull_calls grade_calls publish_scorecards`.

Used by `callgrade demo`. The Dags are loaded from the same files, through the same bundle, as on a server, and mapped tasks are really
mapped; but a single process runs everything, so that each model is loaded once. Messages of the steps go to standard output, one line
each, `LEVEL message`; Airflow's own output goes to logs/run_local.log in AIRFLOW_HOME.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from models import private_files
from pipelines.core.printable import printable

ROOT = Path(__file__).resolve().parents[1]


def main(dag_ids: Sequence[str]) -> int:
    """Run these Dags one after the other; 0 when all succeeded, 1 with the failed tasks and the path of the log."""
    private_files.apply_umask()
    log = Path(os.environ["AIRFLOW_HOME"]) / "logs" / "run_local.log"
    with _quietly(log) as out:
        _say(out, "preparing Airflow")
        _prepare()
        _report_to(out)
        for dag_id in dag_ids:
            _say(out, f"Dag {dag_id}")
            failed = _run(dag_id)
            if failed:
                _say(out, f"Dag {dag_id} failed in {', '.join(failed)}; {_last_error(log)} Full log: {log}", "ERROR")
                return 1
    return 0


def standalone() -> NoReturn:
    """Replace this process by Airflow's scheduler and web UI, with the same home and Dags; does not return."""
    from pipelines.cli.demo import SAMPLE_CALLS, airflow_environment

    private_files.apply_umask()
    private_files.tighten(ROOT / ".airflow")  # Airflow stores the passwords that it generates there
    os.environ.update(airflow_environment(ROOT / ".airflow"))
    if not {"CALLGRADE_RECORDINGS", "CALLGRADE_SOURCE"} & os.environ.keys():
        os.environ["CALLGRADE_RECORDINGS"] = str(SAMPLE_CALLS)  # so that a first run has data
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # Airflow starts its components as `airflow`
    _prepare()
    os.execv(sys.executable, [sys.executable, "-m", "airflow", "standalone"])


def _prepare() -> None:
    """Set up Airflow's metadata database and the pools that the Dags need; fast when they exist."""
    from airflow.models.pool import Pool
    from airflow.utils import db

    from dags.rules import POOLS

    try:
        db.check_migrations(1)  # type: ignore[no-untyped-call]
    except TimeoutError:
        db.initdb()
    for name, (slots, description) in POOLS.items():
        if Pool.get_pool(name) is None:  # a pool that an administrator changed is left as it is
            Pool.create_or_update_pool(name, slots, description, include_deferred=False)


def _run(dag_id: str) -> list[str]:
    """Run one Dag; returns the names of its failed tasks."""
    from airflow.dag_processing.dagbag import BundleDagBag

    bag = BundleDagBag(dag_folder=ROOT, bundle_path=ROOT, bundle_name="callgrade")
    if bag.import_errors:
        raise SystemExit("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
    run = bag.dags[dag_id].test()
    bad = sorted({ti.task_id for ti in run.get_task_instances() if ti.state == "failed"})
    return bad or ([] if run.state == "success" else [f"the run itself ({run.state})"])


class _quietly:
    """Redirect everything written to standard output and error, by any library, to a file; yields the original standard output."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def __enter__(self) -> TextIO:
        private_files.make_folder(self.log.parent)
        out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
        file = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, private_files.file_mode())
        for stream in (1, 2):
            os.dup2(file, stream)
        os.close(file)
        return out

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()


def _report_to(out: TextIO) -> None:
    """Send only the steps' own log messages to `out`; call it after Airflow has set up logging, which it does in its own way."""
    logger = logging.getLogger("callgrade")
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _say(out: TextIO, message: str, level: str = "INFO") -> None:
    print(level, printable(message), file=out)


def _last_error(log: Path) -> str:
    """The last error line of the log in Python's format: `SomeError: what was wrong`."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.strip() for line in lines if line.split(":", 1)[0].endswith(("Error", "Exception")) and " " not in line.split(":", 1)[0]]
    return errors[-1] if errors else ""


if __name__ == "__main__":
    if sys.argv[1:] == ["--standalone"]:
        standalone()
    sys.exit(main(sys.argv[1:]))
