"""Each view returns the rows that its cases in tests/sql/<view>/<case>.yaml expect, and documents every column."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from pipelines.warehouse import dictionary as warehouse_dictionary
from pipelines.warehouse import file as warehouse_file
from pipelines.warehouse import marts
from pipelines.warehouse.file import core_schema

CASES = sorted((Path(__file__).parents[1] / "sql").glob("*/*.yaml"))
VIEWS = sorted((warehouse_file.SQL / "marts").glob("*.sql"))
# Defaults for a case: the values of columns that must have one.
ORDINARY: dict[str, Any] = {
    "status": "graded", "text_kept": "redacted", "content_md5": "x", "loaded_at": "2024-01-01 00:00:00+00", "evaluated_at": "2024-01-01 00:00:00+00", "judged_at": "2024-01-01 00:00:00+00",
    "judge": "machine", "scorecard_id": "card", "scorecard_version": "1", "role": "operator", "language": "ru", "topic": "outage",
    "client_type": "addressed", "is_auto_fail": False, "needs_review": False, "words": [], "confidence": 1.0, "coverage_pct": 100.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def migrated() -> Iterator[duckdb.DuckDBPyConnection]:
    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    warehouse_file.migrate(db)
    yield db
    db.close()


@pytest.fixture
def db(migrated: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A migrated warehouse without rows; what a test puts in goes out with it."""
    migrated.execute("begin")
    yield migrated
    migrated.execute("rollback")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_view(db: duckdb.DuckDBPyConnection, case: Path) -> None:
    text = yaml.safe_load(case.read_text(encoding="utf-8"))
    for table, rows in text["given"].items():
        for row in rows:
            _insert(db, table, row)
    _refresh(db)
    columns = list(text["expect"][0])
    found = db.execute(f"select {', '.join(columns)} from {case.parent.name}{_where(text)}").fetchall()
    expected = [tuple(row[column] for column in columns) for row in text["expect"]]
    assert sorted(map(_plain, found), key=repr) == sorted(map(_plain, expected), key=repr)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.stem)
def test_every_view_has_a_case_a_grain_and_comments(db: duckdb.DuckDBPyConnection, view: Path) -> None:
    assert any(case.parent.name == view.stem for case in CASES), f"tests/sql/{view.stem} has no case"
    assert view.read_text(encoding="utf-8").startswith("-- grain: one row per ")
    assert db.execute("select comment from duckdb_views() where view_name = ?", [view.stem]).fetchone() not in ((None,), None)
    columns = db.execute(
        "select column_name, comment from duckdb_columns() where schema_name = 'main' and table_name = ?", [view.stem]
    ).fetchall()
    assert columns and [name for name, comment in columns if not comment] == []


def test_tables_and_views_read_no_view(db: duckdb.DuckDBPyConnection) -> None:
    """Data flows from `core` through `intermediate` to the views: each query works where no other view exists."""
    for view in VIEWS:
        db.execute(f"drop view {view.stem}")
    for table in marts.intermediate():
        db.execute(f"explain {table.read_text(encoding='utf-8')}")
    for view in VIEWS:
        db.execute(view.read_text(encoding="utf-8"))
        db.execute(f"drop view {view.stem}")


# The promise to analysts: these names never change and never go.
CONTRACT = """
calls: call_id centre_id recording_sha256 started_at direction line queue ivr_path operator_id operator_tenure client_ref wait_s duration_s channels
  language topic topic_confidence client_type client_type_confidence disconnect_party status status_reason role_confidence speech_model scored_by
turns: call_id turn_no role start_s end_s text language asr_confidence sentiment sentiment_confidence voice_level_db raised_voice overlap_s
holds: call_id start_s end_s kind
findings: call_id finding_no kind role turn_no start_s end_s quote severity target confidence detector
abuse_procedures: call_id outcome warned_at_s ended_notice_at_s confidence explanation
criterion_results: call_id scorecard_id scorecard_version criterion_id verdict confidence points max_points quote role turn_no start_s end_s judge explanation
evaluations: call_id scorecard_id scorecard_version score_pct auto_fail auto_fail_reason coverage_pct needs_review judge evaluated_at
coaching_clips: clip_id call_id criterion_id kind start_s end_s quote path masked expires_at
operator_scorecards: operator_id centre_id period_start period calls graded score_pct score_low_pct score_high_pct abusive_calls abuse_exposure_s aht_s
centre_scorecards: centre_id line period_start period calls graded score_pct score_low_pct score_high_pct abusive_calls abuse_exposure_s aht_s
"""


@pytest.mark.parametrize("promise", re.sub(r"\n  ", " ", CONTRACT).strip().splitlines(), ids=lambda line: line.partition(":")[0])
def test_the_promised_columns_are_there(db: duckdb.DuckDBPyConnection, promise: str) -> None:
    view, _, columns = promise.partition(":")
    db.execute(f"select {', '.join(columns.split())} from {view}")


def test_started_at_carries_its_time_zone(db: duckdb.DuckDBPyConnection) -> None:
    assert db.execute("select typeof(started_at) from (values (1)) left join calls on true").fetchone() == ("TIMESTAMP WITH TIME ZONE",)


def test_an_interval_holds_the_score_and_narrows_with_calls(db: duckdb.DuckDBPyConnection) -> None:
    for operator, calls in (("few", 3), ("many", 60), ("other", 30)):
        for n in range(calls):
            call_id = f"{operator}-{n}"
            _insert(db, "calls", {"call_id": call_id, "centre_id": "c", "operator_id": operator, "started_at": "2024-10-21 10:00:00+00"})
            _insert(db, "evaluations", {"call_id": call_id, "score_pct": 90.0 - 20.0 * (n % 3) + (10 if operator == "few" else 0)})
    _refresh(db)
    sql = "select operator_id, raw_score_pct, score_pct, score_low_pct, score_high_pct from operator_scorecards where period = 'month'"
    cards = {row[0]: row[1:] for row in db.execute(sql).fetchall()}
    assert all(low < score < high for _, score, low, high in cards.values())
    assert cards["few"][3] - cards["few"][2] > cards["many"][3] - cards["many"][2]
    raw, score, *_ = cards["few"]
    assert cards["many"][1] < score < raw  # drawn towards the mean of the centre


def test_the_documentation_is_current() -> None:
    behind = [page.name for page, text in warehouse_dictionary.pages().items() if page.read_text(encoding="utf-8") != text]
    assert behind == [], "run: python -m pipelines.warehouse.dictionary"


def test_the_examples_of_the_documentation_run(db: duckdb.DuckDBPyConnection) -> None:
    examples = re.findall(r"```sql\n(.*?)```", (warehouse_dictionary.DOCS / "warehouse.md").read_text(encoding="utf-8"), re.S)
    assert examples
    for example in examples:
        db.execute(example)


def test_keywords_are_in_lower_case() -> None:
    for file in warehouse_file.SQL.rglob("*.sql"):
        code = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", file.read_text(encoding="utf-8"))
        assert not re.findall(r"\b(?:SELECT|FROM|WHERE|JOIN|CREATE|INSERT|WITH|GROUP|ORDER)\b", code), file.name


def _refresh(db: duckdb.DuckDBPyConnection) -> None:
    """What publishing does for the calls that a load has changed."""
    db.execute("insert into core.unpublished select call_id from core.calls")
    marts.refresh(db)


def _insert(db: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any]) -> None:
    columns = db.execute(
        "select column_name, data_type, is_nullable from duckdb_columns() where schema_name = ? and table_name = ?",
        [core := core_schema(db), table],
    ).fetchall()
    assert set(row) <= {name for name, _, _ in columns}, f"{core}.{table} has no such column: {row}"
    plain = {"VARCHAR": "x", "BIGINT": 1, "DOUBLE": 0.0, "BOOLEAN": False}
    values = {
        name: row[name] if name in row else ORDINARY.get(name, plain.get(kind))
        for name, kind, nullable in columns
        if name in row or not nullable
    }
    if any(name == "call_no" for name, _, _ in columns):
        values.setdefault("call_no", zlib.crc32(row["call_id"].encode()))
    db.execute(f"insert into {core}.{table} ({', '.join(values)}) values ({', '.join('?' * len(values))})", list(values.values()))


def _where(text: dict[str, Any]) -> str:
    return f" where {text['where']}" if "where" in text else ""


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Moments and days as text, numbers to a hundredth, so that a case can be written by hand."""
    return tuple(
        round(float(value), 2) if isinstance(value, int | float) and not isinstance(value, bool)
        else value if value is None or isinstance(value, bool | list) else str(value)
        for value in row
    )  # fmt: skip
