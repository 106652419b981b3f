"""Periods read from a URL: their days, the one before, a year ago, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.period import AGAINST, KINDS, Period, PeriodError, latest, parse

NEWEST = date(2026, 3, 18)  # a Wednesday


def test_without_parameters_it_is_the_latest_complete_week() -> None:
    assert parse({}, NEWEST) == Period("week", date(2026, 3, 9), date(2026, 3, 15))
    assert parse({}, date(2026, 3, 15)).last == date(2026, 3, 15)
    assert parse({"period": "month", "on": ""}, NEWEST) == Period("month", date(2026, 2, 1), date(2026, 2, 28))


@pytest.mark.parametrize(
    ("parameters", "days", "compared"),
    [
        ({"period": "day", "on": "2026-03-02"}, ("2026-03-02", "2026-03-02"), ("2026-03-01", "2026-03-01")),
        ({"period": "week", "on": "2026-03-04"}, ("2026-03-02", "2026-03-08"), ("2026-02-23", "2026-03-01")),
        ({"period": "week", "on": "2026-03-04", "against": "year"}, ("2026-03-02", "2026-03-08"), ("2025-03-03", "2025-03-09")),
        ({"period": "month", "on": "2024-02-29"}, ("2024-02-01", "2024-02-29"), ("2024-01-01", "2024-01-31")),
        ({"period": "month", "on": "2024-02-29", "against": "year"}, ("2024-02-01", "2024-02-29"), ("2023-02-01", "2023-02-28")),
        ({"period": "quarter", "on": "2026-01-31"}, ("2026-01-01", "2026-03-31"), ("2025-10-01", "2025-12-31")),
        ({"period": "custom", "from": "2026-03-01", "to": "2026-03-10"}, ("2026-03-01", "2026-03-10"), ("2026-02-19", "2026-02-28")),
    ],
)
def test_a_period_and_what_it_is_compared_with(parameters: dict[str, str], days: tuple[str, str], compared: tuple[str, str]) -> None:
    period = parse(parameters, NEWEST)
    assert (str(period.first), str(period.last)) == days
    assert (str(period.compared.first), str(period.compared.last)) == compared


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"period": "fortnight"}, "period_unknown"),
        ({"against": "peers"}, "period_unknown"),
        ({"on": "2026-02-30"}, "period_no_day"),
        ({"on": "<script>"}, "period_no_day"),
        ({"on": "0001-01-01"}, "period_no_day"),
        ({"on": "9999-12-31"}, "period_no_day"),
        ({"period": "custom", "from": "2026-03-01"}, "period_no_day"),
        ({"period": "custom", "from": "2026-03-02", "to": "2026-03-01"}, "period_reversed"),
        ({"period": "custom", "from": "2024-01-01", "to": "2026-03-01"}, "period_too_long"),
    ],
)
def test_a_period_that_is_none_is_refused_with_its_reason(parameters: dict[str, str], key: str) -> None:
    with pytest.raises(PeriodError) as refused:
        parse(parameters, NEWEST)
    assert refused.value.key == key


@given(st.sampled_from(KINDS), st.sampled_from(AGAINST), st.dates(date(1995, 1, 1), date(2090, 1, 1)), st.integers(0, 365))
def test_periods_follow_each_other_without_a_gap_and_are_read_back_from_their_url(kind: str, against: str, day: date, more: int) -> None:
    asked = {"period": kind, "on": str(day), "from": str(day), "to": str(day + timedelta(days=more)), "against": against}
    period = parse(asked, NEWEST)
    assert period.first <= day <= period.last
    assert period.before.last + timedelta(days=1) == period.first and period.before.after == period
    assert parse(period.query(), NEWEST) == period
    shown = period.history(4)
    assert shown[-1] == period and all(a.last + timedelta(days=1) == b.first for a, b in pairwise(shown))
    assert latest(period.kind, day).last <= day or kind == "custom"
