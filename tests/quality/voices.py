"""How far a disguised voice is from the original: similarity by automatic voice comparison, and the share of words still recognised.

    python -m tests.quality.voices FOLDER

`FOLDER` is a folder of reference calls (audio/, reference/); only those with one track for each side are used. Printed are cosines of the
CAM++ embedding of two halves of what a client says: as recorded, with the first half disguised, of different clients, and of different
clients both disguised.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from models import installed, registry
from models.asr import engine, loading
from models.languages.language import words_of
from pipelines.audio import step as audio
from pipelines.coaching import voice_disguise
from pipelines.core.settings import Settings


def main(folder: Path) -> None:
    """Print the comparison."""
    settings = Settings.from_environment()
    heard = loading.get_recogniser("offline", settings.models_dir)
    of_voice = _embedder(settings)
    voices: list[tuple[Any, Any, Any]] = []
    for file in sorted((folder / "reference").glob("*.json")):
        reference = json.loads(file.read_text(encoding="utf-8"))
        if reference["layout"] != "stereo":
            continue
        sound = audio.decode(next((folder / "audio").glob(f"{reference['id']}.*")))
        turns = [t for t in reference["turns"] if t["role"] == "client" and t["end_s"] - t["start_s"] > 1.5]
        said = [sound.tracks[1][int(t["start_s"] * audio.RATE_HZ) : int(t["end_s"] * audio.RATE_HZ)] for t in turns]
        if sum(s.size for s in said) < 12 * audio.RATE_HZ:
            continue
        first, second = np.concatenate(said[::2]), np.concatenate(said[1::2])
        changed = voice_disguise.disguise(first, np.random.default_rng(7))
        voices.append((of_voice(first), of_voice(changed), of_voice(second)))
        pieces = [(t["text"], s) for t, s in zip(turns, said, strict=True)][:4]
        other = [(text, voice_disguise.disguise(samples, np.random.default_rng(7))) for text, samples in pieces]
        plain, changed_share = (_recall(heard, some, reference["language"]) for some in (pieces, other))
        print(
            f"{reference['id']}: pitch {voice_disguise._pitch_hz(first.astype(float)):.0f} to {voice_disguise._pitch_hz(changed.astype(float)):.0f} Hz, words understood {plain:.0%}, disguised {changed_share:.0%}",
            flush=True,
        )
    pairs = [(a, b) for n, a in enumerate(voices) for m, b in enumerate(voices) if n != m]
    for name, cosines in (
        ("the same client", [a[0] @ a[2] for a in voices]), ("the same client, one half disguised", [a[1] @ a[2] for a in voices]),
        ("different clients", [a[0] @ b[2] for a, b in pairs]), ("different clients, both disguised", [a[1] @ b[1] for a, b in pairs]),
    ):  # fmt: skip
        print(f"{name}: {np.mean(cosines):.2f} (from {np.min(cosines):.2f} to {np.max(cosines):.2f}, {len(cosines)} pairs)")


def _embedder(settings: Settings) -> Any:
    import torch

    from models.diarization.campplus import CamPlusPlus
    from models.diarization.diarizer import _features, import_pyannote

    import_pyannote()  # torchaudio does not load without it
    found = installed.weights(settings.models_dir, registry.entry("offline", "embedding")) / "campplus_cn_en_common.pt"
    net = CamPlusPlus(found)

    def embed(samples: Any) -> Any:
        with torch.inference_mode():
            features = _features(samples)[None]
            vector = net(features - features.mean(dim=1, keepdim=True)).numpy()[0]
        return vector / np.linalg.norm(vector)

    return embed


def _recall(recogniser: Any, said: list[tuple[str, Any]], language: str) -> float:
    """The share of the reference's words that are heard in these pieces."""
    chunks = [engine.Chunk(samples, (language,)) for _, samples in said]
    found = known = 0
    for (text, _), result in zip(said, recogniser.transcribe_chunks(chunks), strict=True):
        heard = words_of(" ".join(w.text for w in result[language].words))
        wanted = words_of(text)
        found, known = found + sum(w in heard for w in wanted), known + len(wanted)
    return found / known


if __name__ == "__main__":
    main(Path(sys.argv[1]))
