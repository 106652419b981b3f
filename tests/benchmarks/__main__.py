"""The benchmarks, one command: `python -m tests.benchmarks WHAT [FOLDER] [options]`; docs/benchmarks/speed.md explains each.

transcription  Callgrade, WhisperX and faster-whisper on the same calls, alternating
diarization    Callgrade and the pyannote pipeline that it is built on, alternating
stages         a whole run, seconds by stage, stereo and mono calls separately
judgement      the cost of judging calls compared with transcribing them, for start-up and for each further call
growth         the cost of a call and the memory of a run of 10, 100, 1,000 calls
preview        trying a scorecard on past calls, beside reading the same calls through the turn model
gpu            on a machine with a GPU: batch sizes and compute types with the largest model; without one it only reports that
all            the first five with their defaults
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from models import private_files
from models.registry import ModelError
from pipelines.cli.progress import show_progress
from pipelines.core.errors import CallgradeError
from tests.benchmarks.processes import EngineError

EACH = ("transcription", "diarization", "stages", "judgement", "growth")
ALONE = ("preview", "gpu")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark and return its exit status: 0 measured, 1 something broke, 2 it cannot run as told."""
    private_files.apply_umask()
    what, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if what in ("-h", "--help"):
        print(__doc__)
        return 0
    if what not in (*EACH, *ALONE, "all"):
        print(f"There is no benchmark {what!r}; there are {', '.join((*EACH, 'gpu', 'all'))}.", file=sys.stderr)
        return 2
    try:
        with show_progress():
            return max(_run(name, rest) for name in (EACH if what == "all" else (what,)))
    except EngineError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    except (CallgradeError, ModelError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2


def _run(name: str, rest: Sequence[str]) -> int:
    status: int = importlib.import_module(f"tests.benchmarks.{name}").main(rest)
    return status


if __name__ == "__main__":
    sys.exit(main())
