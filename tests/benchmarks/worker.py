"""An engine in a separate process, connected by a pipe: reads one JSON request a line, answers with one JSON line.

This file runs in the environment of Callgrade and in that of the peers, so it imports nothing of the project before it knows that it is
Callgrade's turn. Times are measured here, around the work alone: neither loading nor waiting for the next request counts.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Words = list[tuple[float, float, str]]
Hear = Callable[[Path, str], Words]
RATE_HZ = 16_000
STATUS = Path("/proc/self/status")


class Stages(dict[str, list[float]]):
    """Wall and CPU seconds by stage; the CPU seconds are those of all threads and of finished child processes."""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), cpu_seconds()
        try:
            yield
        finally:
            known = self.setdefault(stage, [0.0, 0.0])
            known[0] += time.perf_counter() - wall
            known[1] += cpu_seconds() - cpu


def cpu_seconds() -> float:
    """CPU seconds of this process so far, all threads, and of its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_mb() -> float:
    """The most memory that this process held at once; `ru_maxrss` would begin with that of the process that started it."""
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_wav(path: Path) -> Samples:
    """The samples of a mono wav of 16 bits at 16 kHz: every peer reads its sound this way."""
    with wave.open(str(path)) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE_HZ):
            raise ValueError(f"{path} is not a mono wav of 16 bits at {RATE_HZ} Hz")
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768


def faster_whisper_engine(options: dict[str, Any], *, batched: bool) -> Hear:
    """faster-whisper one file at a time; `batched`: the parts of one file in batches, as its own batched pipeline does."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model = WhisperModel(
        options["weights"],
        device=options["device"],
        compute_type=options["compute_type"],
        cpu_threads=options["threads"],
        local_files_only=True,
    )
    shared = {"beam_size": options["beam_size"], "word_timestamps": True, "vad_filter": True}
    pipeline = BatchedInferencePipeline(model) if batched else None

    def recognise(path: Path, language: str) -> Words:
        if pipeline is not None:
            segments, _ = pipeline.transcribe(read_wav(path), language=language, batch_size=options["batch_size"], **shared)
        else:
            segments, _ = model.transcribe(read_wav(path), language=language, **shared)
        return [(word.start, word.end, word.word) for segment in segments for word in segment.words or ()]

    return recognise


def whisperx_engine(options: dict[str, Any], *, align: bool) -> Hear:
    """WhisperX: its own voice activity detector (shipped in its package), then batches of one file's parts.

    It has no word times before its alignment. With `align` that is run too, by networks of the right size whose weights are random, since
    those that WhisperX would fetch are on a hub: what it costs is real, the times that come out are not, and are never compared.
    """
    import torch
    import whisperx

    torch.set_num_threads(options["threads"])
    asr = {"beam_size": options["beam_size"]}
    pipeline = whisperx.load_model(
        options["weights"], options["device"], compute_type=options["compute_type"], asr_options=asr, threads=options["threads"],
        vad_method="pyannote", local_files_only=True,
    )  # fmt: skip
    aligners = _random_aligners(options["device"]) if align else None

    def recognise(path: Path, language: str) -> Words:
        samples = read_wav(path)
        result = pipeline.transcribe(samples, batch_size=options["batch_size"], language=language)
        if aligners is not None:
            whisperx.align(result["segments"], *aligners(language), samples, options["device"])
        return [(part["start"], part["end"], part["text"]) for part in result["segments"]]

    return recognise


def _random_aligners(device: str) -> Callable[[str], tuple[Any, dict[str, Any]]]:
    """WhisperX's alignment networks by language, of the shape of those it names: wav2vec2 base for English, large (XLSR) for the others."""
    import torch
    import whisperx.alignment
    from nltk.tokenize.punkt import PunktSentenceTokenizer
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    whisperx.alignment.nltk_load = lambda _: PunktSentenceTokenizer()  # the trained one is a download as well; its cost is nothing
    letters = "|'-abcdefghijklmnopqrstuvwxyzáéíóöőúüűабвгґдеєжзиіїйклмнопрстуфхцчшщъыьэюяё"
    large = {
        "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096, "do_stable_layer_norm": True,
        "feat_extract_norm": "layer", "conv_bias": True,
    }  # fmt: skip
    made: dict[bool, Any] = {}

    def aligner(language: str) -> tuple[Any, dict[str, Any]]:
        is_base = language == "en"
        if is_base not in made:
            torch.manual_seed(0)
            config = Wav2Vec2Config(vocab_size=len(letters) + 1, **({} if is_base else large))
            made[is_base] = Wav2Vec2ForCTC(config).eval().to(device)
        return made[is_base], {"language": language, "dictionary": {c: i for i, c in enumerate(letters, 1)}, "type": "huggingface"}

    return aligner


PEERS: dict[str, Callable[[dict[str, Any]], Hear]] = {
    "faster-whisper": lambda options: faster_whisper_engine(options, batched=False),
    "faster-whisper-batched": lambda options: faster_whisper_engine(options, batched=True),
    "whisperx": lambda options: whisperx_engine(options, align=False),
    "whisperx-aligned": lambda options: whisperx_engine(options, align=True),
}


def peer(name: str, options: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What answers a request with a peer: {"files": [{"key", "path", "language"}]} → {"stages", "heard"}."""
    recognise = PEERS[name](options)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        stages, heard = Stages(), {}
        for file in request["files"]:
            with stages.timed("transcribe"):
                heard[file["key"]] = recognise(Path(file["path"]), file["language"])
        return {"stages": stages, "heard": heard}

    return answer


def main() -> int:
    """Load the engine that the arguments name (`worker.py ENGINE OPTIONS_AS_JSON`), say so, and answer until the requests end."""
    name, options = sys.argv[1], json.loads(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the libraries print must not come between the answers
    stages = Stages()
    with stages.timed("load"):
        if name in PEERS:
            answer = peer(name, options)
        else:
            from tests.benchmarks.callgrade_engine import callgrade

            answer = callgrade(options)
    print(json.dumps({"stages": stages, "peak_mb": peak_mb()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps({**answer(json.loads(line)), "peak_mb": peak_mb()}), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
