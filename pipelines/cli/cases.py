"""`callgrade cases`: tests the rules on the regression cases from upheld disputes."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.options import Commands, add_command, add_warehouse
from pipelines.core.choices import PROFILES


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "cases", run, "write new regression cases from upheld disputes, then test the rules on all cases")
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="folder of the cases (default: cases, in the folder beside the warehouse)"
    )
    add_warehouse(parser)
    parser.add_argument("--profile", choices=PROFILES, help="the model profile (default: offline)")


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.core.settings import Settings
    from pipelines.reviews import regression_cases

    return regression_cases.run(Settings.from_environment(warehouse=arguments.warehouse, profile=arguments.profile), arguments.folder)
