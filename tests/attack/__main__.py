"""Attacks a server on this machine: `python -m tests.attack --seconds 60`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.attack import attacks, harness


def main() -> int:
    """Print what was seen; 1 when a page was refused or not answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=500, help="hostile ones (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two tries on a connection (default: %(default)s)")
    parser.add_argument("--only", choices=[made.__name__ for made in attacks.ATTACKS], default="", help="one attack alone")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="callgrade-attack-") as folder:
        report = harness.run(harness.make_site(Path(folder)), given.seconds, given.connections, given.pause, given.only)
    print(report.text())
    return int(bool(report.errors) or set(report.statuses) - {200, 303} != set())


if __name__ == "__main__":
    sys.exit(main())
