"""The cost of judging compared with transcribing: turns, personal data and scores of 4, 15, 56 calls, each number in a new process.

The cost of a further call is the difference between two numbers of calls: judging the same calls twice in one process would find the words
and vectors of the first time in memory.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.asr import loading
from pipelines import flow
from pipelines.core.settings import ROOT, Settings
from pipelines.core.staging import Batch
from pipelines.intake.folder import read_folder
from tests.benchmarks import report
from tests.benchmarks.processes import answer_of
from tests.benchmarks.speech import spread_over
from tests.benchmarks.whole import RECOGNITION_STEPS
from tests.benchmarks.worker import Stages

JUDGING = ("turns", "redact", "score")
HEARD = ("audio", "words", "segments", "dropped")  # what judging reads of each call
LOGGER = logging.getLogger("callgrade")


@dataclass(frozen=True, slots=True)
class Heard:
    """Calls that were heard in one batch: where it lies, and the CPU seconds of each step."""

    folder: Path
    audio_s: Mapping[str, float]
    stages: Mapping[str, Sequence[float]]

    @property
    def transcription_s(self) -> float:
        """CPU seconds of transcribing one second of sound."""
        return self.stages["transcribe"][1] / max(sum(self.audio_s.values()), 1e-9)


@dataclass(slots=True)
class Judging:
    """What judging some of the calls took in a process of its own, loading what it needs included."""

    calls: int
    audio_s: float
    stages: dict[str, list[float]] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all steps of judging."""
        return sum(cpu for _, cpu in self.stages.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Hear the folder's calls once, judge some, more and all of them, each number in a process of its own, and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks judgement", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "tests" / "calls", help="recordings with calls.csv")
    parser.add_argument("--calls", default="4,15,56", help="how many to judge, one process each (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of the engines (default: %(default)s)")
    parser.add_argument("--profile", default="offline")
    report.arguments(parser)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="callgrade-judgement-") as temporary:
        counts = [int(number) for number in given.calls.split(",")]
        order = {"folder": str(given.folder), "calls": max(counts), "profile": given.profile, "work": temporary}
        answer = answer_of("judgement", {"do": "transcribe", **order}, given.threads)
        heard = Heard(Path(answer["folder"]), answer["audio_s"], answer["stages"])
        counts = sorted({min(count, len(heard.audio_s)) for count in counts})
        runs = []
        for count in counts:
            LOGGER.info("judging %d calls", count)
            runs.append(
                Judging(**answer_of("judgement", {"do": "judge", **order, "heard": str(heard.folder), "calls": count}, given.threads))
            )
    result = {
        "benchmark": "judgement", "folder": str(given.folder), "threads": given.threads, "profile": given.profile, "hearing": heard.stages,
        "audio_s": sum(heard.audio_s.values()), "transcription_s_per_s": heard.transcription_s,
        "runs": [asdict(run) for run in runs],
    }  # fmt: skip
    about = f"{given.folder.name}, {len(heard.audio_s)} calls of {sum(heard.audio_s.values()) / 60:.1f} min, profile {given.profile}"
    report.publish(result, f"{about}, {given.threads} threads\n\n{table(heard, runs)}", given.json)
    return 0


def table(heard: Heard, runs: Sequence[Judging]) -> str:
    """One row a number of calls; shares are of transcribing the same sound, and a further call is one beyond those of the row above."""
    head = [
        "calls", "transcription, CPU s a call", "judging with start-up, CPU s a call", "share", "of it turns, redact, score",
        "each further call, CPU s", "share",
    ]  # fmt: skip
    rows, before = [], Judging(0, 0.0)
    for run in runs:
        whole_s = heard.transcription_s * run.audio_s
        further = ["", ""]
        if before.calls and run.calls > before.calls:
            more_s = run.cpu_s - before.cpu_s
            further = [
                f"{more_s / (run.calls - before.calls):.2f}",
                _percent(more_s, heard.transcription_s * (run.audio_s - before.audio_s)),
            ]
        parts = ", ".join(f"{run.stages[name][1] / run.calls:.2f}" for name in JUDGING)
        rows.append(
            [run.calls, f"{whole_s / run.calls:.2f}", f"{run.cpu_s / run.calls:.2f}", _percent(run.cpu_s, whole_s), parts, *further]
        )
        before = run
    return report.markdown(head, rows)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def transcribe_folder(order: Mapping[str, Any]) -> dict[str, Any]:
    """Stage the first calls of a folder as one batch, spread over it, and hear them in this process."""
    settings = _settings(order, "heard")
    calls = read_folder(Path(order["folder"])).calls
    calls = spread_over(calls, order["calls"])
    loading.get_recogniser(settings.profile, settings.models_dir)
    batch = Batch(settings.stage / "heard")
    batch.write("calls", calls)
    stages = Stages()
    for name in RECOGNITION_STEPS:
        with stages.timed(name):
            flow.STEPS[name](batch, settings)
    lengths = {facts.call_id: facts.duration_s for facts in batch.read("audio")}
    return {"folder": str(batch.folder), "audio_s": lengths, "stages": stages}


def judge(order: Mapping[str, Any]) -> dict[str, Any]:
    """Judge some of the calls that were heard, spread over them, in this process."""
    settings = _settings(order, f"judged-{order['calls']}")
    heard = Batch(Path(order["heard"]))
    out = {row.call_id for row in heard.rejected()}
    calls = [call for call in heard.read("calls") if call.call_id not in out]
    calls = spread_over(calls, order["calls"])
    wanted = {call.call_id for call in calls}
    batch = Batch(settings.stage / "judged")
    batch.write("calls", calls)
    for kind in HEARD:
        batch.write(kind, [row for row in heard.read(kind) if row.call_id in wanted])
    stages = Stages()
    for name in JUDGING:
        with stages.timed(name):
            flow.STEPS[name](batch, settings)
    audio_s = sum(facts.duration_s for facts in batch.read("audio"))
    return {"calls": len(calls), "audio_s": round(audio_s, 1), "stages": stages}


def _settings(order: Mapping[str, Any], name: str) -> Settings:
    return Settings.from_environment(warehouse=Path(order["work"]) / f"{name}.duckdb", profile=order["profile"])


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps({"transcribe": transcribe_folder, "judge": judge}[asked["do"]](asked)))
