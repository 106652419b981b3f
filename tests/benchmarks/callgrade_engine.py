"""Callgrade's side of the comparison: its real steps on a staged batch, with given or detected languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from models import registry
from models.asr import loading
from pipelines.audio import step as audio
from pipelines.centres import profile
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.transcribe import step as transcribe
from tests.benchmarks.parts import timed_parts
from tests.benchmarks.worker import Stages

OF_THE_PROFILE = "profile"  # options["weights"] when the profile's own model is to be used


def callgrade(options: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What answers a request with Callgrade: {"batch": folder with calls.parquet, "told": {call_id: language} or null} → {"stages", "heard", "parts"}."""
    settings = Settings.from_environment(warehouse=Path("unused.duckdb"), profile=options.get("profile", "offline"))
    if options["weights"] != OF_THE_PROFILE:
        settings = settings.with_(profile=profile_with(Path(options["weights"]), options), models_dir=Path(options["weights"]).parent)
    loading.get_recogniser(settings.profile, settings.models_dir)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        stages, batch = Stages(), Batch(Path(request["batch"]))
        with languages_told(batch, request["told"]), timed_parts() if options.get("parts") else nullcontext({}) as parts:
            with stages.timed("audio"):
                audio.run(batch, settings)
            with stages.timed("transcribe"):
                transcribe.run(batch, settings)
        heard: dict[str, list[tuple[float, float, str]]] = {}
        for word in batch.read("words"):
            heard.setdefault(f"{word.call_id}.{word.track}", []).append((word.start_s, word.end_s, " " + word.text))
        return {"stages": stages, "heard": heard, "parts": parts}

    return answer


@contextmanager
def languages_told(batch: Batch, told: dict[str, str] | None) -> Iterator[None]:
    """Within it each call is heard in the one language that it is told, as the peers are; with None, as in production.

    A call that its log gives a language, of a centre that serves no others, is not asked which of them it speaks.
    """
    if told is None:
        yield
        return
    load_centre, calls = profile.load_centre, batch.read("calls")
    batch.write("calls", [replace(call, language=told[call.call_id]) for call in calls])
    try:
        with patch.object(profile, "load_centre", lambda *centre: load_centre(*centre).model_copy(update={"languages": ()})):
            yield
    finally:
        batch.write("calls", calls)


def profile_with(weights: Path, options: dict[str, Any]) -> str:
    """The name of a profile that hears with these weights and parameters; made beside those of the registry, in this process only."""
    parameters = {name: options[name] for name in ("device", "compute_type", "beam_size", "batch_size")}
    name = "benchmark " + " ".join(map(str, parameters.values()))
    known = registry.load_registry()
    file = registry.WeightsFile(f"{weights.name}/model.bin", registry.sha256_of(weights / "model.bin"), ())
    model = replace(registry.entry("offline", "asr"), name=weights.name, source="pypi", files=(file,), parameters=parameters)
    known.models[name] = model  # type: ignore[index]
    known.profiles[name] = {**known.profiles["offline"], "asr": {registry.DEFAULT: name}}  # type: ignore[index]
    return name
