"""The recogniser of a profile: one engine for all languages, or a separate engine for some of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from models import registry
from models.asr.engine import Chunk, ChunkTranscript, Recogniser, Sound, Transcriber


class ByLanguage:
    """A recogniser with separate engines for some languages, and a default one that identifies languages and recognises the rest.

    A chunk with several candidate languages goes to the default engine, whose results per language are comparable, unless one engine
    has all of them.
    """

    def __init__(self, default: Recogniser, own: Mapping[str, Transcriber]) -> None:
        self._default, self._own = default, own

    @property
    def longest_chunk_s(self) -> float:
        """The longest chunk in seconds that every engine accepts."""
        return self._default.longest_chunk_s

    def language_probabilities(self, sounds: Sequence[Sound], languages: Sequence[str]) -> list[dict[str, float]]:
        """The probability of each of these languages for each audio input (from its first 30 s); they add up to 1."""
        return self._default.language_probabilities(sounds, languages)

    def transcribe_chunks(self, chunks: Sequence[Chunk]) -> list[dict[str, ChunkTranscript]]:
        """The words of each chunk, by language, in the order of the chunks; each engine is called once."""
        engines = [self._engine(chunk.languages) for chunk in chunks]
        transcripts: list[dict[str, ChunkTranscript]] = [{} for _ in chunks]
        for engine in dict.fromkeys(engines):
            numbers = [i for i, other in enumerate(engines) if other is engine]
            for i, result in zip(numbers, engine.transcribe_chunks([chunks[i] for i in numbers]), strict=True):
                transcripts[i] = result
        return transcripts

    def _engine(self, languages: Sequence[str]) -> Transcriber:
        engines = list(dict.fromkeys(self._own.get(language, self._default) for language in languages))
        return engines[0] if len(engines) == 1 else self._default


@functools.cache
def get_recogniser(profile: str, models_dir: Path) -> Recogniser:
    """The profile's recogniser, loaded once per process. Raises ModelError when its weights are missing or changed."""
    from models.asr.onnx import Onnx
    from models.asr.whisper import Whisper

    own, loaded = registry.own_entries(profile, "asr"), dict[str, Transcriber]()
    for model in own.values():
        if model.name not in loaded:
            loaded[model.name] = Onnx(model, models_dir) if model.engine == "onnx-asr" else Whisper(model, models_dir)
    default = Whisper(registry.entry(profile, "asr"), models_dir)
    return ByLanguage(default, {language: loaded[model.name] for language, model in own.items()}) if own else default
