"""The faster-whisper engine: Whisper models run by CTranslate2, many chunks of many calls at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from models import registry
from models.asr import RATE_HZ, Chunk, Heard, HeardWord, Samples

T = TypeVar("T")

TOO_REPETITIVE = 2.4  # compression ratio of text that runs in a loop


class Whisper:
    """A loaded Whisper model."""

    def __init__(self, entry: registry.Entry, models_dir: Path) -> None:
        if entry.source == "hub":
            registry.quiet()
        else:
            registry.stay_offline()
        folder = registry.weights(models_dir, entry)
        from faster_whisper import WhisperModel

        device, compute_type = entry.parameters["device"], entry.parameters["compute_type"]
        self._beam_size, self._batch_size = int(entry.parameters["beam_size"]), int(entry.parameters["batch_size"])
        threads = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))  # left alone, the engine takes four on any machine
        self._whisper = WhisperModel(str(folder), device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=True)

    def language_probabilities(self, sounds: Sequence[Samples], languages: Sequence[str]) -> list[dict[str, float]]:
        """For each sound (its first 30 s are heard) how likely each of these languages is; they add up to 1."""
        found = []
        for batch in _batches(sounds, self._batch_size):
            for tokens in self._whisper.model.detect_language(self._encode(batch)):
                of_all = {token[2:-2]: probability for token, probability in tokens}
                among = {language: max(float(of_all.get(language, 0.0)), 1e-9) for language in languages}
                found.append({language: p / sum(among.values()) for language, p in among.items()})
        return found

    def transcribe_chunks(self, chunks: Sequence[Chunk]) -> list[dict[str, Heard]]:
        """The words of each chunk by language, in the order of the chunks; batches are filled with chunks of the same languages."""
        heard: list[dict[str, Heard]] = [{} for _ in chunks]
        for languages in dict.fromkeys(chunk.languages for chunk in chunks):
            numbers = [i for i, chunk in enumerate(chunks) if chunk.languages == languages]
            for batch in _batches(numbers, self._batch_size):
                sounds = [chunks[i].samples for i in batch]
                encoded = self._encode(sounds)
                for language in languages:
                    for i, result in zip(batch, self._hear(encoded, sounds, language), strict=True):
                        heard[i][language] = result
        return heard

    def _encode(self, sounds: Sequence[Samples]) -> Any:
        from faster_whisper.audio import pad_or_trim

        return self._whisper.encode(np.stack([pad_or_trim(self._whisper.feature_extractor(sound)[..., :-1]) for sound in sounds]))

    def _hear(self, encoded: Any, sounds: Sequence[Samples], language: str) -> list[Heard]:
        from faster_whisper.tokenizer import Tokenizer

        tokenizer = Tokenizer(self._whisper.hf_tokenizer, True, task="transcribe", language=language)
        results = self._generate(encoded, tokenizer, len(sounds))
        texts = [[token for token in tokens if token < tokenizer.eot] for tokens, _, _ in results]
        frames = [len(sound) // self._whisper.feature_extractor.hop_length for sound in sounds]
        alignments = self._whisper.find_alignment(tokenizer, texts, encoded, frames)
        return [
            Heard(_words(alignment, len(sound) / RATE_HZ), logprob, no_speech)
            for alignment, sound, (_, logprob, no_speech) in zip(alignments, sounds, results, strict=True)
        ]

    def _generate(self, encoded: Any, tokenizer: Any, count: int) -> list[tuple[list[int], float, float]]:
        """Beam search; what runs in a loop is searched again with repeats forbidden.

        Whisper's own remedy samples at random; this one always gives the same words for the same sound.
        """
        results = self._search(encoded, tokenizer, count)
        looped = [i for i, (tokens, _, _) in enumerate(results) if _compression(tokenizer.decode(tokens)) > TOO_REPETITIVE]
        if looped:
            again = self._search(encoded, tokenizer, count, no_repeat_ngram_size=4)
            for i in looped:
                results[i] = again[i]
        return results

    def _search(self, encoded: Any, tokenizer: Any, count: int, **options: Any) -> list[tuple[list[int], float, float]]:
        from faster_whisper.transcribe import get_suppressed_tokens

        prompt = self._whisper.get_prompt(tokenizer, [], without_timestamps=True)
        generated = self._whisper.model.generate(
            encoded,
            [prompt] * count,
            beam_size=self._beam_size,
            max_length=self._whisper.max_length,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
            **options,
        )
        found = []
        for result in generated:
            tokens = result.sequences_ids[0]
            found.append((tokens, result.scores[0] * len(tokens) / (len(tokens) + 1), float(result.no_speech_prob)))
        return found


def _words(alignment: list[dict[str, Any]], length_s: float) -> tuple[HeardWord, ...]:
    from faster_whisper.transcribe import merge_punctuations

    merge_punctuations(alignment, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")
    words = []
    for item in alignment:
        text = item["word"].strip()
        if text and any(c.isalnum() for c in text):
            start = min(float(item["start"]), length_s)
            words.append(HeardWord(start, max(start, min(float(item["end"]), length_s)), text, float(item["probability"])))
    return tuple(words)


def _compression(text: str) -> float:
    from faster_whisper.transcribe import get_compression_ratio

    return float(get_compression_ratio(text)) if text else 0.0


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
