"""`callgrade grade`: grades a folder of recordings, or of transcripts."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from models.cores import let_people_go_first
from pipelines.cli.options import Commands, add_command, add_warehouse
from pipelines.core import heap
from pipelines.core.choices import KEEP_TEXT, PROFILES
from pipelines.core.records import Medium


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "grade", run, "grade a folder of recordings with its call log")
    parser.add_argument("folder", type=Path, help="recordings, at any depth, and a call log calls.csv")
    add_warehouse(parser)
    parser.add_argument("--log", type=Path, help="the call log, where it is not FOLDER/calls.csv")
    parser.add_argument("--profile", choices=PROFILES, help="the model profile (default: offline)")
    parser.add_argument("--centre", metavar="ID", help="centre of the calls whose log does not name one")
    parser.add_argument("--keep-text", choices=KEEP_TEXT, help="raw keeps personal data readable in the warehouse (default: redacted)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="batches graded in parallel (default: 1; the models already use every core)"
    )
    parser.add_argument(
        "--transcripts",
        action="store_true",
        help="FOLDER contains CALL_ID.json files with the turns of each call, from another recogniser or typed, instead of recordings",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.core.settings import Settings

    heap.share_one_heap()
    let_people_go_first()
    from pipelines import flow
    from pipelines.cli import summary
    from pipelines.core import preflight
    from pipelines.intake.folder import read_folder

    signal.siginterrupt(signal.SIGINT, True)  # polars sets the opposite, and a waiting thread would not be interrupted by Ctrl-C
    settings = Settings.from_environment(
        warehouse=arguments.warehouse,
        profile=arguments.profile,
        keep_text=arguments.keep_text,
        workers=arguments.workers,
        recordings=arguments.folder,
        call_log=arguments.log,
    )
    medium: Medium = "transcript" if arguments.transcripts else "recording"
    preflight.check(settings, job="text" if medium == "transcript" else None)
    intake = read_folder(settings.recordings, settings.call_log, arguments.centre, medium=medium)
    flow.grade(intake.calls, intake.rejected, settings)
    print(summary.of_run(settings, [c.call_id for c in intake.calls]))
    return 0 if summary.holds_any(settings) else 1
