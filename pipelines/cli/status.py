"""`callgrade status`: says what is out of date and why."""

from __future__ import annotations

import argparse

from pipelines.cli.options import Commands, add_command, add_warehouse
from pipelines.core.settings import PROFILES, Settings


def add_to(commands: Commands) -> None:
    """Add the sub-command."""
    parser = add_command(
        commands, "status", run, "what was graded by rules, phrases or models that have changed since, and what will be done again"
    )
    add_warehouse(parser)
    parser.add_argument("--profile", choices=PROFILES, help="the models in use (default: offline)")


def run(arguments: argparse.Namespace) -> int:
    """Carry it out; returns the exit status."""
    from pipelines.core import staleness

    print(staleness.report(Settings.from_environment(warehouse=arguments.warehouse, profile=arguments.profile)))
    return 0
