"""`callgrade export`: writes a view or the result of a query to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.options import Commands, add_command, add_warehouse


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "export", run, "write a view, or the result of a query, as an Excel sheet or a Parquet file")
    parser.add_argument("what", help="a view (operator_scorecards, calls, ...), or a .sql file with one query")
    parser.add_argument("out", type=Path, help="the file to write: .xlsx (timestamps in the centre's local time) or .parquet")
    add_warehouse(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.core.settings import Settings
    from pipelines.warehouse import export

    rows = export.export(Settings.from_environment(warehouse=arguments.warehouse), arguments.what, arguments.out)
    print(f"{rows} rows in {arguments.out}")
    return 0
