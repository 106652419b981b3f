"""`callgrade check`: runs the data checks on a warehouse."""

from __future__ import annotations

import argparse

from pipelines.cli.options import Commands, add_command, add_warehouse


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "check", run, "run the data checks on a warehouse")
    add_warehouse(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines import warehouse
    from pipelines.core.settings import Settings

    results = warehouse.check(Settings.from_environment(warehouse=arguments.warehouse))
    for result in results:
        print(result)
    return 1 if any(result.failed for result in results) else 0
