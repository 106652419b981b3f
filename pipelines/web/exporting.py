"""A centre's calls, operators, criteria and ledger as an Excel workbook."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from pipelines.published import Row

MOST_ROWS = 100_000


def workbook(sheets: dict[str, tuple[Sequence[str], Sequence[Row]]]) -> bytes:
    """A workbook of sheets, each with its columns and rows; what people said stays text, whatever it begins with."""
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(
        out,
        {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "remove_timezone": True},
    ) as book:
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        day, moment, number = (book.add_format({"num_format": code}) for code in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm", "0.0"))
        for name, (columns, rows) in sheets.items():
            sheet = book.add_worksheet(name[:31])
            sheet.freeze_panes(1, 1)
            for n, column in enumerate(columns):
                sheet.write_string(0, n, column, head)
                sheet.set_column(n, n, 18)
            for line, row in enumerate(rows[:MOST_ROWS], 1):
                for n, column in enumerate(columns):
                    _write(sheet, line, n, row[column], day, moment, number)
            sheet.autofilter(0, 0, max(len(rows[:MOST_ROWS]), 1), len(columns) - 1)
    return out.getvalue()


def _write(sheet: Any, line: int, column: int, value: object, day: Any, moment: Any, number: Any) -> None:
    if value is None:
        return
    if isinstance(value, datetime):
        sheet.write_datetime(line, column, value, moment)
    elif isinstance(value, date):
        sheet.write_datetime(line, column, value, day)
    elif isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif isinstance(value, int):
        sheet.write_number(line, column, value)
    elif isinstance(value, float):
        sheet.write_number(line, column, value, number)
    else:
        sheet.write_string(line, column, str(value)[:32_000])
