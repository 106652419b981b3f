"""`callgrade alerts`: reports urgent conditions in the published copy."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.options import Commands, add_command, add_warehouse, tell


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "alerts", run, "report urgent conditions in the published copy by e-mail or webhook; see docs/alerts.md")
    add_warehouse(parser)
    parser.add_argument("--rules", type=Path, metavar="FILE", help="the rules (default: alerts.yaml in the folder beside the warehouse)")
    parser.add_argument("--test", action="store_true", help="only send a test message to every channel")


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines import alerts
    from pipelines.core.settings import Settings

    settings = Settings.from_environment(warehouse=arguments.warehouse, alerts=arguments.rules)
    report = alerts.try_channels(settings) if arguments.test else alerts.run(settings)
    if report is None:
        print(f"No alerts are configured: {settings.site / 'alerts.yaml'} does not exist. See docs/alerts.md.")
        return 0
    print(f"{report.sent} sent, {report.waiting} waiting, {report.given_up} given up")
    for problem in report.problems:
        tell(problem)
    return 1 if report.problems else 0
