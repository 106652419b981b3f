"""`callgrade regrade-report`: lists what a regrade with changed rules would change."""

from __future__ import annotations

import argparse

from pipelines.cli.options import Commands, add_command, add_warehouse


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "regrade-report", run, "list what a regrade with changed rules would change, before anything is loaded")
    add_warehouse(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.core.settings import Settings
    from pipelines.quality import regrade

    path = regrade.write_report(Settings.from_environment(warehouse=arguments.warehouse))
    print(path.read_text(encoding="utf-8").partition("## Each change")[0].rstrip() + f"\n\nEach change with its reason: {path}")
    return 0
