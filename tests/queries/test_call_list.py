"""The list of calls gives the rows, totals and pages that a plain filter over the same calls gives."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.core.published import Published, Row, open_published
from pipelines.core.settings import Settings
from pipelines.queries import call_list
from pipelines.queries.call_list import SORTS, CallQuery
from tests.web.made_calls import Made, load_and_publish

CENTRES = ("kyiv", "irkutsk")
WORDS = ("лічильник", "борг", "світло", "тариф")
TOPICS = ("tariff", "debt", "outage")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Sixty calls of two centres, with words, verdicts and operators drawn by chance."""
    draw, calls = random.Random(7), []
    for n in range(60):
        words = draw.sample(WORDS, draw.randint(0, 3))
        verdicts = [
            (name, *draw.choice((("pass", 1), ("fail", None), ("unsure", None), ("na", None))), "")
            for name in ("greeting", "farewell", "solution_given")
            if draw.random() < 0.8
        ]
        calls.append(Made(
            f"c-{n:02d}", draw.choice(CENTRES), "uk", [("operator", "Добрий день."), ("client", f"Слухайте {' '.join(words)}.")] * draw.randint(1, 4),
            started_at=datetime(2026, 3, 1, 6, tzinfo=UTC) + timedelta(hours=draw.randint(0, 400)), operator_id=draw.choice(("op-1", "op-2")), topic=draw.choice(TOPICS),
            verdicts=verdicts,
        ))  # fmt: skip
    where = Settings.from_environment(warehouse=tmp_path_factory.mktemp("list") / "w.duckdb")
    load_and_publish(where, calls)
    with open_published(where) as opened:
        yield opened


@pytest.fixture(scope="module")
def everything(published: Published) -> list[dict[str, Any]]:
    """Every call with its words and verdicts, for the plain filter."""
    rows = published.rows("select * from call_facts")
    said: dict[str, set[str]] = {}
    for row in published.rows("select call_id, lemma from lemmas"):
        said.setdefault(row["call_id"], set()).add(row["lemma"])
    verdicts = {
        (r["call_id"], r["criterion_id"]): r["verdict"]
        for r in published.rows("select call_id, criterion_id, verdict from criterion_results")
    }
    return [
        row | {"said": said.get(row["call_id"], set()), "verdicts": {c: v for (i, c), v in verdicts.items() if i == row["call_id"]}}
        for row in rows
    ]


QUERIES = st.builds(
    CallQuery,
    centres=st.sampled_from([("kyiv",), ("irkutsk",), CENTRES]),
    operator_id=st.sampled_from([None, "op-1", "op-9"]),
    first_day=st.sampled_from([None, date(2026, 3, 5)]),
    last_day=st.sampled_from([None, date(2026, 3, 5), date(2026, 3, 12)]),
    least_s=st.sampled_from([None, 3.0]),
    most_pct=st.sampled_from([None, 0.0, 60.0]),
    criterion_id=st.sampled_from([None, "greeting", "farewell", "nothing"]),
    verdict=st.sampled_from([None, "pass", "fail", "unsure"]),
    topic=st.sampled_from([None, *TOPICS]),
    text=st.sampled_from(["", "борги", "світла, лічильники", "!"]),
    is_reviewed=st.sampled_from([None, True, False]),
    reviewed=st.just(("c-01", "c-02", "c-40")),
    hidden=st.sampled_from([(), ("c-03", "c-04")]),
    sort=st.sampled_from(sorted(SORTS)),
    is_descending=st.booleans(),
    size=st.sampled_from([7, 50]),
)


def fits(row: dict[str, Any], q: CallQuery) -> bool:
    day = row["started_local"].date()
    wanted = {"борги": {"борг"}, "світла, лічильники": {"світло", "лічильник"}}.get(q.text, set())
    of_criterion = [v for c, v in row["verdicts"].items() if q.criterion_id in (None, c)]
    return (
        row["centre_id"] in q.centres
        and q.operator_id in (None, row["operator_id"])
        and (q.first_day is None or day >= q.first_day)
        and (q.last_day is None or day <= q.last_day)
        and (q.least_s is None or row["duration_s"] >= q.least_s)
        and (q.most_pct is None or (row["score_pct"] is not None and row["score_pct"] <= q.most_pct))
        and (q.criterion_id is None or q.criterion_id in row["verdicts"])
        and (q.verdict is None or q.verdict in of_criterion)
        and q.topic in (None, row["topic"])
        and wanted <= row["said"]
        and q.text != "!"  # no word, so it was said in no call
        and (q.is_reviewed is None or (row["call_id"] in q.reviewed) is q.is_reviewed)
        and not (q.reveals_results and row["call_id"] in q.hidden)
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERIES)
def test_any_filters_give_the_calls_of_a_plain_filter_on_pages_that_cover_each_once(
    published: Published, everything: list[dict[str, Any]], query: CallQuery
) -> None:
    expected = {row["call_id"] for row in everything if fits(row, query)}
    pages = [
        call_list.page_of(published, CallQuery(**{name: getattr(query, name) for name in CallQuery.__slots__} | {"page": n + 1}))
        for n in range(math.ceil(len(expected) / query.size) or 1)
    ]
    listed = [row["call_id"] for page in pages for row in page.rows]
    assert {page.total for page in pages} == {len(expected)}
    assert sorted(listed) == sorted(expected)
    assert [row["call_id"] for row in call_list.all_of(published, query, 1000)] == listed
    _ordered(pages[0].rows, query)


def _ordered(rows: list[Row], query: CallQuery) -> None:
    name = SORTS[query.sort][0].removeprefix("f.")
    values = [row[name] for row in rows if row[name] is not None]
    assert values == sorted(values, reverse=query.is_descending)
    assert all(row[name] is None for row in rows[len(values) :])  # those without a value come last


def test_a_human_verdict_counts_in_place_of_the_automatic_one(published: Published) -> None:
    rows = published.rows("select call_id, criterion_id, verdict from criterion_results")
    by_call = call_list.verdicts_of(published, [row["call_id"] for row in rows])
    assert all(by_call[row["call_id"]][row["criterion_id"]] == row["verdict"] for row in rows)


@pytest.mark.parametrize("text", ["'; drop view calls; --", "борг' or '1'='1", "%", "_", "\x00", "[NAME]", "х" * 5000])
def test_what_is_typed_is_never_part_of_the_query(published: Published, text: str) -> None:
    found = call_list.page_of(published, CallQuery(CENTRES, operator_id=text, topic=text, text=text))
    assert found.total == 0
    assert call_list.page_of(published, CallQuery(CENTRES)).total == 60


def test_words_are_not_searched_in_calls_with_raw_text_unless_the_reader_hears_personal_data(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    where = Settings.from_environment(warehouse=tmp_path_factory.mktemp("raw") / "w.duckdb", keep_text="raw")
    load_and_publish(where, [Made("c-1", "kyiv", "uk", [("operator", "Добрий день."), ("client", "Моє прізвище Шевченко.")])])
    with open_published(where) as opened:
        kept = opened.rows("select text_kept from calls")[0]["text_kept"]
        found = [
            call_list.page_of(opened, CallQuery(("kyiv",), text="шевченко", hears_personal_data=hears)).total for hears in (False, True)
        ]
    assert found == ([0, 1] if kept == "raw" else [1, 1])


@pytest.mark.parametrize("text", ["[]()", "—", "?!", "%_*"])
def test_text_without_a_word_finds_nothing(published: Published, text: str) -> None:
    assert call_list.page_of(published, CallQuery(CENTRES, text=text)).total == 0


def test_a_word_with_a_hyphen_is_found_whole_and_by_its_parts(tmp_path_factory: pytest.TempPathFactory) -> None:
    where = Settings.from_environment(warehouse=tmp_path_factory.mktemp("hyphen") / "w.duckdb")
    load_and_publish(
        where, [Made("c-1", "kyiv", "uk", [("operator", "Добрий день."), ("client", "Будь-який інтернет-рахунок надішліть.")])]
    )
    with open_published(where) as opened:
        for text in ("інтернет-рахунок", "рахунок", "інтернет-рахунку", "будь-який"):
            assert call_list.page_of(opened, CallQuery(("kyiv",), text=text)).total == 1, text
        assert call_list.page_of(opened, CallQuery(("kyiv",), text="інтернет-борг")).total == 0
