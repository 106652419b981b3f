"""Shared parts of the sub-commands: their parser, the warehouse option, and error output."""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from pipelines.core.printable import printable

Commands: TypeAlias = "argparse._SubParsersAction[ArgumentParser]"


def add_command(commands: Commands, name: str, run: Callable[[argparse.Namespace], int], help_text: str) -> ArgumentParser:
    """Add the parser of a sub-command; `run` executes it and returns the exit status."""
    parser = commands.add_parser(name, help=help_text)
    parser.set_defaults(run=run)
    return parser


def add_warehouse(parser: ArgumentParser) -> None:
    """Add `--warehouse` and `--centres`, which most sub-commands take."""
    parser.add_argument("--warehouse", type=Path, help="the DuckDB file (default: ./callgrade.duckdb, or CALLGRADE_WAREHOUSE)")
    add_centres(parser)


def add_centres(parser: ArgumentParser) -> None:
    """Add `--centres`; the command line applies it before the sub-command runs."""
    parser.add_argument(
        "--centres",
        type=Path,
        metavar="DIR",
        help="your own centre profiles, DIR/ID.yaml, beside the packaged ones (default: CALLGRADE_CENTRES)",
    )


def tell(problem: object) -> None:
    """Print a problem to standard error."""
    print("callgrade:", printable(str(problem), keep="\n"), file=sys.stderr)
