"""`callgrade status`: lists outdated results and why they are outdated."""

from __future__ import annotations

import argparse

from pipelines.cli.options import Commands, add_command, add_warehouse
from pipelines.core.choices import PROFILES


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(
        commands, "status", run, "list what was graded by rules, phrases or models that have changed since, and what will be redone"
    )
    add_warehouse(parser)
    parser.add_argument("--profile", choices=PROFILES, help="the model profile in use (default: offline)")


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.core import staleness
    from pipelines.core.settings import Settings

    print(staleness.report(Settings.from_environment(warehouse=arguments.warehouse, profile=arguments.profile)))
    return 0
