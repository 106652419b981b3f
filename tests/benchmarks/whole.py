"""A whole run in a separate process, as `callgrade grade` does it, with the seconds of each stage and the memory of each batch."""

from __future__ import annotations

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
from pipelines.core.settings import Settings
from pipelines.intake.folder import read_folder
from tests.benchmarks.processes import answer_of
from tests.benchmarks.worker import STATUS, Stages, peak_mb

RECOGNITION_STEPS = ("audio", "transcribe", "diarize")
STAGES = ("models", "intake", *flow.STEPS, "load", "publish")
LOGGER = logging.getLogger("callgrade")


@dataclass(slots=True)
class Run:
    """What one run took: wall and CPU seconds by stage, and the most memory while each batch was judged."""

    calls: int = 0
    rejected: int = 0
    audio_s: float = 0.0
    stages: dict[str, list[float]] = field(default_factory=dict)
    batch_peaks_mb: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    def seconds(self, stages: Sequence[str] | None = None) -> tuple[float, float]:
        """Wall and CPU seconds of some stages, or of all."""
        chosen = [both for name, both in self.stages.items() if stages is None or name in stages]
        return sum(wall for wall, _ in chosen), sum(cpu for _, cpu in chosen)


def measured(folder: Path, *, only: Sequence[str] | None = None, threads: int = 2, workers: int = 1, profile: str = "offline") -> Run:
    """Grade a folder (or some of its calls) in another process and return what it took; its progress lines go where ours do.

    Raises EngineError when the process fails.
    """
    order = {"folder": str(folder), "only": only, "workers": workers, "profile": profile}
    return Run(**answer_of("whole", order, threads))


def run(order: Mapping[str, Any], warehouse: Path) -> Run:
    """Grade in this process. The recogniser is loaded first, by itself; what other models cost stands in the step that needs them."""
    settings = Settings.from_environment(warehouse=warehouse, profile=order["profile"], workers=order["workers"])
    stages, result = Stages(), Run()
    with stages.timed("intake"):
        intake = read_folder(Path(order["folder"]))
        calls = [call for call in intake.calls if order["only"] is None or call.call_id in order["only"]]
    if settings.workers > 1:
        with stages.timed("whole"):
            flow.grade(calls, (), settings)
        batches = [flow.Batch(folder.parent) for folder in settings.stage.glob("*/calls.parquet")]
    else:
        with stages.timed("models"):
            loading.get_recogniser(settings.profile, settings.models_dir)
        with stages.timed("intake"):
            batches = flow.receive(calls, (), settings)
        for number, batch in enumerate(batches, 1):
            LOGGER.info("batch %d of %d: %d calls", number, len(batches), len(batch.calls()))
            _forget_peak()
            for name in flow.STEPS:
                with stages.timed(name):
                    flow.run_step(name, batch, settings)
            with stages.timed("load"):
                flow.load(batch, settings)
            result.batch_peaks_mb.append(round(peak_mb(), 1))
        _forget_peak()
        with stages.timed("publish"):
            flow.publish(settings, {call.call_id: Path(call.recording) for call in calls})
    result.calls, result.stages = len(calls), dict(stages)
    result.rejected = sum(len(batch.rejected()) for batch in batches)
    result.audio_s = round(sum(facts.duration_s for batch in batches for facts in batch.read("audio")), 1)
    result.peak_mb = max([*result.batch_peaks_mb, peak_mb()])
    return result


def _forget_peak() -> None:
    """Begin the count of the most memory anew, where the system can (Linux)."""
    if STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")


def main() -> int:
    """Run what the argument says (JSON) in a temporary warehouse and print the result as JSON."""
    from pipelines.cli.progress import show_progress

    with tempfile.TemporaryDirectory(prefix="callgrade-benchmark-") as temporary, show_progress():
        result = run(json.loads(sys.argv[1]), Path(temporary) / "benchmark.duckdb")
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
