"""Kills the work of Callgrade as often as asked: `python -m tests.crash --kills 1000 --seed 1`.

Exit status 0 when every run after a kill gave the result of an undisturbed run.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from models import private_files

BEFORE = ("at-once", "audio", "words", "segments", "dropped")  # two processes side by side; a staged file of this kind cut short


def main() -> int:
    """Run as many kills as asked, say how it goes, and end with a summary."""
    private_files.apply_umask()
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100, help="how many times to disturb (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed chooses the same faults (default: %(default)s)")
    parser.add_argument("--scene", action="append", help="only this scene (may be given more than once)")
    parser.add_argument(
        "--before",
        action="append",
        choices=("none", *BEFORE),
        help="what is tried once before the kills (default: all; may be given more than once)",
    )
    parser.add_argument("--most-s", type=float, default=float("inf"), help="stop after so many seconds (default: when all is done)")
    given = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):  # read when these libraries are loaded
        os.environ.setdefault(name, "1")
    from tests.crash.harness import Harness, Tally

    started, tally, said_at = time.monotonic(), Tally(), 0.0
    with tempfile.TemporaryDirectory(prefix="callgrade-crash-") as folder:
        harness = Harness(Path(folder), *([tuple(given.scene)] if given.scene else []))
        lasting = ", ".join(f"{one.scene.name}: {one.took_s:.1f} s and {len(one.calls)} calls" for one in harness.prepared)
        print(f"{len(harness.prepared)} scenes prepared in {time.monotonic() - started:.0f} s ({lasting})", flush=True)
        for what in given.before or BEFORE:
            if what == "at-once":
                harness.at_once(harness.prepared[0], tally)
            elif what != "none":
                harness.cut_short(harness.prepared[0], what, tally)
        for line in tally.wrong:
            print(f"WRONG {line}", flush=True)
        faults = harness.random_faults(random.Random(given.seed))
        while tally.killed.total() < given.kills and time.monotonic() - started < given.most_s:
            wrong = len(tally.wrong)
            harness.disturb(*next(faults), tally)
            for line in tally.wrong[wrong:]:
                print(f"WRONG {line}", flush=True)
            if time.monotonic() - said_at > 10:
                said_at = time.monotonic()
                print(f"{said_at - started:5.0f} s  {tally}", flush=True)
    cpu_s = sum(os.times()[:4])
    never = sorted({call.part for one in harness.prepared for call in one.calls} - tally.parts.keys())
    print("hit: " + ", ".join(f"{part} {n}" for part, n in sorted(tally.parts.items())) + f"; never: {', '.join(never) or 'none'}")
    print(f"{time.monotonic() - started:.0f} s ({cpu_s:.0f} s of processor time), seed {given.seed}: {tally}")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
