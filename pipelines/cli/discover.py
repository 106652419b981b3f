"""`callgrade discover`: searches a week for reasons for calling that fit no topic."""

from __future__ import annotations

import argparse
from datetime import date

from pipelines.cli.options import Commands, add_command, add_warehouse


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "discover", run, "search a week for reasons for calling that fit no topic; see docs/topic-discovery.md")
    add_warehouse(parser)
    parser.add_argument("--centre", metavar="ID", help="only this centre (default: all with calls and a profile)")
    parser.add_argument(
        "--until", type=date.fromisoformat, metavar="DAY", help="last day of the week, YYYY-MM-DD (default: the latest Sunday)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.core.settings import Settings
    from pipelines.discovery.weekly import LEAST_EARLIER, LEAST_NEW, discover

    searched = discover(Settings.from_environment(warehouse=arguments.warehouse), arguments.centre, arguments.until)
    for week in searched:
        print(f"{week.centre_id}, {week.first_day} to {week.last_day}: {week.calls} calls")
        if week.too_few:
            print(
                f"  Too few calls without a topic to compare: {LEAST_NEW} of the week and {LEAST_EARLIER} of the weeks before are needed."
            )
        elif not week.found:
            print("  No new reason.")
        for reason in week.found:
            share = 100 * len(reason.calls) / max(reason.compared, 1)
            was = 100 * reason.earlier / max(reason.earlier_compared, 1)
            print(f"  {', '.join(reason.words)}: {share:.1f} % of calls, {was:.1f} % before (p = {reason.p_value:.3f})")
    if not searched:
        print("No centre has both calls and a profile.")
    return 0
