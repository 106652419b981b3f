"""Made-up weeks of calls in a real warehouse: verdicts on a few criteria, one of which falls in the last week in one centre."""

from __future__ import annotations

import shutil
from datetime import timedelta

import duckdb
import numpy as np
import polars as pl

from pipelines.core.settings import Settings
from pipelines.warehouse import marts
from pipelines.warehouse.file import migrate
from tests.trends.simulate_weeks import FIRST_DAY

CRITERIA = ("greeting", "farewell", "needs_clarified", "politeness", "solution_offered", "summary")
FALLEN = "needs_clarified"
WEEKS, CALLS, OPERATORS = 8, 160, 8
LAST_WEEK = FIRST_DAY + timedelta(days=7 * (WEEKS - 1))
TOPICS, LINES = ("tariff", "reading", "payment"), ("first", "second")


def frame(centre_id: str, seed: int, falls: bool) -> pl.DataFrame:
    """One row per call and criterion; `needs_clarified` passes in 79 %, in the last week 45 % where it falls, most of all in op-1 and op-2."""
    rng = np.random.default_rng(seed)
    calls = WEEKS * CALLS
    n = np.arange(calls)
    week, who, topic = n // CALLS, rng.integers(0, OPERATORS, calls), rng.integers(0, len(TOPICS), calls)
    day = week * 7 + rng.integers(0, 7, calls)
    parts = []
    for criterion in CRITERIA:
        chance = 0.79 + 0.03 * (topic - 1) + np.linspace(-0.05, 0.05, OPERATORS)[who]
        if falls and criterion == FALLEN:
            chance = chance - np.where(week == WEEKS - 1, np.where(who < 2, 0.6, 0.25), 0.0)
        verdict = np.select([rng.random(calls) < 0.1, rng.random(calls) < chance], ["na", "pass"], "fail")
        parts.append(pl.DataFrame({"n": n, "criterion_id": criterion, "verdict": verdict}))
    about = pl.DataFrame({
        "n": n, "call_id": [f"{centre_id}-{i:05d}" for i in n], "centre_id": centre_id, "operator_id": [f"op-{i + 1}" for i in who],
        "topic": [TOPICS[i] for i in topic], "line": [LINES[i] for i in rng.integers(0, 2, calls)],
        "started_at": np.datetime64(FIRST_DAY, "us") + day.astype("timedelta64[D]") + (8 * 60 + rng.integers(0, 480, calls)).astype("timedelta64[m]"),
    })  # fmt: skip
    return pl.concat(parts).join(about, on="n")


def fill(db: duckdb.DuckDBPyConnection, made: pl.DataFrame) -> None:
    """Put these calls into the private tables of a warehouse, as a load would."""
    db.register("made", made)
    db.execute("insert into core.centres (centre_id, name, timezone) select distinct centre_id, centre_id, 'UTC' from made")
    db.execute("create temp table numbered as select *, dense_rank() over (order by call_id) as call_no from made")
    db.execute(
        """insert into core.calls by name
           select distinct call_id, call_no, centre_id, timezone('UTC', started_at) as started_at, 'inbound' as direction, line, operator_id,
               'graded' as status, 'redacted' as text_kept, '' as content_md5, timestamptz '2026-06-01 00:00:00+00' as loaded_at
           from numbered"""
    )
    db.execute(
        """insert into core.metrics by name
           select distinct call_id, 'uk' as language, topic, 1.0 as topic_confidence, 'addressed' as client_type, 1.0 as client_type_confidence,
               90.0 as handling_time_s, 0.0 as overlap_ratio, 0.0 as dead_air_s, 0.0 as hold_s, 0 as interruptions_by_operator,
               0 as interruptions_by_client, 1.0 as asr_confidence, '' as speech_model, '' as scored_by
           from made"""
    )
    db.execute(
        """insert into core.verdicts by name
           select call_id, call_no, 'card' as scorecard_id, '1' as scorecard_version, criterion_id, verdict, 0.9 as confidence,
               if(verdict = 'pass', 5, 0) as points, 5 as max_points, '' as explanation
           from numbered order by call_no"""
    )
    db.execute(
        """insert into core.evaluations by name
           select call_id, 'card' as scorecard_id, '1' as scorecard_version,
               100.0 * count(*) filter (where verdict = 'pass') / nullif(count(*) filter (where verdict in ('pass', 'fail')), 0) as score_pct,
               false as is_auto_fail, 100.0 as coverage_pct, false as needs_review, timestamptz '2026-06-01 00:00:00+00' as evaluated_at
           from made group by call_id"""
    )
    db.unregister("made")
    db.execute("insert into core.unpublished select call_id from core.calls")
    marts.refresh(db)


def publish_weeks(settings: Settings) -> None:
    """Publish two centres: kyiv, in which `needs_clarified` falls in the last week, and irkutsk, in which nothing changes."""
    with duckdb.connect(str(settings.warehouse)) as db:
        db.execute("set timezone = 'UTC'")
        migrate(db)
        fill(db, pl.concat([frame("kyiv", 1, True), frame("irkutsk", 2, False)]))
    # As publishing copies it, without its checks: these calls have no recordings and no words.
    settings.snapshot.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(settings.warehouse, settings.snapshot)
