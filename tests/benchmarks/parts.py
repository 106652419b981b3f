"""Time of an engine by part: the wall seconds inside the parts common to every Whisper run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def timed_parts() -> Iterator[dict[str, float]]:
    """Within it the seconds of voice activity detection, features, encode, generate, align and language detection add up.

    Parts that run beside each other in threads count each its own time, so that the sum may be more than the whole.
    """
    import ctranslate2
    from faster_whisper.feature_extractor import FeatureExtractor
    from faster_whisper.vad import SileroVADModel

    whisper = ctranslate2.models.Whisper
    places: list[tuple[str, Any, str]] = [
        ("speech detection", SileroVADModel, "__call__"),
        ("features", FeatureExtractor, "__call__"),
        ("encode", whisper, "encode"),
        ("generate", whisper, "generate"),
        ("align", whisper, "align"),
        ("language", whisper, "detect_language"),
    ]
    seconds = dict.fromkeys((name for name, _, _ in places), 0.0)
    lock = threading.Lock()

    def timing(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return work(*given, **named)
            finally:
                with lock:
                    seconds[name] += time.perf_counter() - start

        return timed

    with ExitStack() as stack:
        for name, owner, method in places:
            stack.enter_context(patch.object(owner, method, timing(name, getattr(owner, method))))
        yield seconds
