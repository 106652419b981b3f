"""`callgrade centre`: writes the first profile of a centre, checks profiles, and lists or undoes their versions."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.options import Commands, add_command, add_warehouse, tell

if TYPE_CHECKING:
    from pipelines.centres.new_profile import ProfileAnswers


COMMAND = "callgrade centre"  # who undid an activation, in the log and the audit, where it was no account


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "centre", run, "write the profile of a new centre, or check profiles")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="write DIR/ID.yaml, a commented profile to start from; asks for what is not given")
    new.add_argument("id", metavar="ID", help="the id of the centre: small Latin letters, digits, underscores")
    new.add_argument("folder", metavar="DIR", type=Path, help="the folder of your profiles, later given with --centres")
    new.add_argument("--name", help="the display name")
    new.add_argument("--languages", metavar="LIST", help="languages of the calls, the main one first: ru, uk, hu, en")
    new.add_argument("--timezone", metavar="NAME", help="an IANA name such as Europe/Kyiv")
    new.add_argument("--company", metavar="LIST", help="how the company is called, the proper spelling first")
    new.add_argument("--hours", metavar="FROM-TO", help="hours of the full service, such as 8-20; empty for round the clock")
    new.add_argument("--lines", metavar="LIST", help="lines of support, as in the call log")
    new.add_argument("--topics", metavar="LIST", help="'complaint; where_is_parcel: the client asks where a parcel is; ...'")
    check = actions.add_parser("check", help="list every error of the profiles in DIR, with file, line and the nearest allowed value")
    check.add_argument("folder", metavar="DIR", type=Path, help="the folder of your profiles")
    history = actions.add_parser("history", help="list the versions of a profile: since when, activated when and by whom")
    undo = actions.add_parser("undo", help="write the version before as a new version, in force from today")
    for action in (history, undo):
        action.add_argument("id", metavar="ID", help="the id of the centre")
        add_warehouse(action)


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status: 2 when a profile is wrong."""
    match arguments.action:
        case "new":
            return _new(arguments)
        case "check":
            return _check(arguments.folder)
        case "history":
            return _history(arguments)
        case _:
            return _undo(arguments)


def _new(arguments: argparse.Namespace) -> int:
    from pipelines.centres.new_profile import write_profile
    from pipelines.core.errors import MisconfiguredError

    if not arguments.id.replace("_", "a").isalnum() or not arguments.id.isascii() or arguments.id != arguments.id.lower():
        raise MisconfiguredError(
            f"The id {arguments.id!r} is not allowed: use small Latin letters, digits and underscores, such as parcels."
        )
    path = write_profile(arguments.id, arguments.folder, _answers(arguments))
    print(
        f"{path} is written. Add examples to its topics, then:\n"
        f"  callgrade centre check {arguments.folder}\n"
        f"  callgrade grade RECORDINGS --centres {arguments.folder} --centre {arguments.id}"
    )
    return 0


def _answers(arguments: argparse.Namespace) -> ProfileAnswers:
    """The answers from the options, and from the terminal where an option is missing; defaults where there is no terminal."""
    from pipelines.centres.new_profile import ProfileAnswers, parse_hours, parse_topics

    def ask(given: str | None, question: str, default: str) -> str:
        if given is not None or not sys.stdin.isatty():
            return default if given is None else given
        return input(f"{question} [{default}]: ").strip() or default

    name = ask(arguments.name, "Name of the centre", arguments.id)
    return ProfileAnswers(
        name=name,
        languages=_split(ask(arguments.languages, "Languages of the calls (ru, uk, hu, en), the main one first", "en")),
        timezone=ask(arguments.timezone, "Time zone", _local_zone()),
        company_names=_split(ask(arguments.company, "How the company is called, several spellings with commas", name)),
        hours=parse_hours(ask(arguments.hours, "Hours of the full service, such as 8-20; empty for round the clock", "")),
        lines=_split(ask(arguments.lines, "Lines of support, as in the call log", "first, second")),
        topics=parse_topics(
            ask(arguments.topics, "Topics: known ids, and your own as `id: description`, with semicolons", "complaint; other")
        ),
    )


def _check(folder: Path) -> int:
    from pipelines.centres.checking import check_folder

    is_wrong = False
    for result in check_folder(folder):
        if result.centre is None:
            is_wrong = True
            for error in result.errors:
                tell(error)
            continue
        card = result.centre.scorecard
        print(f"{result.path}: right; {len(result.centre.topics)} topics, {len(card.criteria)} criteria, scorecard version {card.version}")
        for line in result.advice:
            print(f"  could be better: {line}")
    return 2 if is_wrong else 0


def _history(arguments: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from pipelines.core.settings import Settings
    from pipelines.scorecards.activation import history

    for one in history(Settings.from_environment(warehouse=arguments.warehouse), arguments.id):
        at = datetime.fromtimestamp(one.activated_at, UTC).strftime("%Y-%m-%d %H:%M UTC") if one.activated_at is not None else ""
        who = f"activated {at} by {one.activated_by}" if at else "written by hand"
        print(f"{one.version}{' (newest)' if one.is_current else ''}: from {one.effective_from}, {who}; {one.path}")
    return 0


def _undo(arguments: argparse.Namespace) -> int:
    from pipelines.app_db import audit
    from pipelines.app_db.database import open_store
    from pipelines.core.settings import Settings
    from pipelines.scorecards import activation

    settings = Settings.from_environment(warehouse=arguments.warehouse)
    store = open_store(settings)
    version = activation.undo(settings, store, arguments.id, COMMAND)
    audit.write(store, None, COMMAND, "scorecard_undone", f"{arguments.id} {version}", arguments.id)
    newest, *_ = activation.history(settings, arguments.id)
    print(f"{newest.path} is written: version {version}, the same as before the undone one, in force from {newest.effective_from}.")
    return 0


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _local_zone() -> str:
    """The time zone of this machine, or UTC where it has no name."""
    from zoneinfo import ZoneInfo

    link = Path("/etc/localtime")
    name = str(link.resolve()).partition("zoneinfo/")[2] if link.is_symlink() else ""
    try:
        ZoneInfo(name or "UTC")
    except (ValueError, KeyError):
        return "UTC"
    return name or "UTC"
