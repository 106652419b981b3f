"""Growth of cost and memory with the number of calls: the folder's calls repeated under new ids, through a whole run each time."""

from __future__ import annotations

import argparse
import csv
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipelines.audio import step as audio
from pipelines.core.settings import ROOT
from pipelines.intake.folder import LOG_NAME, read_folder
from tests.benchmarks import report
from tests.benchmarks.speech import write_wav
from tests.benchmarks.whole import RECOGNITION_STEPS, Run, measured

LOGGER = logging.getLogger("callgrade")


def main(argv: Sequence[str] | None = None) -> int:
    """Grade 10, 100, 1,000 calls, each number in a process of its own, and print what a call costs and the most memory held."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks growth", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "tests" / "calls", help="recordings with calls.csv")
    parser.add_argument("--calls", default="10,100,1000", help="how many, one run each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each call, from its start; 0: all of it (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of the engines (default: %(default)s)")
    parser.add_argument("--profile", default="offline")
    report.arguments(parser)
    given = parser.parse_args(argv)
    runs = []
    for count in (int(number) for number in given.calls.split(",")):
        LOGGER.info("%d calls", count)
        with tempfile.TemporaryDirectory(prefix="callgrade-growth-") as temporary:
            repeat(given.folder, count, given.seconds, Path(temporary))
            runs.append(measured(Path(temporary), threads=given.threads, profile=given.profile))
    result = {
        "benchmark": "growth", "folder": str(given.folder), "seconds": given.seconds, "threads": given.threads, "profile": given.profile,
        "runs": [asdict(run) for run in runs],
    }  # fmt: skip
    length = f"the first {given.seconds:.0f} s of each call" if given.seconds else "whole calls"
    about = f"the calls of {given.folder.name} repeated, {length}, profile {given.profile}, {given.threads} threads"
    report.publish(result, f"{about}\n\n{table(runs)}", given.json)
    return 0


def repeat(folder: Path, count: int, seconds: float, into: Path) -> None:
    """Write `count` recordings with their call log, made of the folder's calls in turn.

    The log must be as the documentation says, in UTF-8 with commas. Each copy ends with another number of silent samples: intake takes two files with the same bytes for one recording.
    """
    with (folder / LOG_NAME).open(encoding="utf-8", newline="") as file:
        log = {row["call_id"]: row for row in csv.DictReader(file)}
    calls = [call for call in read_folder(folder).calls if call.call_id in log]
    rows = []
    for first, call in enumerate(calls[:count]):
        tracks = audio.decode(call.recording).tracks
        tracks = tracks[:, : int(seconds * audio.RATE_HZ)] if seconds else tracks
        for copy, _ in enumerate(range(first, count, len(calls))):
            call_id = f"{call.call_id}-{copy:04d}"
            write_wav(np.pad(tracks, ((0, 0), (0, copy))), into / f"{call_id}.wav")
            rows.append({**log[call.call_id], "call_id": call_id, "recording": f"{call_id}.wav"})
    with (into / LOG_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def table(runs: Sequence[Run]) -> str:
    """One row a run; the last column shows how much dearer a call became from one run to the next."""
    head = [
        "calls", "rejected", "sound min", "hearing CPU s a call", "whole run CPU s a call", "whole run wall s a call", "× real time", "batches",
        "peak MB", "peak MB of the first and the last full batch", "cost a call beside the row above",
    ]  # fmt: skip
    rows, before = [], 0.0
    for run in runs:
        wall, cpu = run.seconds()
        full = run.batch_peaks_mb[:-1] or run.batch_peaks_mb  # the last batch is seldom full
        row = [
            run.calls, run.rejected, f"{run.audio_s / 60:.1f}", f"{run.seconds(RECOGNITION_STEPS)[1] / run.calls:.2f}", f"{cpu / run.calls:.2f}",
            f"{wall / run.calls:.2f}", f"{run.audio_s / wall:.1f}", len(run.batch_peaks_mb), round(run.peak_mb),
            f"{full[0]:.0f}, {full[-1]:.0f}", report.ratio(cpu / run.calls, before),
        ]  # fmt: skip
        rows.append(row)
        before = cpu / run.calls
    return report.markdown(head, rows)
