"""The faster-whisper engine: Whisper models on CTranslate2, batched over chunks of many calls.

Whisper was trained on windows of 30 s, and the cost of its encoder grows with the square of the window. Where the registry sets a
`longest_chunk_s`, chunks are limited to that length and each is encoded in a window just longer than itself; only chunks with equal
windows share a batch, so that the result of a chunk does not depend on its neighbours. On a CPU, one batch runs per core, each on a
single core.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from models import installed, registry
from models.asr.engine import CHUNK_S, RATE_HZ, Chunk, ChunkTranscript, ChunkWord, Sound
from models.cores import cores, threads

T = TypeVar("T")
R = TypeVar("R")
Found = tuple[list[int], float, float]  # tokens, mean log probability of one, probability of no speech

TOO_REPETITIVE = 2.4  # compression ratio of text that loops
CAREFUL_BELOW = -0.8  # results with a lower mean log probability are decoded again with more beams
CAREFUL_BEAMS = 5
FRAMES_A_SECOND = 100
WINDOW_FRAMES, WINDOW_STEP_FRAMES = 3000, 200  # the full window; windows grow by 2 s
TOKENS_A_SECOND = 10  # fast speech has 8; longer output is a loop
MOST_KEPT_FRAMES = (
    2400 * FRAMES_A_SECOND
)  # of encoded audio, 250 MB for the base model; above that nothing is cached, and the call is encoded twice
SPARE_FRAMES = 60  # a window is this much longer than its audio, or the last word is lost


class Whisper:
    """A loaded Whisper model; call it from one thread at a time, as it runs its own threads."""

    def __init__(self, entry: registry.ModelEntry, models_dir: Path) -> None:
        folder = installed.weights_to_load(models_dir, entry)
        from faster_whisper import WhisperModel

        device, compute_type = entry.parameters["device"], entry.parameters["compute_type"]
        self._beam_size, self._batch_size = int(entry.parameters["beam_size"]), int(entry.parameters["batch_size"])
        self._is_fitted = "longest_chunk_s" in entry.parameters
        self.longest_chunk_s = float(entry.parameters.get("longest_chunk_s", CHUNK_S))
        self._hot_word_languages = tuple(entry.parameters.get("hot_words", ()))
        # On a CPU, one window at a time is encoded: the attention of several does not fit into the cache, and each takes half as long
        # again.
        self._encode_batch_size = 1 if device == "cpu" else self._batch_size
        self._side_by_side = cores() if device == "cpu" else 1
        self._whisper = WhisperModel(
            str(folder), device=device, compute_type=compute_type, cpu_threads=1, num_workers=self._side_by_side, local_files_only=True
        )
        self._encoded: dict[int, tuple[weakref.ref[Sound], Any]] = {}

    def language_probabilities(self, sounds: Sequence[Sound], languages: Sequence[str]) -> list[dict[str, float]]:
        """The probability of each of these languages for each audio input (from its first 30 s); they add up to 1.

        The encoder output is cached for `transcribe_chunks` as long as the audio exists, up to a limit.
        """
        is_kept = sum(self._window(sound) for sound in sounds) <= MOST_KEPT_FRAMES

        def detect(batch: Sequence[int]) -> list[dict[str, float]]:
            encoded = self._encode([sounds[i] for i in batch])
            for i, one in zip(batch, encoded, strict=True):
                if not is_kept:
                    break
                key = id(sounds[i])
                self._encoded[key] = weakref.ref(sounds[i], lambda _, key=key: self._encoded.pop(key, None)), one  # type: ignore[misc]
            found = []
            for tokens in self._whisper.model.detect_language(_view(encoded)):
                of_all = {token[2:-2]: probability for token, probability in tokens}
                among = {language: max(float(of_all.get(language, 0.0)), 1e-9) for language in languages}
                found.append({language: p / sum(among.values()) for language, p in among.items()})
            return found

        return self._in_batches(range(len(sounds)), lambda i: (self._window(sounds[i]),), lambda i: len(sounds[i]), detect)

    def transcribe_chunks(self, chunks: Sequence[Chunk]) -> list[dict[str, ChunkTranscript]]:
        """The words of each chunk by language, in the order of the chunks; a batch holds chunks of one window, languages and hot words."""

        def recognise(batch: Sequence[Chunk]) -> list[dict[str, ChunkTranscript]]:
            sounds = [chunk.samples for chunk in batch]
            encoded = self._encode(sounds)
            hot_words = batch[0].hot_words or ("",) * len(batch[0].languages)
            versions = {
                language: self._recognise(encoded, sounds, language, hot)
                for language, hot in zip(batch[0].languages, hot_words, strict=True)
            }
            return [{language: version[i] for language, version in versions.items()} for i in range(len(batch))]

        return self._in_batches(chunks, lambda c: (c.languages, c.hot_words, self._window(c.samples)), lambda c: len(c.samples), recognise)

    def _in_batches(
        self, items: Sequence[T], key: Callable[[T], Any], length: Callable[[T], int], work: Callable[[Sequence[T]], list[R]]
    ) -> list[R]:
        """Each item's result in the order of the items; the longest batches start first, so that all cores finish together."""
        groups: dict[Any, list[int]] = {}
        for number in sorted(range(len(items)), key=lambda i: length(items[i])):
            groups.setdefault(key(items[number]), []).append(number)
        batches = [numbers[i : i + self._batch_size] for numbers in groups.values() for i in range(0, len(numbers), self._batch_size)]
        batches.sort(key=lambda numbers: -sum(length(items[i]) for i in numbers))
        found: dict[int, R] = {}
        with threads(self._side_by_side) as pool:
            for numbers, results in zip(batches, pool.map(lambda b: work([items[i] for i in b]), batches), strict=True):
                found.update(zip(numbers, results, strict=True))
        return [found[i] for i in range(len(items))]

    def _encode(self, sounds: Sequence[Sound]) -> list[Any]:
        """The encoder output of each chunk; on a CPU as an array [1, frames / 2, size], so that batches can be regrouped."""
        from faster_whisper.audio import pad_or_trim

        found: list[Any] = []
        for first in range(0, len(sounds), self._encode_batch_size):
            some = sounds[first : first + self._encode_batch_size]
            kept = [self._encoded[id(sound)][1] for sound in some if id(sound) in self._encoded]
            if len(kept) < len(some):
                features = [
                    pad_or_trim(self._whisper.feature_extractor(np.asarray(sound))[..., :-1], self._window(sound)) for sound in some
                ]
                kept = _apart(self._whisper.encode(np.stack(features)))
            found += kept
        return found

    def _window(self, sound: Sound) -> int:
        """The window of a chunk in frames; derived from the chunk alone, otherwise its words would depend on its batch."""
        if not self._is_fitted:
            return WINDOW_FRAMES
        frames = len(sound) * FRAMES_A_SECOND // RATE_HZ + SPARE_FRAMES
        return min(-(-frames // WINDOW_STEP_FRAMES) * WINDOW_STEP_FRAMES, WINDOW_FRAMES)

    def _recognise(self, encoded: Sequence[Any], sounds: Sequence[Sound], language: str, hot_words: str) -> list[ChunkTranscript]:
        from faster_whisper.tokenizer import Tokenizer

        tokenizer = Tokenizer(self._whisper.hf_tokenizer, True, task="transcribe", language=language)
        hot_words = hot_words if language in self._hot_word_languages else ""
        prompt = self._whisper.get_prompt(tokenizer, [], without_timestamps=True, hotwords=hot_words or None)
        results = self._search_well(encoded, tokenizer, prompt)
        texts = [[token for token in tokens if token < tokenizer.eot] for tokens, _, _ in results]
        frames = [len(sound) // self._whisper.feature_extractor.hop_length for sound in sounds]
        alignments = self._whisper.find_alignment(tokenizer, texts, _view(encoded), frames)
        return [
            ChunkTranscript(_words(alignment, len(sound) / RATE_HZ), logprob, no_speech)
            for alignment, sound, (_, logprob, no_speech) in zip(alignments, sounds, results, strict=True)
        ]

    def _search_well(self, encoded: Sequence[Any], tokenizer: Any, prompt: list[int]) -> list[Found]:
        """Beam search; results with low probability are decoded again with more beams, and looping ones with repeats forbidden.

        Whisper's own fallback samples at random; this one is deterministic.
        """
        results = self._search(encoded, tokenizer, prompt, self._beam_size)
        if self._beam_size < CAREFUL_BEAMS:
            self._again(results, [i for i, found in enumerate(results) if found[1] < CAREFUL_BELOW], encoded, tokenizer, prompt)
        looped = [i for i, (tokens, _, _) in enumerate(results) if _compression(tokenizer.decode(tokens)) > TOO_REPETITIVE]
        self._again(results, looped, encoded, tokenizer, prompt, no_repeat_ngram_size=4)
        return results

    def _again(
        self, results: list[Found], numbers: Sequence[int], encoded: Sequence[Any], tokenizer: Any, prompt: list[int], **options: Any
    ) -> None:
        if numbers:
            found = self._search([encoded[i] for i in numbers], tokenizer, prompt, CAREFUL_BEAMS, **options)
            for i, result in zip(numbers, found, strict=True):
                results[i] = result

    def _search(self, encoded: Sequence[Any], tokenizer: Any, prompt: list[int], beam_size: int, **options: Any) -> list[Found]:
        from faster_whisper.transcribe import get_suppressed_tokens

        # Depends on the window, which all chunks of a batch share, never on a neighbour. CTranslate2 writes at most half of `max_length`.
        tokens = int(2 * encoded[0].shape[1] / FRAMES_A_SECOND * TOKENS_A_SECOND)
        generated = self._whisper.model.generate(
            _view(encoded),
            [prompt] * len(encoded),
            beam_size=beam_size,
            max_length=min(max(2 * tokens, tokens + len(prompt)), self._whisper.max_length),
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


def _apart(encoded: Any) -> list[Any]:
    """The encoder's output, one array per chunk. Copied: a view would point into memory that the engine frees."""
    array = np.array(encoded.to_device(_cpu()), copy=True)
    return [array[i : i + 1] for i in range(len(array))]


def _cpu() -> Any:
    import ctranslate2

    return ctranslate2.Device.cpu


def _view(encoded: Iterable[Any]) -> Any:
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.concatenate(list(encoded)))


def _words(alignment: list[dict[str, Any]], length_s: float) -> tuple[ChunkWord, ...]:
    from faster_whisper.transcribe import merge_punctuations

    merge_punctuations(alignment, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")
    words: list[ChunkWord] = []
    for item in alignment:
        text = item["word"].strip()
        if text and any(c.isalnum() for c in text):
            start = min(float(item["start"]), length_s)
            word = ChunkWord(start, max(start, min(float(item["end"]), length_s)), text, float(item["probability"]))
            # "м'ясо", "что-то" and "1,5" come in two parts, the second without a leading space
            if words and not item["word"][0].isspace():
                word = _joined(words.pop(), word)
            words.append(word)
    return tuple(words)


def _joined(first: ChunkWord, rest: ChunkWord) -> ChunkWord:
    return ChunkWord(first.start_s, rest.end_s, first.text + rest.text, (first.probability + rest.probability) / 2)


def _compression(text: str) -> float:
    from faster_whisper.transcribe import get_compression_ratio

    return float(get_compression_ratio(text)) if text else 0.0
