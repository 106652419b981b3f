"""`callgrade accounts`: manages the accounts of the web application."""

from __future__ import annotations

import argparse

from pipelines.cli.options import Commands, add_command, add_warehouse


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(
        commands, "accounts", run, "manage the accounts of the web application; passwords are read from a prompt or from standard input"
    )
    parser.add_argument("action", choices=("add", "edit", "list", "password", "close", "open"), help="the action")
    parser.add_argument("name", nargs="?", metavar="NAME", help="whose account")
    add_warehouse(parser)
    parser.add_argument("--role", choices=("operator", "trainer", "analyst", "manager", "administrator"), help="the role of the account")
    parser.add_argument("--centre", action="append", default=[], metavar="ID", help="a centre with access; may be repeated, or all")
    parser.add_argument("--operator-id", metavar="ID", help="for an operator: the operator id in the call log")
    parser.add_argument("--new-operator", action="store_true", help="accept an --operator-id that is not in any published call yet")
    parser.add_argument("--hears-personal-data", action=argparse.BooleanOptionalAction, help="recordings are not beeped for this account")


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.cli import manage_accounts
    from pipelines.core.settings import Settings

    settings = Settings.from_environment(warehouse=arguments.warehouse)
    given = manage_accounts.AccountOptions(
        arguments.role, arguments.centre, arguments.operator_id, arguments.hears_personal_data, arguments.new_operator
    )
    return manage_accounts.run(settings, arguments.action, arguments.name, given)
