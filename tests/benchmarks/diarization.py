"""Callgrade's diarization compared with pyannote's own pipeline: `python -m tests.benchmarks.diarization FOLDER [--calls N] [--repeat R]`.

FOLDER holds calls.csv, audio/ and reference/ as tests/calls does. Both sides use the same weights, the same decoded sound and one thread
of torch. The shipped side is `pyannote.audio.pipelines.SpeakerDiarization` with the step (0.1), batches and clustering of
speaker-diarization-3.1, with the number of speakers set to two, file by file; our voice network is wrapped in pyannote's own class for
embeddings that are no torch model. The sides alternate, the second repetition begins with the other one. DER has a collar of 0.25 s.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from models import installed, registry
from models.diarization import diarizer
from models.diarization.diarizer import Samples, SpokenStretch
from pipelines.audio import step as audio
from pipelines.core.settings import Settings

COLLAR_S = 0.25
Side = Callable[[Sequence[Samples]], list[list[SpokenStretch]]]


@dataclass(frozen=True, slots=True)
class Measured:
    """One side in one repetition."""

    side: str
    repetition: int
    cpu_s: float
    wall_s: float
    der_pct: float
    confusion_pct: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure both sides, print the table, and return 0; 2 where the folder holds nothing to measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.diarization", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("tests/calls"))
    parser.add_argument("--calls", type=int, help="the first N calls only")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--mixed", action="store_true", help="stereo calls too, mixed to one channel")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args(argv)
    sounds = sounds_of(args.folder, args.mixed, args.calls)
    if not sounds:
        print(f"{args.folder} holds no mono call with a reference; --mixed takes stereo calls too.", file=sys.stderr)
        return 2
    settings = Settings.from_environment()
    sides: dict[str, Side] = {"callgrade": _ours(settings.models_dir), "pyannote": shipped(settings.models_dir)}
    some_s = [next(iter(sounds.values()))[: 5 * audio.RATE_HZ]]
    for side in sides.values():
        side(some_s)  # what is built at the first use is not measured
    measured = [
        _measure(name, sides[name], n, sounds, args.folder)
        for n in range(args.repeat)
        for name in (list(sides) if n % 2 == 0 else list(sides)[::-1])
    ]
    sound_s = sum(len(s) for s in sounds.values()) / audio.RATE_HZ
    print(table(measured, len(sounds), sound_s))
    if args.json:
        args.json.write_text(json.dumps({"calls": len(sounds), "sound_s": sound_s, "runs": [asdict(m) for m in measured]}, indent=1) + "\n")
    return 0


def sounds_of(folder: Path, mixed: bool, most: int | None) -> dict[str, Samples]:
    """The sound of each mono call that has a reference, by id, in the order of calls.csv; stereo calls mixed where `mixed` says so."""
    sounds: dict[str, Samples] = {}
    with (folder / "calls.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if most is not None and len(sounds) >= most:
                break
            if (folder / "reference" / f"{row['call_id']}.json").exists():
                tracks = audio.decode(folder / "audio" / row["recording"]).tracks
                if mixed or len(tracks) == 1:
                    sounds[row["call_id"]] = np.ascontiguousarray(tracks.mean(axis=0), np.float32)
    return sounds


def table(measured: Sequence[Measured], calls: int, sound_s: float) -> str:
    """The median of each side, and how many times cheaper and faster ours is."""
    lines = [
        f"{calls} calls, {sound_s:.0f} s of sound, one thread",
        f"{'':10} {'CPU s':>8} {'wall s':>8} {'x real time':>12} {'DER %':>7} {'confused %':>11}",
    ]
    middle: dict[str, tuple[float, float]] = {}
    for name in dict.fromkeys(m.side for m in measured):
        own = [m for m in measured if m.side == name]
        middle[name] = median(m.cpu_s for m in own), median(m.wall_s for m in own)
        cpu_s, wall_s = middle[name]
        lines.append(f"{name:10} {cpu_s:8.1f} {wall_s:8.1f} {sound_s / wall_s:12.1f} {own[0].der_pct:7.2f} {own[0].confusion_pct:11.2f}")
    ours, theirs = middle["callgrade"], middle["pyannote"]
    lines.append(f"pyannote takes {theirs[0] / ours[0]:.1f} times the CPU and {theirs[1] / ours[1]:.1f} times the wall time")
    return "\n".join(lines)


def shipped(models_dir: Path) -> Side:
    """The pipeline of pyannote as it ships, over our two checkpoints, one file at a time, two speakers told."""
    diarizer.import_pyannote()
    import torch

    pipeline = _shipped_pipeline(models_dir)

    def diarize(sounds: Sequence[Samples]) -> list[list[SpokenStretch]]:
        out = []
        for sound in sounds:
            with diarizer.one_thread(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = pipeline({"waveform": torch.from_numpy(sound)[None], "sample_rate": audio.RATE_HZ}, num_speakers=2)
            tracks = found.speaker_diarization.itertracks(yield_label=True)
            out.append([SpokenStretch(s.start, s.end, str(label)) for s, _, label in tracks])
        return out

    return diarize


def _shipped_pipeline(models_dir: Path) -> Any:
    import torch
    from pyannote.audio import Model
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization
    from pyannote.audio.pipelines.speaker_verification import ONNXWeSpeakerPretrainedSpeakerEmbedding
    from torchaudio.compliance.kaldi import fbank

    from models.diarization.campplus import DIMENSION, CamPlusPlus
    from models.diarization.segmentation import load_network

    network = CamPlusPlus(installed.weights(models_dir, registry.entry("offline", "embedding")) / "campplus_cn_en_common.pt")

    class Session:
        """Answers as an ONNX session does."""

        def run(self, output_names: list[str], input_feed: dict[str, Any]) -> list[Any]:
            return [network(torch.from_numpy(input_feed["feats"])).numpy()]

    class Voices(ONNXWeSpeakerPretrainedSpeakerEmbedding):  # type: ignore[misc]
        """pyannote's code around an ONNX voice model, with CAM++ and the features that it was trained on."""

        def __init__(self) -> None:
            self.session_, self.device = Session(), torch.device("cpu")

        def compute_fbank(self, waveforms: Any, **_: Any) -> Any:
            features = torch.stack([fbank(w * 32768, num_mel_bins=80, sample_frequency=audio.RATE_HZ, dither=0.0) for w in waveforms])
            return features - features.mean(dim=1, keepdim=True)

    class Placeholder(Model):  # type: ignore[misc]
        """Stands in until `Voices` is put in its place: the constructor wants a torch model."""

        dimension = DIMENSION

    checkpoint = installed.weights(models_dir, registry.entry("offline", "segmentation")) / "pytorch_model.bin"
    pipeline: Any = SpeakerDiarization(
        segmentation=load_network(checkpoint), segmentation_batch_size=32,
        embedding=Placeholder(sample_rate=audio.RATE_HZ), embedding_batch_size=32, embedding_exclude_overlap=True,
        clustering="AgglomerativeClustering", plda=PLDA.__new__(PLDA),  # this clustering needs no PLDA, and the default asks the hub
    )  # fmt: skip
    pipeline._embedding = Voices()
    clustering = {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799}
    return pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": clustering})


def _ours(models_dir: Path) -> Side:
    ours = diarizer.get_diarizer("offline", models_dir)
    return lambda sounds: list(ours.diarize(sounds))


def _measure(name: str, side: Side, repetition: int, sounds: dict[str, Samples], folder: Path) -> Measured:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    found = side(list(sounds.values()))
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    wrong = _errors(folder, sounds, found)
    return Measured(name, repetition, round(cpu_s, 2), round(wall_s, 2), *(round(100 * e, 2) for e in wrong))


def _errors(folder: Path, sounds: dict[str, Samples], found: Sequence[Sequence[SpokenStretch]]) -> tuple[float, float]:
    """The diarization error rate over all calls, and the part of it that is speech given to the wrong speaker."""
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    rate = DiarizationErrorRate(collar=COLLAR_S)
    for (call_id, sound), stretches in zip(sounds.items(), found, strict=True):
        said, heard = Annotation(uri=call_id), Annotation(uri=call_id)
        for n, turn in enumerate(_turns(folder / "reference" / f"{call_id}.json")):
            said[Segment(turn["start_s"], turn["end_s"]), n] = turn["role"]
        for n, s in enumerate(stretches):
            heard[Segment(s.start_s, s.end_s), n] = s.speaker
        rate(said, heard, uem=Timeline([Segment(0, len(sound) / audio.RATE_HZ)]))
    return abs(rate), rate["confusion"] / rate["total"]


@functools.cache
def _turns(path: Path) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["turns"]
    return turns


if __name__ == "__main__":
    sys.exit(main())
