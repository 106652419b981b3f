"""Measures grading against references: `python -m pipelines.quality FOLDER [--stage STAGE]`, or `--folds FOLDER`.

Prints Markdown tables. Without `--stage` the reference transcripts are graded, which isolates judgement from recognition; with it, the
results of a `callgrade grade` run (its stage is beside the warehouse: `FILE.callgrade/stage`). With `--folds`, the labelled dialogues
of the repository are graded, each by a model that has not seen its writer.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from functools import partial
from pathlib import Path

from models import private_files
from pipelines.core.settings import use_centres
from pipelines.quality.bootstrap import table as intervals
from pipelines.quality.curves import curves, decisions, reliability
from pipelines.quality.dialogue_calls import write_calls
from pipelines.quality.figures import grouped
from pipelines.quality.folds import add_folds, judged_by_folds
from pipelines.quality.noise import misheard
from pipelines.quality.replay import judged_again, replay, staged
from pipelines.quality.tables import criteria, summary


def main() -> int:
    """Measure one folder; exit status 1 when it has no call with a reference."""
    private_files.apply_umask()
    parser = argparse.ArgumentParser(prog="python -m pipelines.quality", description="Measure grading against references.")
    parser.add_argument("folder", type=Path, nargs="?", help="calls.csv and reference/<call_id>.json, or labelled dialogues (*.yaml)")
    parser.add_argument("--stage", type=Path, help="staged batches of a run over these calls, to measure recognised speech")
    parser.add_argument(
        "--noise", type=float, default=0.0, metavar="SHARE", help="share of the words to misrecognise or drop, 0 to 1; grades again"
    )
    parser.add_argument("--seed", type=int, default=1, help="random seed of --noise (default: %(default)s)")
    add_folds(parser, is_required=False)
    parser.add_argument("--centres", type=Path, metavar="DIR", help="centre profiles outside the package")
    arguments = parser.parse_args()
    if arguments.centres:
        use_centres(arguments.centres)
    if (arguments.folder is None) == (arguments.folds is None):
        parser.error("give either a folder of calls or --folds")
    add_errors = partial(misheard, rate=arguments.noise, draw=random.Random(arguments.seed))
    if arguments.folds:
        judged = judged_by_folds(arguments.folds, arguments.noise)
    elif not (arguments.folder / "reference").is_dir():
        with tempfile.TemporaryDirectory() as calls:
            judged = replay(write_calls(arguments.folder, Path(calls)), add_errors=add_errors)
    elif arguments.stage is None:
        judged = replay(arguments.folder, add_errors=add_errors)
    elif arguments.noise:
        judged = list(judged_again(arguments.folder, arguments.stage, add_errors))
    else:
        judged = list(staged(arguments.folder, arguments.stage))
    if not judged:
        print(f"No call of {arguments.folder or arguments.folds} with a reference was graded.", file=sys.stderr)
        return 1
    groups, made = grouped(judged), decisions(judged)
    heading = ("recognised speech" if arguments.stage else "held-out writers" if arguments.folds else "reference transcripts") + (
        f", {arguments.noise:.0%} more recognition errors" if arguments.noise else ""
    )
    print(
        f"## {len(judged)} calls, {heading}\n\n{summary(groups)}\n\n### With intervals\n\n{intervals(judged)}\n\nExpected calibration error {groups['all'].calibration_error:.3f}\n\n### By criterion\n\n{criteria(groups['all'])}\n"
    )
    print(f"### Confidence\n\n{reliability(made)}\n\n### Coverage and accuracy\n\n{curves(made)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
