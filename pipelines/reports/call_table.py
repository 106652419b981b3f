"""The list of calls as a file: Excel with a verdict per criterion, CSV and Parquet, headings in the reader's language."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.core.published import Row
from pipelines.i18n.wording import Wording
from pipelines.reports import excel
from pipelines.reports.presenters import Presenter

MOST_ROWS: Mapping[str, int] = {"xlsx": 20_000, "csv": 100_000, "parquet": 100_000}  # an Excel file is built in memory
TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
# Columns of a call with the keys of their headings; columns of the files, and all that a page can show.
COLUMNS: Mapping[str, str] = {
    "started_local": "when", "centre_id": "centre", "operator_id": "operator", "topic": "topic", "client_type": "client_type", "language": "cl_language",
    "direction": "cl_direction", "line": "line", "duration_s": "cl_length_s", "wait_s": "cl_wait_s", "score_pct": "cl_score_pct", "coverage_pct": "cl_coverage_pct",
    "outcome": "procedure", "call_id": "call",
}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def table(rows: Sequence[Row], verdicts: Mapping[str, Mapping[str, str]], presenters: Mapping[str, Presenter], w: Wording) -> list[Row]:
    """The rows with readable headings and values, and a column for each criterion that any of the calls was judged by."""
    criteria = dict.fromkeys((row["centre_id"], criterion) for row in rows for criterion in verdicts.get(row["call_id"], {}))
    titles: dict[str, str] = {}
    for centre_id, criterion in criteria:
        titles.setdefault(criterion, presenters[centre_id].title(criterion))
    repeated = {title for title in titles.values() if list(titles.values()).count(title) > 1} | {w(key) for key in COLUMNS.values()}
    headings = {criterion: f"{title} ({criterion})" if title in repeated else title for criterion, title in titles.items()}
    found = []
    for row in rows:
        own = verdicts.get(row["call_id"], {})
        values = {w(key): _readable(name, row[name], presenters, w) for name, key in COLUMNS.items()}
        found.append(values | {headings[c]: w.label("verdict_names", own[c]) if c in own else None for c in headings})
    return found


def content(kind: str, rows: Sequence[Row], w: Wording) -> bytes:
    """The bytes of a file: `xlsx`, `csv` (UTF-8 with a byte order mark, as spreadsheets expect) or `parquet`."""
    columns = list(rows[0]) if rows else [w(key) for key in COLUMNS.values()]
    if kind == "xlsx":
        return excel.workbook({w("calls"): (columns, rows)})
    if kind == "csv":
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow([_cell(name) for name in columns])
        writer.writerows([[_cell(row[name]) for name in columns] for row in rows])
        return out.getvalue().encode("utf-8-sig")
    import polars as pl

    buffer = io.BytesIO()
    pl.DataFrame({name: [row[name] for row in rows] for name in columns}, strict=False).write_parquet(buffer)
    return buffer.getvalue()


def _readable(name: str, value: Any, presenters: Mapping[str, Presenter], w: Wording) -> Any:
    groups = {
        "topic": "topics",
        "client_type": "client_types",
        "outcome": "outcomes",
        "direction": "directions",
        "language": "language_names",
    }
    if name == "centre_id":
        return presenters[value].centre["name"]
    if name in groups and value is not None:
        return w.label(groups[name], value)
    return round(value, 1) if isinstance(value, float) else value


def _cell(value: Any) -> Any:
    """A value of a CSV file; text that a spreadsheet would take for a formula is preceded by an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
