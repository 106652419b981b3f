"""The signals of staged calls, cached beside them, so that scorecards are tried on past calls without running the turn model again.

The score step writes the cache; calls scored by a version before it are added when a scorecard is tried on them. It is a file of the batch,
`signals.parquet`: retention and erasure remove its rows with all others of a call (`staging.Batch.forget`). Its only words are the
masked quotes of abuse, which `findings.parquet` has as well. A key identifies what the signals were found in: the turns, the rules, the
model, and what they use of the profile. Signals with another key are not used.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from pipelines.centres.profile import Centre
from pipelines.core import versions
from pipelines.core.records import Call, Turn
from pipelines.core.staging import SIGNALS, Batch, is_whole, write_whole
from pipelines.score.signals import Signals, topic_depends_on, words_depend_on
from pipelines.turns.model_reading import ModelReading

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCHEMA = {
    "call_id": pl.String, "words_key": pl.String, "topic_key": pl.String, "signals": pl.String, "client_type": pl.String, "vector": pl.Binary,
}  # fmt: skip
_SIGNALS, _CHANCES = TypeAdapter(Signals), TypeAdapter(dict[str, float])


@dataclass(frozen=True, slots=True)
class Keys:
    """Identify what signals were found in: all but the topic, and the topic."""

    words: str
    topic: str


@dataclass(frozen=True, slots=True)
class CachedCall:
    """The signals of a call, with what the turn model read of the call as a whole."""

    call_id: str
    keys: Keys
    signals: Signals
    client_type: Mapping[str, float]
    vector: NDArray[np.float32]  # see `models.text.turn_model.call_vector`

    def reading(self, topics: Mapping[str, float] | None = None) -> ModelReading:
        """The model's output as far as it is cached: without its turns. `topics`: those of a centre, see `Prototypes.scores`."""
        return ModelReading({}, self.client_type, topics or {}, self.vector)


def keys_of(call: Call, turns: Sequence[Turn], centre: Centre, profile: str) -> Keys:
    """The keys of a call's signals: its turns in order, judged by a centre's profile with the models of a profile."""
    words = _digest(_rules(profile), tuple(turns), words_depend_on(centre))
    return Keys(words, _digest(words, topic_depends_on(centre, call)))


def cached_call(call_id: str, keys: Keys, signals: Signals, reading: ModelReading) -> CachedCall | None:
    """The entry of a call; None where the turn model did not run."""
    return None if reading.vector is None else CachedCall(call_id, keys, signals, reading.client_type, reading.vector)


def read(batch: Batch) -> dict[str, CachedCall]:
    """The cached calls of a batch by call id, whatever their keys; empty for a batch without a cache."""
    path = batch.path(SIGNALS)
    if not is_whole(path):
        return {}
    return {
        call_id: CachedCall(
            call_id,
            Keys(words, topic),
            _SIGNALS.validate_json(signals),
            _CHANCES.validate_json(client_type),
            np.frombuffer(vector, np.float32),
        )
        for call_id, words, topic, signals, client_type, vector in pl.read_parquet(path).iter_rows()
    }


def write(batch: Batch, calls: Iterable[CachedCall]) -> None:
    """Replace the cache of a batch, as the score step does: the same calls give the same bytes. The batch must be locked."""
    _write(batch, _frame(calls))


def add(batch: Batch, calls: Iterable[CachedCall]) -> None:
    """Add calls to the cache; nothing is written while the batch is being graded, or for calls that are no longer there."""
    try:
        handle = os.open(batch.folder, os.O_RDONLY)
    except FileNotFoundError:
        return  # forgotten meanwhile
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        listed = {call.call_id for call in batch.read("calls")}
        new = _frame(one for one in calls if one.call_id in listed)
        path = batch.path(SIGNALS)
        if is_whole(path):
            stays = pl.col("call_id").is_in(list(listed)) & ~pl.col("call_id").is_in(new["call_id"].to_list())
            new = pl.concat([pl.read_parquet(path).filter(stays), new])
        _write(batch, new)
    except (BlockingIOError, FileNotFoundError):
        return  # being graded, or forgotten meanwhile: the cache is not needed
    finally:
        os.close(handle)


def _frame(calls: Iterable[CachedCall]) -> pl.DataFrame:
    rows = [
        {
            "call_id": one.call_id,
            "words_key": one.keys.words,
            "topic_key": one.keys.topic,
            "signals": _SIGNALS.dump_json(one.signals).decode(),
            "client_type": _CHANCES.dump_json(dict(one.client_type)).decode(),
            "vector": np.asarray(one.vector, np.float32).tobytes(),
        }
        for one in calls
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)


def _write(batch: Batch, frame: pl.DataFrame) -> None:
    content = io.BytesIO()
    frame.write_parquet(content, compression="zstd")
    write_whole(batch.path(SIGNALS), content.getvalue())


@cache
def _rules(profile: str) -> str:
    """Identifies the code and the models of the score step, without the profiles of centres."""
    return _digest(sorted(versions.digests("score", profile, centres=()).items()))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
