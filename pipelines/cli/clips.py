"""`callgrade clips`: copies coaching clips into a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.options import Commands, add_command, add_warehouse


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "clips", run, "copy coaching clips with their sidecars into a folder")
    parser.add_argument("out", type=Path, help="folder for the clips; created when missing")
    add_warehouse(parser)
    parser.add_argument("--call", metavar="CALL_ID", help="clips of one call")
    parser.add_argument("--criterion", metavar="ID", help="clips of one criterion")
    parser.add_argument("--kind", choices=("good_example", "to_improve"), help="clips of one kind")


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.coaching import clip_extraction
    from pipelines.core.settings import Settings

    settings = Settings.from_environment(warehouse=arguments.warehouse)
    copied = clip_extraction.export_clips(
        settings, arguments.out, call_id=arguments.call, criterion_id=arguments.criterion, kind=arguments.kind
    )
    print(f"{len(copied)} clips in {arguments.out}")
    return 0
