"""The best settings for a GPU: batch sizes and compute types with the largest available Whisper model, time by part, and memory."""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pipelines.core.settings import ROOT
from tests.benchmarks import peers, report, transcription
from tests.benchmarks.processes import Engine
from tests.benchmarks.speech import Spoken, prepare

LOGGER = logging.getLogger("callgrade")
PEER = "faster-whisper-batched"
WORSE_BY = 0.5  # per cent: a setting whose error rate is higher than the best by this much is not chosen, however fast


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every setting and print the best as lines for registry.yaml; without a GPU say so and what would be run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks gpu", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "tests" / "calls", help="recordings with calls.csv and reference/")
    parser.add_argument("--weights", type=Path, help="a CTranslate2 Whisper (default: the largest in .models)")
    parser.add_argument("--batch-sizes", default="8,16,32,64")
    parser.add_argument("--compute-types", default="float16,int8_float16")
    parser.add_argument("--limit", type=int, metavar="N", help="only N calls, spread over the folder")
    parser.add_argument("--threads", type=int, default=4, help="of each engine, for what runs beside the card (default: %(default)s)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: try the command itself where there is no card")
    parser.add_argument("--peers-venv", type=Path, default=peers.VENV, help="WhisperX is measured too when it is installed there")
    report.arguments(parser)
    given = parser.parse_args(argv)
    weights = given.weights or largest(ROOT / ".models")
    settings = list(itertools.product(given.compute_types.split(","), [int(size) for size in given.batch_sizes.split(",")]))
    if given.device == "cuda" and not cards():
        print(no_card(weights, given.folder, settings))
        return 0
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="callgrade-benchmark-") as temporary:
        calls = prepare(given.folder, Path(temporary), given.limit)
        engines = ["callgrade", PEER]
        for number, (compute_type, batch_size) in enumerate(settings):
            LOGGER.info("setting %d of %d: %s, batches of %d", number + 1, len(settings), compute_type, batch_size)
            options = options_of(given.device, given.threads, compute_type, batch_size)
            rows += _measured(engines, calls, options, weights, given.peers_venv, Path(temporary) / str(number))
        best = best_of(rows)
        options = options_of(given.device, given.threads, best["compute_type"], best["batch_size"])
        others = ["faster-whisper", *(["whisperx"] if peers.is_ready(given.peers_venv) else [])]
        rows += _measured(others, calls, options, weights, given.peers_venv, Path(temporary) / "others")
        parts = where_time_goes(calls, options, weights, Path(temporary) / "parts")
    result = {"benchmark": "gpu", "cards": cards(), "weights": str(weights), "settings": rows, "best": best, "parts": parts}
    report.publish(result, summary(result, calls), given.json)
    return 0


def cards() -> list[str]:
    """The names of the GPUs that CTranslate2 can use."""
    import ctranslate2

    count = int(ctranslate2.get_cuda_device_count())
    if not count:
        return []
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        if len(listed) >= count:
            return listed[:count]
    return ["CUDA device"] * count


def largest(models_dir: Path) -> Path:
    """The largest Whisper for CTranslate2 under the models' folder, the hub's snapshots among them. Raises FileNotFoundError when there is none."""
    found = [file.parent for pattern in ("*/model.bin", "hub/*/snapshots/*/model.bin") for file in models_dir.glob(pattern)]
    whispers = [folder for folder in found if "alignment_heads" in _config(folder)]
    if not whispers:
        raise FileNotFoundError(f"There is no Whisper for CTranslate2 in {models_dir}; bring one with `make setup`, or give --weights.")
    return max(whispers, key=lambda folder: (folder / "model.bin").stat().st_size)


def no_card(weights: Path, folder: Path, settings: Sequence[tuple[str, int]]) -> str:
    """What is said where there is no GPU: that, and what would be run on one."""
    tried = ", ".join(f"{compute_type} × {batch_size}" for compute_type, batch_size in settings)
    return (
        "There is no GPU here: CTranslate2 sees no CUDA device. Nothing was measured.\n"
        f"On a machine with one, this command would hear {folder} with {weights.name} ({size_mb(weights):.0f} MB), Callgrade and {PEER} by turns,\n"
        f"once for each of {len(settings)} settings (compute type × batch size: {tried}),\n"
        "then faster-whisper one call after another (and WhisperX, where `make benchmark` has installed it) with the best of them,\n"
        "and print throughput, memory of the card, where the time goes, and the lines for the `gpu` profile in models/registry.yaml."
    )


def size_mb(weights: Path) -> float:
    """How large the model's file is."""
    return (weights / "model.bin").stat().st_size / 2**20


def options_of(device: str, threads: int, compute_type: str, batch_size: int) -> dict[str, Any]:
    """What every engine is told for one setting."""
    return {"device": device, "threads": threads, "compute_type": compute_type, "beam_size": 5, "batch_size": batch_size}


def best_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fastest of Callgrade's settings that hears about as well as the best of them."""
    own = [row for row in rows if row["engine"] == "callgrade"]
    least = min(row["wer"] for row in own)
    return dict(min((row for row in own if row["wer"] <= least + WORSE_BY), key=lambda row: row["wall_s"]))


def where_time_goes(calls: Sequence[Spoken], options: Mapping[str, Any], weights: Path, folder: Path) -> dict[str, float]:
    """Wall seconds of Callgrade's parts, each launch on the card waited for, so that a part's time is its own."""
    folder.mkdir(parents=True)
    own = {**options, "weights": str(weights), "parts": True}
    with Engine("callgrade", own, log=folder / "log", extra={"CUDA_LAUNCH_BLOCKING": "1"}) as engine:
        engine.ask(transcription.request("callgrade", calls[:1], folder / "warm"))
        answer = engine.ask(transcription.request("callgrade", calls, folder / "all"))
    parts: dict[str, float] = {name: round(seconds, 2) for name, seconds in answer["parts"].items()}
    return {**parts, "all": round(sum(wall for wall, _ in answer["stages"].values()), 2)}


def summary(result: Mapping[str, Any], calls: Sequence[Spoken]) -> str:
    """The tables and the lines for the registry."""
    audio_s = sum(spoken.duration_s for spoken in calls)
    head = ["engine", "compute type", "batch", "wall s", "× real time", "WER %", "card MB"]
    rows = [
        [transcription.NAMES[row["engine"]], row["compute_type"], row["batch_size"], row["wall_s"], f"{audio_s / row['wall_s']:.1f}", row["wer"], row["card_mb"]]
        for row in result["settings"]
    ]  # fmt: skip
    best, parts = result["best"], result["parts"]
    spent = [[name, seconds, f"{100 * seconds / parts['all']:.0f} %"] for name, seconds in parts.items()]
    parameters = f"device: cuda, compute_type: {best['compute_type']}, beam_size: 5, batch_size: {best['batch_size']}"
    return "\n\n".join(
        [
            f"{len(calls)} calls, {audio_s / 60:.1f} min, {Path(result['weights']).name} on {', '.join(result['cards']) or 'the processor (a trial)'}",
            report.markdown(head, rows),
            report.markdown(["part of Callgrade", "wall s", "share"], spent),
            f"For the model of the `gpu` profile in models/registry.yaml:\n\n    parameters: {{{parameters}}}",
        ]
    )


def _measured(
    engines: Sequence[str], calls: Sequence[Spoken], options: dict[str, Any], weights: Path, venv: Path, folder: Path
) -> list[dict[str, Any]]:
    """One row an engine. Each is loaded, measured and ended before the next, so that the card's memory is its alone."""
    rows = []
    for name in engines:
        (folder / name).mkdir(parents=True)
        with CardMemory() as card:
            (score,) = transcription.compare([name], calls, options, weights, venv, 1, folder / name, own_weights=True)
        row = {"engine": name, "wall_s": round(score.wall_s, 2), "cpu_s": round(score.cpu_s, 2), "wer": round(score.wer(), 2)}
        rows.append({**row, "compute_type": options["compute_type"], "batch_size": options["batch_size"], "card_mb": card.most_mb})
    return rows


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return config


class CardMemory:
    """How much more memory of the first card is taken at most within the block than before it; 0 where nobody can say."""

    def __init__(self, read: Callable[[], int] | None = None, every_s: float = 0.2) -> None:
        self._read, self._every_s = read or _card_mb, every_s
        self.most_mb = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._done.wait(self._every_s):
            self.most_mb = max(self.most_mb, self._read() - self._before)

    def __enter__(self) -> CardMemory:
        self._before = self._read()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()


def _card_mb() -> int:
    if not shutil.which("nvidia-smi"):
        return 0
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return int(shown) if shown.isdigit() else 0
