"""Whether coaching packs disclose personal data: their text is searched, and their sound is transcribed again by the engine of the calls.

    python -m tests.quality.packs FOLDER --warehouse FILE

`FOLDER` is a folder of reference calls (audio/, reference/), `FILE` a warehouse into which it was graded. Every turn of a call in which
the reference marks personal data goes into one pack, which is exported. Then the marked words are looked for in its page, transcript and
sidecar, and in what the engine recognises in its sounds; beside them the words that it recognises in the same part of the recording
itself, where they differ from the reference. Words that also occur elsewhere in the call are not counted. The packs are made in a copy of
the site.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from models import private_files
from models.languages.language import words_of
from pipelines.audio import step as audio
from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from tests.benchmarks.speech import write_wav
from tests.web.test_packs import heard_again, packed

NEAR_S = 0.5  # allowed distance between the reference's turns and ours


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line a call; 1 when anything personal was read or heard."""
    private_files.apply_umask()
    parser = argparse.ArgumentParser(
        prog="python -m tests.quality.packs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--warehouse", type=Path, required=True)
    given = parser.parse_args(argv)
    original = Settings.from_environment(warehouse=given.warehouse)
    calls = told = 0
    with tempfile.TemporaryDirectory(prefix="callgrade-packs-") as temporary:
        settings = original.with_(warehouse=Path(temporary) / original.warehouse.name)
        shutil.copytree(original.snapshot.parent, settings.snapshot.parent)
        for batch in original.stage.glob("*/calls.parquet"):
            (settings.stage / batch.parent.name).mkdir(parents=True)
            shutil.copy(batch, settings.stage / batch.parent.name / batch.name)
        for file in sorted((given.folder / "reference").glob("*.json")):
            reference = json.loads(file.read_text(encoding="utf-8"))
            line = checked(settings, given.folder, reference, Path(temporary))
            if line is not None:
                calls, told = calls + 1, told + bool(line[0] or line[1])
                print(
                    f"{reference['id']:18} {line[2]:2} pieces, heard again {line[3]:3} words; read: {sorted(line[0])}, heard: {sorted(line[1])}",
                    flush=True,
                )
    print(f"{calls} calls with personal data, {told} of them gave something away")
    return int(told > 0)


def checked(settings: Settings, folder: Path, reference: dict[str, Any], scratch: Path) -> tuple[set[str], set[str], int, int] | None:
    """The personal words that can be read and heard in a pack of a call, how many pieces it has and how many words were understood in them."""
    name, marked = reference["id"], [turn for turn in reference["turns"] if turn["pii"]]
    with open_published(settings) as published:
        turns = published.rows("select turn_no, start_s, end_s from turns where call_id = ? order by turn_no", name)
    keys = [
        f"turn:{turn['turn_no']}:{name}"
        for turn in turns
        if any(turn["start_s"] < said["end_s"] - NEAR_S and turn["end_s"] > said["start_s"] + NEAR_S for said in marked)
    ]
    if not keys:
        return None
    elsewhere = {word for turn in reference["turns"] for word in words_of(_without_personal(turn))}
    secret = {word for turn in marked for piece in turn["pii"] for word in words_of(piece["text"])}
    recording = next((folder / "audio").glob(f"{name}.*"))
    for turn in marked:
        bare = audio.cut_clip(recording, turn["start_s"], turn["end_s"], [], scratch / "bare.ogg")
        # numbers are written in digits
        secret |= {word for word in words_of(understood(bare, name, settings)) if any(c.isdigit() for c in word)}
    secret = {word for word in secret - elsewhere if len(word) > 1}  # one digit or letter discloses nothing
    files = dict(packed(settings, keys, reference["language"]))
    until = datetime.fromisoformat(json.loads(files["pack.json"])["expires_at"])
    secret -= {str(until.year), str((until - timedelta(days=1)).day), str(until.day)}  # the page shows the expiry date of the pack
    texts = [_said(file, content) for file, content in files.items() if not file.endswith(".ogg")]
    sounds = [content for file, content in files.items() if file.endswith(".ogg")]
    heard: list[str] = []
    for content in sounds:
        (scratch / "again.ogg").write_bytes(content)
        heard += words_of(understood(scratch / "again.ogg", name, settings))
    read = {word for text in texts for word in words_of(text)}
    return secret & read, secret & set(heard), len(sounds), len(heard)


def understood(file: Path, name: str, settings: Settings) -> str:
    """What the engine understands of a sound, however short: silence is put behind one that is too short to be a call."""
    tracks = audio.decode(file).tracks
    missing = int((audio.MIN_LENGTH_S + 0.5) * audio.RATE_HZ) - tracks.shape[1]
    if missing > 0:
        file = write_wav(np.pad(tracks, ((0, 0), (0, missing))), file.with_suffix(".wav"))
    return heard_again(file, name, settings)


def _without_personal(turn: dict[str, Any]) -> str:
    text: str = turn["text"]
    for piece in turn["pii"]:
        text = text.replace(piece["text"], " ")
    return text


def _said(name: str, content: bytes) -> str:
    """The words of a file of the pack without what it says of times and ids: numbers there are nobody's."""
    text = content.decode("utf-8")
    if name.endswith(".json"):
        return " ".join(_strings(json.loads(text)))
    return re.sub(r"<style>.*</style>|\d+:\d\d|audio/[\w-]+\.ogg|<[^>]*>", " ", text, flags=re.DOTALL)


def _strings(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key not in ("call_id", "pack_id", "expires_at", "audio"):
                yield from _strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from _strings(value)
    elif isinstance(part, str):
        yield part


if __name__ == "__main__":
    sys.exit(main())
