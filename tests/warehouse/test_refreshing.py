"""A refresh gives the same rows as a complete rebuild; words are found in any form."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from pipelines import warehouse
from pipelines.centres.profile import RestRule, load_centre
from pipelines.core.settings import Settings
from pipelines.warehouse import loading, marts
from pipelines.warehouse.file import migrate
from tests.staged import call, rows, stage
from tests.warehouse.test_marts import _insert

TABLES = [file.stem for file in marts.intermediate()]
_AT = st.integers(0, 24 * 50).map(lambda hours: (datetime(2024, 9, 20, tzinfo=UTC) + timedelta(hours=hours)).isoformat())
_BLOCKS_OF_TWO = "create or replace macro call_block(call_no) as ((call_no - 1) // 2)"
_CALL = st.tuples(st.integers(0, 9), _AT, st.sampled_from(["one", "two", None]), st.sampled_from([40.0, 90.0, None]), st.booleans())


@tried(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(st.lists(st.lists(_CALL, min_size=1, max_size=5, unique_by=lambda c: c[0]), min_size=2, max_size=3))
def test_refreshing_step_by_step_gives_the_rows_of_a_complete_rebuild(
    loads: list[list[tuple[int, str, str | None, float | None, bool]]],
) -> None:
    """Calls come, and come again at another time, with another operator, score, words or abuse; their words lie in blocks of two calls."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(marts, "_BLOCKS_AT_ONCE", 2)
        _assert_same_as_rebuilt(loads)


def _assert_same_as_rebuilt(loads: list[list[tuple[int, str, str | None, float | None, bool]]]) -> None:
    db = duckdb.connect(config={"threads": 1})
    db.execute("set timezone = 'UTC'")
    migrate(db)
    db.execute(_BLOCKS_OF_TWO)
    try:
        _insert(db, "centres", {"centre_id": "c", "name": "C", "timezone": "Europe/Kyiv"})
        numbers = count(1)  # a call that comes again gets a new one, as when it is loaded
        for load in loads:
            for number, at, operator, score, is_abusive in load:
                call_id = f"call-{number}"
                for table in ("calls", "evaluations", "findings", "turns"):
                    db.execute(f"delete from core.{table} where call_id = ?", [call_id])
                _insert(
                    db,
                    "calls",
                    {
                        "call_id": call_id,
                        "centre_id": "c",
                        "operator_id": operator,
                        "started_at": at,
                        "call_no": (call_no := next(numbers)),
                    },
                )
                _insert(db, "evaluations", {"call_id": call_id, "score_pct": score})
                _insert(
                    db,
                    "turns",
                    {"call_id": call_id, "turn_no": 1, "call_no": call_no, "text": "Номер счёта" if is_abusive else "Два счёта"},
                )
                if is_abusive:
                    _insert(db, "findings", {"call_id": call_id, "kind": "abuse", "role": "client", "end_s": 9.0})
                db.execute("insert into core.unpublished values (?)", [call_id])
            marts.refresh(db)
            marts.nothing_waits(db)
        refreshed = contents(db)
        marts.create(db)
        db.execute(_BLOCKS_OF_TWO)
        marts.refresh(db)
        assert contents(db) == refreshed
    finally:
        db.close()


def test_a_new_version_computes_each_call_once_however_many_there_are() -> None:
    """More calls than DuckDB keeps in one group of rows (122,880): see `marts.create`."""
    with duckdb.connect(config={"threads": 2}) as db:
        db.execute("set timezone = 'UTC'")
        migrate(db)
        db.execute(
            """insert into core.calls by name
               select 'c' || i as call_id, i + 1 as call_no, 'c' as centre_id, 'graded' as status, 'raw' as text_kept, '' as content_md5, now() as loaded_at
               from range(250000) as r(i)"""
        )
        for work in (marts.create, marts.refresh_calls):
            db.execute("begin")
            work(db)
            db.execute("commit")
            assert db.execute("select count(*), count(distinct call_id) from intermediate.calls").fetchone() == (250_000, 250_000)


def contents(db: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    return {name: sorted(str(tuple(map(_plain, row))) for row in db.execute(f"from intermediate.{name}").fetchall()) for name in TABLES}


def _plain(value: object) -> object:
    """The last digits of a sum depend on the order of its parts."""
    return round(value, 4) + 0.0 if isinstance(value, float) else value


def test_a_failed_check_leaves_no_row_twice(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    for _ in range(2):
        warehouse.check(settings)  # works out what is unpublished, and publishes nothing
    warehouse.publish(settings)
    found = rows(settings.snapshot, "select count(*), count(distinct lemma) from lemmas")
    assert found[0][0] == found[0][1] > 0
    assert rows(settings.snapshot, "select (select count(*) from core.unpublished), (select count(*) from core.touched)") == [(0, 0)]


def test_a_phrase_is_found_in_any_form(settings: Settings) -> None:
    warehouse.load(stage(settings, "b", [call("a")], words=("Перерасчёта", "за", "отопление", "нет.")), settings)
    warehouse.load(stage(settings, "c", [call("b")], words=("Отопления", "нет.")), settings)
    warehouse.publish(settings)

    def saying(phrase: str) -> list[tuple[str, int]]:
        return [(c, n) for c, n in rows(settings.snapshot, f"select call_id, turn_no from turns_saying('{phrase}') order by all")]

    assert saying("перерасчет") == [("a", 1)]
    assert saying("отопление") == [("a", 1), ("b", 1)]
    assert saying("нет отопления") == [("a", 1), ("b", 1)]
    assert saying("перерасчёт тариф") == []


def test_lemmas_are_found_among_some_calls_wherever_their_blocks_lie(settings: Settings) -> None:
    count = 1003  # three blocks
    said = [("Перерасчёта", "нет.") if n % 3 else ("Тариф", "другой.") for n in range(count)]
    for words in sorted(set(said)):
        ids = [call(f"c{n:04}") for n in range(count) if said[n] == words]
        warehouse.load(stage(settings, words[0], ids, words=words), settings)
    warehouse.publish(settings)
    numbers = [n for (n,) in rows(settings.snapshot, "select call_no from calls order by call_no")]
    for some in (numbers, numbers[:1], numbers[498:502], numbers[::7], []):
        among = f"select call_no, turn_nos from lemmas_in_calls(['перерасчет'], {some}::bigint[]) order by all"
        expected = (
            f"select call_no, turn_nos from lemmas where lemma = 'перерасчет' and list_contains({some}::bigint[], call_no) order by all"
        )
        assert rows(settings.snapshot, among) == rows(settings.snapshot, expected), some[:3]
    assert rows(
        settings.snapshot,
        f"select lemma, count(*) from lemmas_in_calls(['перерасчет', 'тариф', 'никто'], {numbers}) group by all order by all",
    ) == [
        ("перерасчет", sum("нет." in w for w in said)),
        ("тариф", sum("Тариф" in w for w in said)),
    ]
    assert rows(settings.snapshot, "select lemma from lemmas_said(['перерасчет', 'тариф', 'никто']) order by all") == [
        ("перерасчет",),
        ("тариф",),
    ]


def test_a_centres_own_rest_rule_holds_for_calls_of_before_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.load(stage(settings, "b", [call("a")]), settings)
    warehouse.publish(settings)
    due = "select count(*) filter (where rest_due_local is not null) from operator_shifts"
    assert rows(settings.snapshot, "select abusive_in_a_row, abusive_calls, abuse_s from rest_rules") == [(2, 3, 60.0)]
    assert rows(settings.snapshot, due) == [(0,)]
    stricter = load_centre("irkutsk").model_copy(update={"rest": RestRule(abusive_in_a_row=1)})
    monkeypatch.setattr(loading, "load_centre", lambda centre_id: stricter)
    warehouse.load(stage(settings, "c", [call("b", started_at=None, operator_id=None)]), settings)
    warehouse.publish(settings)
    assert rows(settings.snapshot, "select abusive_in_a_row, abusive_calls, abuse_s from rest_rules") == [(1, 3, 60.0)]
    assert rows(settings.snapshot, due) == [(1,)]


@pytest.mark.parametrize(
    ("file", "changed", "are_all_new"),
    [
        ("marts/criterion_history.sql", ("v.replaced_by\n", "v.replaced_by,\n    1 as one_more\n"), False),
        ("marts/speech_acts.sql", ("'The call.'", "'Which call.'"), False),
        ("intermediate/daily_work.sql", ("select", "select -- a word of explanation\n"), False),
        ("marts/evaluations.sql", ("'The scorecard.'", "'Which scorecard.'"), False),
        ("intermediate/criterion_days.sql", ("as failed", "+ 0 as failed"), True),
        ("marts/evaluations.sql", ("from core.evaluations", "from core.evaluations where true"), False),
        ("macros/formulas.sql", (";", "; create or replace macro one_more() as 1;"), True),
    ],
)
def test_a_new_version_recomputes_everything_only_where_rows_may_change(
    tmp_path: Path, file: str, changed: tuple[str, str], are_all_new: bool
) -> None:
    shutil.copytree(marts.SQL, sql := tmp_path / "sql")
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        migrate(db, sql)
        _insert(db, "calls", {"call_id": "a", "centre_id": "c", "started_at": "2026-03-02 10:00:00+00", "call_no": 1})
        _insert(db, "evaluations", {"call_id": "a", "score_pct": 50.0})
        db.execute("insert into core.unpublished values ('a')")
        marts.refresh(db, sql)
        marts.nothing_waits(db)
        before = contents(db)
        text = (sql / file).read_text(encoding="utf-8")
        assert changed[0] in text
        (sql / file).write_text(text.replace(*changed, 1), encoding="utf-8")
        migrate(db, sql)
        waiting = db.execute("select count(*) from core.unpublished").fetchone()
        assert waiting == (1 if are_all_new else 0,)
        if file == "marts/criterion_history.sql":
            assert db.execute("select one_more from criterion_history").fetchall() == []
        if are_all_new:
            marts.refresh(db, sql)
        assert contents(db) == before
