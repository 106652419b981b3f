"""Small staged batches in the form that the steps write: enough of a call for the warehouse, without audio."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.core.records import (
    AudioFacts,
    Call,
    CallMetrics,
    CallRoles,
    Evaluation,
    Finding,
    Hold,
    PersonalData,
    Procedure,
    Rejection,
    SpeechAct,
    Token,
    Turn,
    TurnSentiment,
    Verdict,
)
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch

GREETING = ("Добрый", "день,", "компания", "Энергосбыт.")


def call(call_id: str, sound: str | None = None, **changes: Any) -> Call:
    """A call of the Irkutsk centre; `sound` stands for the audio, so calls with the same `sound` have the same recording."""
    sha256 = hashlib.sha256((sound or call_id).encode()).hexdigest()
    at = datetime(2024, 10, 21, 17, 30, tzinfo=UTC)  # half past one on Tuesday in Irkutsk
    made = Call(
        call_id, "irkutsk", f"/recordings/{sound or call_id}.ogg", sha256, 1000, at, line="first", operator_id="op-1",
        client_ref="c-1", wait_s=20.0,
    )  # fmt: skip
    return replace(made, **changes)


def stage(
    settings: Settings,
    name: str,
    calls: Sequence[Call],
    rejected: Sequence[Rejection] = (),
    *,
    verdict: str = "pass",
    words: Sequence[str] = GREETING,
    raw: str | None = None,
) -> Batch:
    """A judged batch: every call not rejected has one greeting of the operator, one criterion and one abusive word of the client."""
    batch = Batch(settings.stage / name)
    batch.write("calls", calls)
    batch.write_rejected("intake", rejected)
    out = {row.call_id for row in rejected}
    ids = [c.call_id for c in calls if c.call_id not in out]
    points = {"pass": 2.0, "fail": 0.0, "na": 0.0, "unsure": 0.0}[verdict]
    decided = verdict in ("pass", "fail")
    tokens = tuple(Token(word, float(n), n + 0.8, 0.9) for n, word in enumerate(words))
    client = (Token("Тупая", 5.0, 5.5, 0.8), Token("[ACCOUNT]", 5.6, 7.0, 0.8, raw))
    batch.write("audio", [AudioFacts(i, 30.0, 8000, "opus", 1, 1, (), (Hold(10.0, 14.0, "music"),), 0.1, ()) for i in ids])
    batch.write("roles", [CallRoles(i, 0.9, "The first voice names the company.", False) for i in ids])
    batch.write("turns", [turn for i in ids for turn in (_turn(i, 1, "operator", tokens), _turn(i, 2, "client", client))])
    batch.write("personal_data", [PersonalData(i, 2, "account", 5.6, 7.0) for i in ids])
    batch.write("sentiments", [TurnSentiment(i, 1, "neutral", 0.8) for i in ids])
    abuse = [Finding(i, "abuse", "client", 2, 5.0, 5.5, "Тупая", "insult", "operator", 0.9, "lexicon") for i in ids]
    batch.write("speech_acts", [SpeechAct(i, 1, "greeting", "operator", 0.0, 1.8, " ".join(words[:2]), 0.95) for i in ids])
    batch.write("findings", abuse)
    batch.write("dropped", [Finding(i, "dropped_speech", "unknown", None, 20.0, 22.0, None) for i in ids])
    batch.write("procedures", [Procedure(i, "calmed", 8.0, None, 0.8, "The client calmed down.") for i in ids])
    evidence = (" ".join(words[:2]), "operator", 1, 0.0, 1.8) if decided else (None, None, None, None, None)
    batch.write("verdicts", [Verdict(i, "irkutsk", "1", "greeting", verdict, 0.9, points, 2.0, *evidence, "Greeted.") for i in ids])  # type: ignore[arg-type]
    score, coverage = (50.0 * points, 100.0) if decided else (None, 0.0)
    batch.write("evaluations", [Evaluation(i, "irkutsk", "1", score, False, None, coverage, not decided) for i in ids])
    batch.write("metrics", [_metrics(i) for i in ids])
    return batch


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a query finds in a warehouse."""
    db = duckdb.connect(str(path), read_only=True)
    try:
        db.execute("set timezone = 'UTC'")
        return db.execute(sql).fetchall()
    finally:
        db.close()


def change(settings: Settings, sql: str) -> None:
    """Tamper with the writer's file, and say so: every call is to be published again."""
    db = duckdb.connect(str(settings.warehouse))
    try:
        db.execute(sql)
        db.execute("insert into core.unpublished select call_id from core.calls")
    finally:
        db.close()


def statuses(settings: Settings) -> dict[str, str]:
    """What became of each call."""
    return dict(rows(settings.warehouse, "select call_id, status from calls"))


def _turn(call_id: str, turn_no: int, role: Any, tokens: tuple[Token, ...]) -> Turn:
    start_s, end_s = tokens[0].start_s, tokens[-1].end_s
    return Turn(call_id, turn_no, 0, role, role, 0.9, start_s, end_s, tokens, "ru", 0.9, 0.0, False, 0.0, False)


def _metrics(call_id: str) -> CallMetrics:
    return CallMetrics(
        call_id,
        "ru",
        "outage",
        0.9,
        "addressed",
        0.9,
        30.0,
        0.5,
        0.3,
        0.0,
        1.0,
        4.0,
        120.0,
        100.0,
        0,
        0,
        -0.5,
        0.5,
        0.9,
        "speech-1",
        "rules-1",
    )
