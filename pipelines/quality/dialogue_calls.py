"""Converts labelled dialogues to a folder of calls: a call log, and references with times estimated from the number of letters.

So dialogues that were written but never spoken are measured by the same command as recordings.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Container
from pathlib import Path
from typing import Any

import yaml

from models.languages.phrases import LOADER
from pipelines.core.profile_files import centre_ids

LETTERS_A_SECOND = 14.0
START_S, PAUSE_S, END_S, AFTER_HOLD_S, SHORTEST_S = 1.0, 0.35, 1.0, 0.3, 0.8
_COLUMNS = (
    "call_id", "centre", "recording", "started_at", "direction", "line", "queue", "ivr_path", "operator_id", "operator_tenure", "client_ref", "wait_s",
    "disconnect_party", "operator_channel", "language",
)  # fmt: skip


def write_calls(scripts: Path, out: Path, writers: Container[int] | None = None) -> Path:
    """A folder with `calls.csv` and a `reference/CALL_ID.json` for each script (`*.yaml`) below `scripts`, or for those of `writers`.

    Scripts of centres without a profile are skipped.
    """
    (out / "reference").mkdir(parents=True, exist_ok=True)
    with (out / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for path in sorted(scripts.rglob("*.yaml")):
            script = yaml.load(path.read_text(encoding="utf-8"), LOADER)
            if script["centre"] not in centre_ids() or (writers is not None and script["writer"] not in writers):
                continue
            writer.writerow(_row(script))
            text = json.dumps(reference_of(script), ensure_ascii=False)
            (out / "reference" / f"{script['id']}.json").write_text(text, encoding="utf-8")
    return out


def reference_of(script: dict[str, Any]) -> dict[str, Any]:
    """The reference of one script, in the format of `pipelines.quality.reference`; times in seconds."""
    turns: list[dict[str, Any]] = []
    holds: list[dict[str, Any]] = []
    at_s = START_S
    for item in script["turns"]:
        if "hold" in item:
            holds.append({"start_s": round(at_s, 3), "end_s": round(at_s + item["hold"], 3), "sound": item["sound"]})
            at_s += item["hold"] + AFTER_HOLD_S
            continue
        overlap_s = float(item.get("overlap_s") or 0)
        start_s = max(0.0, at_s - overlap_s)
        end_s = start_s + max(SHORTEST_S, len(item["text"]) / LETTERS_A_SECOND)
        turns.append(
            {
                "role": item["who"], "start_s": round(start_s, 3), "end_s": round(end_s, 3), "text": item["text"],
                "lang": item.get("lang") or script["language"], "sentiment": item.get("sentiment") or "neutral", "marks": item.get("marks") or [],
                "abuse": item.get("abuse") if item["who"] == "client" else None, "pii": item.get("pii") or [], "voice": item.get("voice") or "normal",
                "overlap_s": overlap_s,
            }
        )  # fmt: skip
        at_s = end_s + PAUSE_S
    same = ("id", "centre", "language", "direction", "topic", "client_type", "disconnect_party", "truth", "line", "operator", "started_at")
    return {key: script[key] for key in same} | {
        "turns": turns, "holds": holds, "layout": "mono", "codec": "wav", "duration_s": round(at_s + END_S, 3),
    }  # fmt: skip


def _row(script: dict[str, Any]) -> tuple[object, ...]:
    path = "/".join(str(part) for part in script.get("ivr_path") or ())
    operator, client = script["operator"], script["client"]
    return (
        script["id"], script["centre"], "", script["started_at"], script["direction"], script["line"], "", path, operator["id"], operator["tenure"],
        client.get("ref", ""), script.get("wait_s", ""), script["disconnect_party"], "", script["language"],
    )  # fmt: skip
