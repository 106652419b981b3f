"""Excel export: a centre's calls, operators, criteria and ledger as a workbook, and the HTTP response of a download."""

from __future__ import annotations

import io
from collections.abc import Sequence

from fastapi import Response

from pipelines.core.published import Row
from pipelines.core.spreadsheet import AS_TEXT, cells

MOST_ROWS = 100_000
_KINDS = {"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "pdf": "application/pdf"}


def download(content: bytes, name: str) -> Response:
    """A file download; its name is reduced to what is safe in a header and on every file system."""
    stem, _, suffix = name.rpartition(".")
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in stem)
    return Response(
        content, media_type=_KINDS[suffix], headers={"Content-Disposition": f'attachment; filename="callgrade-{safe}.{suffix}"'}
    )


def workbook(sheets: dict[str, tuple[Sequence[str], Sequence[Row]]]) -> bytes:
    """A workbook of sheets, each with its columns and rows; text stays text, whatever it begins with."""
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, **AS_TEXT}) as workbook:
        head = workbook.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        for name, (columns, rows) in sheets.items():
            sheet = workbook.add_worksheet(name[:31])
            put = cells(workbook, sheet, moments="yyyy-mm-dd hh:mm", fractions="0.0")
            sheet.freeze_panes(1, 1)
            for n, column in enumerate(columns):
                sheet.write_string(0, n, column, head)
                sheet.set_column(n, n, 18)
            for line, row in enumerate(rows[:MOST_ROWS], 1):
                for n, column in enumerate(columns):
                    put(line, n, row[column])
            sheet.autofilter(0, 0, max(len(rows[:MOST_ROWS]), 1), len(columns) - 1)
    return out.getvalue()
