"""The period that a page, a PDF or a workbook is about, and the one that it is compared with: parsed from the URL, and written back to it.

`?period=week&on=2026-03-11` is the week with that day; `?period=custom&from=2026-03-01&to=2026-03-20` the days from and to, both included.
`against=year` compares with the same period a year before in place of the period just before.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, get_args

Kind = Literal["day", "week", "month", "quarter", "custom"]
Against = Literal["before", "year"]
KINDS: tuple[Kind, ...] = get_args(Kind)
AGAINST: tuple[Against, ...] = get_args(Against)
LONGEST_DAYS = 366
EARLIEST, LATEST = date(1990, 1, 1), date(2100, 12, 31)
YEAR_DAYS = 364  # 52 weeks, so that the days of the week are the same a year before
_MONTHS = {"month": 1, "quarter": 3}


class PeriodError(ValueError):
    """A period in the URL cannot be used; `key` is that of the reason in the strings of pages/period.yaml."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class Period:
    """A range of local days of a centre, both included, and what it is compared with."""

    kind: Kind
    first: date
    last: date
    against: Against = "before"

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """The period of the same kind that ends the day before this one starts."""
        if self.kind in _MONTHS:
            return _around(self.kind, self.first - timedelta(days=1), self.against)
        return replace(self, first=self.first - timedelta(days=self.days), last=self.first - timedelta(days=1))

    @property
    def after(self) -> Period:
        """The period of the same kind that starts the day after this one ends."""
        if self.kind in _MONTHS:
            return _around(self.kind, self.last + timedelta(days=1), self.against)
        return replace(self, first=self.last + timedelta(days=1), last=self.last + timedelta(days=self.days))

    @property
    def compared(self) -> Period:
        """The period that this one is compared with; a year before, a month is the same month, and days and weeks are 364 days earlier."""
        if self.against == "before":
            return self.before
        if self.kind in _MONTHS:
            return _around(self.kind, self.first.replace(year=self.first.year - 1), self.against)
        return replace(self, first=self.first - timedelta(days=YEAR_DAYS), last=self.last - timedelta(days=YEAR_DAYS))

    def history(self, count: int) -> list[Period]:
        """So many consecutive periods, oldest first, of which this is the last."""
        found = [self]
        while len(found) < count and found[-1].before.first >= EARLIEST:
            found.append(found[-1].before)
        return found[::-1]

    def query(self) -> dict[str, str]:
        """The parameters of the URL from which `parse` reads this period."""
        days = {"from": str(self.first), "to": str(self.last)} if self.kind == "custom" else {"on": str(self.first)}
        return {"period": self.kind, **days, "against": self.against}


def parse(parameters: Mapping[str, str], newest: date) -> Period:
    """The period that the parameters of a URL ask for; without any, the latest complete week up to the newest day with calls.

    Raises PeriodError for an unknown kind, a day that is none, or a range that is reversed or longer than 366 days.
    """
    kind, asked = parameters.get("period") or "week", parameters.get("against") or "before"
    if kind not in KINDS or asked not in AGAINST:
        raise PeriodError("period_unknown")
    against = asked
    if kind == "custom":
        first, last = _day(parameters.get("from", "")), _day(parameters.get("to", ""))
        if first is None or last is None:
            raise PeriodError("period_no_day")
        if last < first:
            raise PeriodError("period_reversed")
        if (last - first).days >= LONGEST_DAYS:
            raise PeriodError("period_too_long")
        return Period("custom", first, last, against)
    day = _day(parameters.get("on", ""))
    return latest(kind, newest, against) if day is None else _around(kind, day, against)


def latest(kind: Kind, newest: date, against: Against = "before") -> Period:
    """The latest period of a kind that is over by the end of the newest day."""
    found = _around(kind, newest, against)
    return found if found.last <= newest else found.before


def _around(kind: Kind, day: date, against: Against) -> Period:
    """The period of a kind that contains a day; weeks begin on Monday."""
    if kind == "week":
        first = day - timedelta(days=day.weekday())
        return Period(kind, first, first + timedelta(days=6), against)
    if kind in _MONTHS:
        months = _MONTHS[kind]
        first = date(day.year, (day.month - 1) // months * months + 1, 1)
        end = first.month + months - 1
        return Period(kind, first, date(first.year, end, calendar.monthrange(first.year, end)[1]), against)
    return Period(kind, day, day, against)


def _day(text: str) -> date | None:
    """A day as the field of a form sends it; None where it is empty."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise PeriodError("period_no_day") from None
    if not EARLIEST <= day <= LATEST:
        raise PeriodError("period_no_day")
    return day
