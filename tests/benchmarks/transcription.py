"""Transcription by Callgrade, WhisperX and faster-whisper, with the same weights, files, languages and threads, alternating."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.core.settings import ROOT
from pipelines.core.staging import Batch
from tests.benchmarks import peers, report
from tests.benchmarks.callgrade_engine import OF_THE_PROFILE
from tests.benchmarks.processes import Engine
from tests.benchmarks.speech import Errors, Spoken, errors, prepare, rounds, total

LOGGER = logging.getLogger("callgrade")
ENGINES = ("callgrade", "callgrade-finds", "whisperx", "faster-whisper", "faster-whisper-batched")
NAMES = {
    "callgrade": "Callgrade, told the language",
    "callgrade-finds": "Callgrade, finds the language itself",
    "whisperx": "WhisperX (no word times)",
    "whisperx-aligned": "WhisperX with its alignment (random weights)",
    "faster-whisper": "faster-whisper, one after another",
    "faster-whisper-batched": "faster-whisper, batched",
}


@dataclass(slots=True)
class Score:
    """What one engine took and how much of it was wrong."""

    engine: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    audio_step: list[float] = field(default_factory=lambda: [0.0, 0.0])  # wall, CPU: Callgrade's reading and VAD, within the above
    load_s: float = 0.0
    peak_mb: float = 0.0
    by_language: dict[str, list[Errors]] = field(default_factory=dict)

    def add(self, answer: Mapping[str, Any], calls: Sequence[Spoken]) -> None:
        """Count in what one round took."""
        for wall, cpu in answer["stages"].values():
            self.wall_s += wall
            self.cpu_s += cpu
        for n, seconds in enumerate(answer["stages"].get("audio", (0.0, 0.0))):
            self.audio_step[n] += seconds
        self.peak_mb = max(self.peak_mb, answer["peak_mb"])
        for spoken in calls:
            self.by_language.setdefault(spoken.language, []).append(errors(spoken, answer["heard"]))

    def wer(self, language: str | None = None) -> float:
        """Per cent of the words, of one language or of all."""
        return total(e for known, parts in self.by_language.items() if language in (None, known) for e in parts).percent


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what this benchmark may be told."""
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "tests" / "calls", help="recordings with calls.csv and reference/")
    parser.add_argument("--limit", type=int, metavar="N", help="only N calls, spread over the folder")
    parser.add_argument("--rounds", type=int, default=3, help="how often the engines take turns (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of each engine (default: %(default)s)")
    parser.add_argument("--engines", default=",".join(ENGINES), help=f"some of {', '.join(NAMES)} (default: all but the aligned one)")
    parser.add_argument(
        "--weights", type=Path, default=ROOT / ".models" / "whisper-base", help="a CTranslate2 Whisper (default: %(default)s)"
    )
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--batch-size", type=int, default=8, help="of the peers; Callgrade takes its profile's (default: %(default)s)")
    parser.add_argument("--peers-venv", type=Path, default=peers.VENV, help="where WhisperX is installed (default: %(default)s)")
    report.arguments(parser)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and print its table; 0 when every engine answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks transcription", description=__doc__)
    arguments(parser)
    given = parser.parse_args(argv)
    chosen = list(dict.fromkeys(given.engines.split(",")))
    if unknown := [name for name in chosen if name not in NAMES]:
        parser.error(f"there is no engine {unknown[0]!r}; there are {', '.join(NAMES)}")
    if any(name.startswith("whisperx") for name in chosen):
        peers.ensure(given.peers_venv)
    options = {
        "device": "cpu", "threads": given.threads, "compute_type": given.compute_type, "beam_size": 5, "batch_size": given.batch_size,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="callgrade-benchmark-") as temporary:
        calls = prepare(given.folder, Path(temporary), given.limit)
        scores = compare(chosen, calls, options, given.weights, given.peers_venv, given.rounds, Path(temporary))
    result = as_result(scores, calls) | {"folder": str(given.folder), "weights": given.weights.name} | options
    report.publish(result, table(result), given.json)
    return 0


def compare(
    chosen: Sequence[str],
    calls: Sequence[Spoken],
    options: dict[str, Any],
    weights: Path,
    venv: Path,
    turns: int,
    folder: Path,
    *,
    own_weights: bool = False,
) -> list[Score]:
    """Every engine's score on the calls; they take turns, the order going round, and each hears one call before the clock runs.

    Callgrade hears with the weights and parameters of its profile, or with the given ones (`own_weights`).
    """
    scores = {name: Score(name) for name in chosen}
    with ExitStack() as stack:
        engines: dict[str, Engine] = {}
        for process in dict.fromkeys(process_of(name) for name in chosen):
            LOGGER.info("loading %s", process)
            python = peers.python(venv) if process.startswith("whisperx") else Path(sys.executable)
            own = options | {"weights": OF_THE_PROFILE if process == "callgrade" and not own_weights else str(weights)}
            engines[process] = stack.enter_context(Engine(process, own, python=python, log=folder / f"{process}.log"))
        for name in chosen:
            engine = engines[process_of(name)]
            scores[name].load_s = engine.loaded["stages"]["load"][0]
            engine.ask(request(name, calls[:1], folder / "warm" / name))
        for number, (order, part) in enumerate(zip(orders(chosen), rounds(calls, turns), strict=False), 1):
            for name in order:
                answer = engines[process_of(name)].ask(request(name, part, folder / f"round{number}" / name))
                scores[name].add(answer, part)
                wall, cpu = (sum(both[n] for both in answer["stages"].values()) for n in (0, 1))
                LOGGER.info("round %d/%d %s: %d calls, %.1f s, CPU %.1f s", number, turns, name, len(part), wall, cpu)
    return list(scores.values())


def process_of(name: str) -> str:
    """The process that answers for an engine: both ways of Callgrade are one process."""
    return "callgrade" if name.startswith("callgrade") else name


def orders(names: Sequence[str]) -> Iterator[list[str]]:
    """The engines' order in each round: the first goes last in the next."""
    order = list(names)
    while True:
        yield list(order)
        order = [*order[1:], order[0]]


def request(name: str, calls: Sequence[Spoken], batch: Path) -> dict[str, Any]:
    """What an engine is asked for these calls."""
    if process_of(name) != "callgrade":
        return {"files": [file for spoken in calls for file in spoken.files()]}
    Batch(batch).write("calls", [spoken.call for spoken in calls])
    Batch(batch).write_rejected("intake", [])
    return {"batch": str(batch), "told": {spoken.key: spoken.language for spoken in calls} if name == "callgrade" else None}


def as_result(scores: Iterable[Score], calls: Sequence[Spoken]) -> dict[str, Any]:
    """The figures for `--json` and for the table."""
    audio_s = sum(spoken.duration_s for spoken in calls)
    languages = sorted({spoken.language for spoken in calls})
    return {
        "benchmark": "transcription",
        "calls": len(calls),
        "files": sum(len(spoken.tracks) for spoken in calls),
        "audio_s": round(audio_s, 1),
        "engines": {
            score.engine: {
                "wall_s": round(score.wall_s, 2),
                "cpu_s": round(score.cpu_s, 2),
                "audio_step_wall_s": round(score.audio_step[0], 2),
                "audio_step_cpu_s": round(score.audio_step[1], 2),
                "load_s": round(score.load_s, 1),
                "peak_mb": round(score.peak_mb),
                "wer": {language: round(score.wer(language), 2) for language in languages} | {"all": round(score.wer(), 2)},
            }
            for score in scores
        },
    }


def table(result: Mapping[str, Any]) -> str:
    """The result as a table; a ratio says how many times longer the engine took than Callgrade, told the languages as all are."""
    engines: Mapping[str, Any] = result["engines"]
    own = engines.get("callgrade") or engines.get("callgrade-finds")
    languages = list(next(iter(engines.values()))["wer"])
    rows = []
    for name, of in engines.items():
        ratios = [report.ratio(of[unit], own[unit]) if own else "" for unit in ("wall_s", "cpu_s")]
        speed = f"{result['audio_s'] / of['wall_s']:.1f}"
        rows.append(
            [NAMES[name], of["wall_s"], of["cpu_s"], speed, *ratios, of["peak_mb"], *(f"{of['wer'][lang]:.1f}" for lang in languages)]
        )
        if of["audio_step_wall_s"]:
            wall, cpu = (of[unit] - of[f"audio_step_{unit}"] for unit in ("wall_s", "cpu_s"))
            ratios = [report.ratio(wall, own["wall_s"]), report.ratio(cpu, own["cpu_s"])]
            rows.append(["- of it after reading and VAD", f"{wall:.2f}", f"{cpu:.2f}", "", *ratios, "", *("" for _ in languages)])
    head = [
        "engine",
        "wall s",
        "CPU s",
        "× real time",
        "wall ÷ Callgrade",
        "CPU ÷ Callgrade",
        "peak MB",
        *(f"WER {lang} %" for lang in languages),
    ]
    about = (
        f"{result['calls']} calls ({result['files']} tracks, {result['audio_s'] / 60:.1f} min) of {Path(result['folder']).name}, "
        f"{result['weights']} {result['compute_type']}, {result['threads']} threads each"
    )
    return f"{about}\n\n{report.markdown(head, rows)}"
