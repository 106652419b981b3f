"""`callgrade alerts`: tells what the published copy says that somebody must know."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.options import Commands, add_command, add_warehouse, tell
from pipelines.core.settings import Settings


def add_to(commands: Commands) -> None:
    """Add the sub-command."""
    parser = add_command(
        commands, "alerts", run, "tell by e-mail or webhook what the published copy says that somebody must know; see docs/alerts.md"
    )
    add_warehouse(parser)
    parser.add_argument("--rules", type=Path, metavar="FILE", help="the rules (default: alerts.yaml in the folder beside the warehouse)")
    parser.add_argument("--test", action="store_true", help="only send a line to every channel that says that alerts arrive there")


def run(arguments: argparse.Namespace) -> int:
    """Carry it out; returns the exit status."""
    from pipelines import alerts

    settings = Settings.from_environment(warehouse=arguments.warehouse, alerts=arguments.rules)
    told = alerts.try_channels(settings) if arguments.test else alerts.run(settings)
    if told is None:
        print(f"No alerts are set up: {settings.site / 'alerts.yaml'} is not there. docs/alerts.md shows how to write it.")
        return 0
    print(f"{told.sent} told, {told.waiting} waiting, {told.given_up} given up")
    for problem in told.problems:
        tell(problem)
    return 1 if told.problems else 0
