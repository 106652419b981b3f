"""`callgrade serve`: runs the web application."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.options import Commands, add_command, add_warehouse


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "serve", run, "run the web application for quality managers, trainers and operators")
    add_warehouse(parser)
    parser.add_argument("--port", type=int, default=8750, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine only); others need --certificate"
    )
    parser.add_argument("--public-url", metavar="URL", help="the public address, where a proxy on this machine provides https")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="PEM certificate, for https without a proxy")
    parser.add_argument("--key", type=Path, metavar="FILE", help="PEM key of the certificate")


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from pipelines.core.settings import Settings
    from pipelines.web import server

    listening = server.ListenAddress(arguments.host, arguments.port, arguments.public_url, arguments.certificate, arguments.key)
    return server.serve(Settings.from_environment(warehouse=arguments.warehouse), listening)
