"""A whole run by stage: from recordings to published pages, stereo and mono calls separately, in seconds and as times real time."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pipelines.audio import step as audio
from pipelines.core.settings import ROOT
from pipelines.intake.folder import read_folder
from tests.benchmarks import report
from tests.benchmarks.whole import RECOGNITION_STEPS, STAGES, Run, measured

LOGGER = logging.getLogger("callgrade")


def main(argv: Sequence[str] | None = None) -> int:
    """Grade the stereo calls of a folder, then the mono ones, and print where the time went."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks stages", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "tests" / "calls", help="recordings with calls.csv")
    parser.add_argument("--limit", type=int, metavar="N", help="only N calls of each layout")
    parser.add_argument("--threads", type=int, default=2, help="of the engines (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="batches side by side; above 1 the stages cannot be told apart")
    parser.add_argument("--profile", default="offline")
    report.arguments(parser)
    given = parser.parse_args(argv)
    runs = {}
    for layout, ids in layouts(given.folder).items():
        chosen = ids if given.limit is None else ids[: given.limit]
        LOGGER.info("%d %s calls", len(chosen), layout)
        if chosen:
            threads = max(1, given.threads // given.workers)
            runs[layout] = measured(given.folder, only=chosen, threads=threads, workers=given.workers, profile=given.profile)
    result = {
        "benchmark": "stages", "folder": str(given.folder), "threads": given.threads, "workers": given.workers, "profile": given.profile,
        "layouts": {layout: asdict(run) for layout, run in runs.items()},
    }  # fmt: skip
    workers = f", {given.workers} workers" if given.workers > 1 else ""
    about = f"{given.folder.name}, profile {given.profile}, {given.threads} threads{workers}: " + ", ".join(
        f"{run.calls} {layout} calls of {run.audio_s / 60:.1f} min" for layout, run in runs.items()
    )
    report.publish(result, f"{about}\n\n{table(runs)}", given.json)
    return 0


def layouts(folder: Path) -> dict[str, list[str]]:
    """The ids of the folder's stereo and mono calls, by what the sound is, not by what the file claims."""
    found: dict[str, list[str]] = {"stereo": [], "mono": []}
    for call in read_folder(folder).calls:
        found["stereo" if audio.decode(call.recording).tracks.shape[0] == 2 else "mono"].append(call.call_id)
    return found


def table(runs: Mapping[str, Run]) -> str:
    """One row a stage; × real time is the length of the calls divided by the wall seconds."""
    head = ["stage", *(f"{layout} {what}" for layout in runs for what in ("wall s", "CPU s", "share of CPU", "× real time"))]
    names = [name for name in (*STAGES, "whole") if any(name in run.stages for run in runs.values())]
    parts: list[tuple[str, list[str] | None]] = [(name, [name]) for name in names]
    rows = []
    for title, chosen in [*parts, ("hearing (audio to diarize)", list(RECOGNITION_STEPS)), ("all", None)]:
        row: list[object] = [title]
        for run in runs.values():
            wall, cpu = run.seconds(chosen)
            share = f"{100 * cpu / run.seconds()[1]:.0f} %" if run.seconds()[1] else ""
            row += [f"{wall:.2f}", f"{cpu:.2f}", share, f"{run.audio_s / wall:.1f}" if wall else ""]
        rows.append(row)
    return report.markdown(head, rows)
