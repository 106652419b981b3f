"""`callgrade cases`: tests the rules against the cases that upheld disputes left."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.options import Commands, add_command, add_warehouse
from pipelines.core.settings import PROFILES, Settings


def add_to(commands: Commands) -> None:
    """Add the sub-command."""
    parser = add_command(commands, "cases", run, "test the rules against the cases that upheld disputes left, writing the new ones first")
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="where the cases lie (default: cases, in the folder beside the warehouse)"
    )
    add_warehouse(parser)
    parser.add_argument("--profile", choices=PROFILES, help="which models read the words (default: offline)")


def run(arguments: argparse.Namespace) -> int:
    """Carry it out; returns the exit status."""
    from pipelines.reviews import regression_cases

    return regression_cases.run(Settings.from_environment(warehouse=arguments.warehouse, profile=arguments.profile), arguments.folder)
