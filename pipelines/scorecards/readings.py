"""The turn model's output for staged calls, cached beside them, so that scorecards are tried on past calls without running the model again.

The output does not depend on a scorecard; only the topics' examples do, and they are applied to the cached vector of a call. The cache is
a file of the batch, `readings.parquet`: retention and erasure remove its rows with all others of a call (`staging.Batch.forget`). It has
no words, and is not used for other words or by another model.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models.text.prototypes import Prototypes
from models.text.turn_model import ACTS, CLIENT_TYPES, KINDS, SENTIMENTS, SEVERITIES, TARGETS, CallReading, TurnReading
from pipelines.core import versions
from pipelines.core.records import Turn
from pipelines.core.staging import READINGS, Batch, is_whole, write_whole
from pipelines.turns.model_reading import ModelReading

_SCHEMA = {"call_id": pl.String, "read_of": pl.String, "content": pl.Binary}
_LABELS = {"acts": ACTS, "severity": SEVERITIES, "target": TARGETS, "sentiment": SENTIMENTS}


def model_of(profile: str) -> str:
    """Identifies the turn model of a profile, with its code."""
    return str(sorted(item for item in versions.digests("score", profile, centres=()).items() if "model" in item[0]))


def key_of(turns: Sequence[Turn], model: str) -> str:
    """Identifies what was read: the words and roles of a call, and the model."""
    said = "\n".join(f"{turn.turn_no} {turn.role}: {' '.join(token.text for token in turn.tokens)}" for turn in turns)
    return hashlib.sha256(f"{model}\n{said}".encode()).hexdigest()


def cached(batch: Batch, keys: Mapping[str, str]) -> dict[str, CallReading]:
    """The cached readings of the calls of a batch, by call id; `keys` are those of the calls wanted."""
    path = batch.path(READINGS)
    if not is_whole(path):
        return {}
    rows = pl.read_parquet(path).iter_rows()
    return {call_id: _decoded(content) for call_id, read_of, content in rows if keys.get(call_id) == read_of}


def store(batch: Batch, keys: Mapping[str, str], found: Mapping[str, CallReading]) -> None:
    """Add readings to the cache of a batch; nothing is written while the batch is being graded, or for calls that are no longer there."""
    handle = os.open(batch.folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        listed = {call.call_id for call in batch.read("calls")}
        rows = [{"call_id": c, "read_of": keys[c], "content": _encoded(one)} for c, one in found.items() if c in listed]
        frame = pl.DataFrame(rows, schema=_SCHEMA)
        path = batch.path(READINGS)
        if is_whole(path):
            kept = pl.read_parquet(path).filter(~pl.col("call_id").is_in(list(found)) & pl.col("call_id").is_in(list(listed)))
            frame = pl.concat([kept, frame])
        _write(path, frame)
    except (BlockingIOError, FileNotFoundError):
        return  # being graded, or forgotten meanwhile: the cache is not needed
    finally:
        os.close(handle)


def for_scoring(turns: Sequence[Turn], found: CallReading, topics: Prototypes) -> ModelReading:
    """A reading as the score step takes it, with the topics of a centre."""
    by_turn = {turn.turn_no: one for turn, one in zip(turns, found.turns, strict=True)}
    return ModelReading(by_turn, found.client_type, topics.scores(found.vector))


def _write(path: Path, frame: pl.DataFrame) -> None:
    content = io.BytesIO()
    frame.write_parquet(content, compression="zstd")
    write_whole(path, content.getvalue())


def _encoded(one: CallReading) -> bytes:
    turns = one.turns
    arrays: dict[str, Any] = {
        name: [[getattr(turn, name)[label] for label in labels] for turn in turns] for name, labels in _LABELS.items()
    }
    arrays |= {
        "words": [len(turn.act_logits) for turn in turns],
        "act_logits": np.concatenate([turn.act_logits for turn in turns]),
        "severity_logits": np.concatenate([turn.severity_logits for turn in turns]),
        "client_type": [one.client_type[label] for label in CLIENT_TYPES],
        "vector": one.vector,
    }
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def _decoded(content: bytes) -> CallReading:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        held = {name: file[name] for name in file.files}
    ends = np.cumsum(held["words"]).tolist()
    turns = []
    for n, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        named = {name: dict(zip(labels, held[name][n].tolist(), strict=True)) for name, labels in _LABELS.items()}
        turns.append(
            TurnReading(
                **named,
                personal=np.zeros((end - start, len(KINDS)), np.float32),  # the words are masked already
                act_logits=held["act_logits"][start:end],
                severity_logits=held["severity_logits"][start:end],
                vector=np.zeros(0, np.float32),
            )
        )
    return CallReading(tuple(turns), dict(zip(CLIENT_TYPES, held["client_type"].tolist(), strict=True)), {}, held["vector"])
