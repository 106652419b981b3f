"""`callgrade accounts`: who may sign in to the web application."""

from __future__ import annotations

import argparse

from pipelines.cli.options import Commands, add_command, add_warehouse
from pipelines.core.settings import Settings


def add_to(commands: Commands) -> None:
    """Add the sub-command."""
    parser = add_command(
        commands, "accounts", run, "who may sign in to the web application; passwords are asked for, or read from standard input"
    )
    parser.add_argument("action", choices=("add", "edit", "list", "password", "close", "open"), help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="whose account")
    add_warehouse(parser)
    parser.add_argument("--role", choices=("operator", "trainer", "analyst", "manager", "administrator"), help="what an account may do")
    parser.add_argument("--centre", action="append", default=[], metavar="ID", help="a centre that it sees; may be repeated, or all")
    parser.add_argument("--operator-id", metavar="ID", help="for an operator: whose calls it shows, as the call log writes it")
    parser.add_argument("--new-operator", action="store_true", help="accept an --operator-id that is not in any published call yet")
    parser.add_argument("--hears-personal-data", action=argparse.BooleanOptionalAction, help="recordings are not beeped for it")


def run(arguments: argparse.Namespace) -> int:
    """Carry it out; returns the exit status."""
    from pipelines.cli import manage_accounts

    settings = Settings.from_environment(warehouse=arguments.warehouse)
    given = manage_accounts.AccountOptions(
        arguments.role, arguments.centre, arguments.operator_id, arguments.hears_personal_data, arguments.new_operator
    )
    return manage_accounts.run(settings, arguments.action, arguments.name, given)
