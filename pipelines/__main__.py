"""The `callgrade` command: the same steps as the Dags, without Airflow.

Exit status: 0 every call was graded or rejected with a reason, 1 nothing could be done, 2 wrong arguments or settings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TextIO, cast

from models import private_files
from models.registry import ModelError
from pipelines.cli import (
    accounts,
    alerts,
    cases,
    centre,
    check,
    clips,
    demo,
    discover,
    export,
    grade,
    models,
    regrade_report,
    schema,
    serve,
    status,
)
from pipelines.cli.options import tell
from pipelines.cli.progress import show_progress
from pipelines.core.errors import CallgradeError, MisconfiguredError
from pipelines.core.printable import PrintableStream

COMMANDS = (
    grade,
    demo,
    serve,
    accounts,
    clips,
    export,
    alerts,
    discover,
    cases,
    check,
    status,
    regrade_report,
    models,
    centre,
    schema,
)  # the order in the help


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        private_files.apply_umask()
        if getattr(arguments, "centres", None) is not None:
            from pipelines.core.settings import use_centres  # not at the top: `callgrade --help` must not wait for it

            use_centres(arguments.centres)
        with show_progress(), redirect_stdout(cast(TextIO, PrintableStream(sys.stdout))):
            result: int = arguments.run(arguments)
            return result
    except (MisconfiguredError, ModelError) as error:
        tell(error)
        return 2
    except CallgradeError as error:
        tell(error)
        return 1
    except KeyboardInterrupt:
        from pipelines.decoding import processes

        processes.stop()  # threads that wait for a decoder would keep this process alive
        print("callgrade: stopped; finished work is stored, run the same command again to continue.", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The argument parser of the command, with every subcommand."""
    parser = argparse.ArgumentParser(prog="callgrade", description="Grade recorded calls: scorecards, coaching clips and a DuckDB file.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
