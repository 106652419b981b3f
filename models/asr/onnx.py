"""The onnx-asr engine: GigaAM, T-one, Parakeet and related ONNX models, batched over chunks of many calls.

These models emit tokens as they read the audio and cannot be given a language: those for a single language need none, and Parakeet
detects it. They give no probability of "no speech".
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

# Silence appended to every chunk: the last token needs some, and the padding of shorter chunks in a batch then touches no speech, so that
# the words do not depend on the batch.
TAIL_S = 0.3
TOKEN_S = 0.24  # a word ends at the next token, but at most this long after its own last one: tokens have only a start time
OWN_LETTERS = {"ru": "ёъыэ", "uk": "ґєії"}
PROVIDERS = {"cpu": ("CPUExecutionProvider",), "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider")}


class Onnx:
    """A loaded onnx-asr model. Raises ModelError when its weights are missing or changed, or its device is not available."""

    def __init__(self, entry: registry.ModelEntry, models_dir: Path) -> None:
        folder = installed.weights_to_load(models_dir, entry)
        import onnx_asr
        import onnxruntime
        from onnx_asr.utils import ModelLoadingError

        self._name, self._batch_size = entry.name, int(entry.parameters["batch_size"])
        providers = PROVIDERS[entry.parameters["device"]]
        if providers[0] not in onnxruntime.get_available_providers():
            raise registry.ModelError(
                f"{entry.name} is configured to run on {entry.parameters['device']}, which this onnxruntime lacks: install onnxruntime-gpu "
                f"{onnxruntime.__version__} instead, or set `device: cpu` for the model in models/registry.yaml."
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
        """The words of each chunk, in the order of the chunks, keyed by the language that was recognised.

        Of a chunk's candidate languages, that is the one whose own letters are most frequent in the words, or the first when there are
        no words.
        """
        transcripts: list[dict[str, ChunkTranscript]] = [{} for _ in chunks]
        order = sorted(range(len(chunks)), key=lambda i: -len(chunks[i].samples))  # similar lengths together: less padding
        for first in range(0, len(order), self._batch_size):
            batch = order[first : first + self._batch_size]
            for i, result in zip(batch, self._recognise([chunks[i].samples for i in batch]), strict=True):
                transcripts[i][_language(result.words, chunks[i].languages)] = result
        return transcripts

    def _recognise(self, sounds: Sequence[Sound]) -> list[ChunkTranscript]:
        tail = np.zeros(int(TAIL_S * RATE_HZ), np.float32)
        padded: list[str | Path | Samples] = [np.concatenate([np.asarray(sound), tail]).astype(np.float32) for sound in sounds]
        results = self._model.recognize(padded)  # at 16 kHz; onnx-asr resamples for a model of 8 kHz
        return [self._chunk_transcript(result, len(sound) / RATE_HZ) for result, sound in zip(results, sounds, strict=True)]

    def _chunk_transcript(self, result: Any, length_s: float) -> ChunkTranscript:
        if result.tokens is None or result.timestamps is None or result.logprobs is None:
            raise registry.ModelError(f"{self._name} returns words without times, which Callgrade requires. Choose another model.")
        words = join_tokens(result.tokens, result.timestamps, result.logprobs, length_s)
        return ChunkTranscript(words, float(np.mean(result.logprobs)) if result.logprobs else 0.0, 0.0)


def join_tokens(tokens: Sequence[str], starts_s: Sequence[float], logprobs: Sequence[float], length_s: float) -> tuple[ChunkWord, ...]:
    """Words from tokens: a token with a leading space starts a word; punctuation belongs to the word before it.

    A word ends where the next token starts, bounded by TOKEN_S and the end of the audio; its probability is the mean of its tokens' log
    probabilities, as a probability.
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
        piece = token.replace("\u2581", " ")  # the space marker of SentencePiece vocabularies
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
