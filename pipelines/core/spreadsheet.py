"""Writes values to cells of Excel sheets safely, for every sheet that Callgrade produces.

User-supplied text never becomes a formula or a link: it is written as text, and stays text when its cell is edited.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from pipelines.core.printable import printable

MOST_CHARACTERS = 32_767  # of a cell
# for the workbook; the cells below rely on it
AS_TEXT = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_EXACT = 2**53  # greater whole numbers lose digits in Excel
_LOOKS_LIKE_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_FIRST_YEAR = 1900  # Excel's calendar begins there


def cells(workbook: Any, sheet: Any, moments: str = "yyyy-mm-dd hh:mm:ss", fractions: str | None = None) -> Callable[[int, int, Any], None]:
    """A function that writes one value into one cell (row, column, value) by its type; text always stays text.

    `moments` and `fractions` are the number formats of date-times and of non-integer numbers.
    """
    moment = workbook.add_format({"num_format": moments})
    day = workbook.add_format({"num_format": "yyyy-mm-dd"})
    hour = workbook.add_format({"num_format": "hh:mm:ss"})
    fraction = workbook.add_format({"num_format": fractions}) if fractions else None
    quoted = workbook.add_format({"quote_prefix": True})  # text that looks like a formula stays text when the cell is edited

    def put(row: int, column: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif isinstance(value, int | float | Decimal) and abs(float(value)) <= _EXACT:  # false for NaN
            sheet.write_number(row, column, float(value), None if isinstance(value, int) else fraction)
        elif isinstance(value, datetime) and value.year >= _FIRST_YEAR:
            sheet.write_datetime(row, column, value.replace(tzinfo=None), moment)
        elif isinstance(value, date) and value.year >= _FIRST_YEAR:
            sheet.write_datetime(row, column, value, day)
        elif isinstance(value, time):
            sheet.write_datetime(row, column, value.replace(tzinfo=None), hour)
        else:
            text = printable(_text(value), keep="\n\t\r")
            sheet.write_string(row, column, text, quoted if text.startswith(_LOOKS_LIKE_FORMULA) else None)

    return put


def _text(value: Any) -> str:
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=str)
        if isinstance(value, list | dict)
        else str(value)
    )
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
