"""Numbers, percentages, dates, times, lists and plurals of a language, from the Unicode locale data (CLDR) through Babel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from copy import copy
from decimal import Decimal
from functools import cache, cached_property
from typing import cast

from babel import Locale
from babel.dates import DateTimePattern, format_interval, get_datetime_format
from babel.lists import format_list
from babel.numbers import NumberPattern

# U+202F and U+2009 are missing in many fonts, and pages escape U+202F as an invisible character (`printable`).
_SPACES = str.maketrans({"\u202f": "\u00a0", "\u2009": " "})


class Formats:
    """The formats of one locale.

    Args:
        locale: its CLDR name, such as `en_GB`.
        day: the CLDR skeleton of a date, such as `yMd`.
    """

    def __init__(self, locale: str, day: str) -> None:
        self._locale = Locale.parse(locale)
        self._day = day

    def number(self, value: float | Decimal, digits: int = 0) -> str:
        """A number with so many decimals; negative ones with the sign U+2212."""
        return _apply(_exact(self._locale, "decimal", digits), value, self._locale)

    def percentage(self, value: float | Decimal, digits: int = 0) -> str:
        """A percentage (0 to 100) with its sign."""
        return _apply(_exact(self._locale, "percent", digits), Decimal(str(value)).scaleb(-2), self._locale)

    def date(self, day: dt.date) -> str:
        """A day."""
        return self._moment(self._day, day)

    def hour(self, moment: dt.datetime | dt.time) -> str:
        """The hour and minute."""
        return self._moment("Hm", moment)

    def time(self, moment: dt.datetime) -> str:
        """The day, hour and minute."""
        return self._joined.format(self.hour(moment), self.date(moment))

    def month(self, day: dt.date) -> str:
        """The month and year of a day."""
        return self._moment("yMMMM", day)

    def period(self, first: dt.date, last: dt.date) -> str:
        """The range from a first to a last day, with common parts written once where the language does so."""
        return format_interval(first, last, self._day, locale=self._locale).translate(_SPACES)

    def either(self, names: Sequence[str]) -> str:
        """Alternatives, joined by "or"."""
        return format_list(names, "or", self._locale)

    def plural(self, count: float) -> str:
        """The plural category of a count: one, few, many, other."""
        return self._locale.plural_form(count)

    @cached_property
    def _joined(self) -> str:
        return str(get_datetime_format("medium", self._locale)).replace("'", "")

    def _moment(self, skeleton: str, moment: dt.date | dt.time) -> str:
        pattern: DateTimePattern = self._locale.datetime_skeletons[skeleton]
        return pattern.apply(moment, self._locale).translate(_SPACES)


@cache
def _exact(locale: Locale, kind: str, digits: int) -> NumberPattern:
    """The locale's pattern with so many decimals; cached, because a page contains hundreds of numbers."""
    formats = locale.decimal_formats if kind == "decimal" else locale.percent_formats
    pattern = copy(cast(NumberPattern, formats[None]))
    pattern.frac_prec = (digits, digits)
    return pattern


def _apply(pattern: NumberPattern, value: float | Decimal, locale: Locale) -> str:
    return str(pattern.apply(value, locale)).replace("-", "−")
