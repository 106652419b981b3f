"""The onnx-asr engine: GigaAM, T-one, Parakeet and their kin in ONNX, many chunks of many calls at once.

These models write down what they hear as they go and cannot be told a language; those that serve one language need none, and Parakeet
finds it itself. They say nothing of how likely a sound is no speech.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from pathlib import Path
from typing import Any

import numpy as np

from models import installed, registry
from models.asr.engine import RATE_HZ, Chunk, ChunkTranscript, ChunkWord, Samples, Sound
from models.cores import cores

# Silence put after every sound: the last token needs some, and what a shorter sound of a batch is filled up with then touches no speech,
# so that the words do not depend on the batch.
TAIL_S = 0.3
TOKEN_S = 0.24  # a word ends at the next token, but no later than this after its last one: tokens have a beginning only
OWN_LETTERS = {"ru": "ёъыэ", "uk": "ґєії"}
PROVIDERS = {"cpu": ("CPUExecutionProvider",), "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider")}


class Onnx:
    """A loaded model of onnx-asr. Raises ModelError when its weights are missing or changed, or its device is not to be had."""

    def __init__(self, entry: registry.ModelEntry, models_dir: Path) -> None:
        folder = installed.weights_to_load(models_dir, entry)
        import onnx_asr
        import onnxruntime
        from onnx_asr.utils import ModelLoadingError

        self._name, self._batch_size = entry.name, int(entry.parameters["batch_size"])
        providers = PROVIDERS[entry.parameters["device"]]
        if providers[0] not in onnxruntime.get_available_providers():
            raise registry.ModelError(
                f"{entry.name} is to run on {entry.parameters['device']}, and this onnxruntime cannot: put onnxruntime-gpu "
                f"{onnxruntime.__version__} in its place, or give the model `device: cpu` in models/registry.yaml."
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        try:
            model = onnx_asr.load_model(
                entry.parameters["model"],
                folder,
                quantization=entry.parameters.get("quantization"),
                sess_options=options,
                providers=providers,
            )
        except ModelLoadingError as error:
            raise registry.ModelError(f"{entry.name} in {folder} is not a model that onnx-asr can load: {error}") from error
        self._model = model.with_timestamps()

    def transcribe_chunks(self, chunks: Sequence[Chunk]) -> list[dict[str, ChunkTranscript]]:
        """What was heard in each chunk, in the order of the chunks, under the language that it was heard in.

        Of a chunk's several languages that is the one whose own letters the words have most of, the first when they have none.
        """
        heard: list[dict[str, ChunkTranscript]] = [{} for _ in chunks]
        order = sorted(range(len(chunks)), key=lambda i: -len(chunks[i].samples))  # like lengths together: little silence is heard
        for first in range(0, len(order), self._batch_size):
            batch = order[first : first + self._batch_size]
            for i, result in zip(batch, self._recognise([chunks[i].samples for i in batch]), strict=True):
                heard[i][_language(result.words, chunks[i].languages)] = result
        return heard

    def _recognise(self, sounds: Sequence[Sound]) -> list[ChunkTranscript]:
        tail = np.zeros(int(TAIL_S * RATE_HZ), np.float32)
        padded: list[str | Path | Samples] = [np.concatenate([np.asarray(sound), tail]).astype(np.float32) for sound in sounds]
        results = self._model.recognize(padded)  # at 16 kHz; a model that wants 8 kHz has them made of it
        return [self._chunk_transcript(result, len(sound) / RATE_HZ) for result, sound in zip(results, sounds, strict=True)]

    def _chunk_transcript(self, result: Any, length_s: float) -> ChunkTranscript:
        if result.tokens is None or result.timestamps is None or result.logprobs is None:
            raise registry.ModelError(f"{self._name} gives words without their times, which nothing here can use. Take another model.")
        words = join_tokens(result.tokens, result.timestamps, result.logprobs, length_s)
        return ChunkTranscript(words, float(np.mean(result.logprobs)) if result.logprobs else 0.0, 0.0)


def join_tokens(tokens: Sequence[str], starts_s: Sequence[float], logprobs: Sequence[float], length_s: float) -> tuple[ChunkWord, ...]:
    """Words out of tokens: a token that begins with a space begins a word; punctuation belongs to the word before it.

    A word ends where the next token begins, bounded by TOKEN_S and the sound's end; its probability is the mean of its tokens', as
    logarithms.
    """
    words: list[ChunkWord] = []
    text, logs, start, end = "", list[float](), 0.0, 0.0

    def close(next_s: float) -> None:
        nonlocal text, logs
        if any(c.isalnum() for c in text):
            begin = min(start, length_s)
            words.append(ChunkWord(begin, max(begin, min(end, next_s, length_s)), text, min(exp(sum(logs) / len(logs)), 1.0)))
        elif text and words:
            last = words[-1]
            words[-1] = ChunkWord(last.start_s, last.end_s, last.text + text, last.probability)
        text, logs = "", []

    for token, at_s, logprob in zip(tokens, starts_s, logprobs, strict=True):
        piece = token.replace("\u2581", " ")  # how sentence-piece vocabularies write a space
        if piece.startswith(" "):
            close(at_s)
        piece = piece.strip()
        if not piece or (piece.startswith("<") and piece.endswith(">")):  # <unk> and the like
            continue
        if not text:
            start = at_s
        text, end = text + piece, at_s + TOKEN_S
        logs.append(logprob)
    close(length_s)
    return tuple(words)


def _language(words: Sequence[ChunkWord], languages: Sequence[str]) -> str:
    text = "".join(word.text for word in words).lower()
    return max(languages, key=lambda language: sum(text.count(letter) for letter in OWN_LETTERS.get(language, "")))
