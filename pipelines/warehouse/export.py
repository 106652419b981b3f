"""Exports a view or a query result from the published copy to an Excel sheet or a Parquet file.

Excel has no time zones: timestamps are written there as the local time of the row's centre. Parquet keeps them as timestamps.
Text is always written as text and stays text when its cell is edited, so transcripts and typed notes never become formulas.
"""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException

from models import atomic_files
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from pipelines.core.spreadsheet import AS_TEXT, cells
from pipelines.core.sql_text import literal
from pipelines.warehouse.file import core_schema

SUFFIXES = (".xlsx", ".parquet")
MOST_ROWS = 1_048_575  # rows of a sheet below its header
_AT_ONCE = 10_000


def export(settings: Settings, what: str, out: Path, most_rows: int = MOST_ROWS) -> int:
    """Write a view, or the result of the query in a .sql file, to an .xlsx or .parquet file; return the number of rows.

    An existing file is replaced once the new one is complete. Raises MisconfiguredError when the view, the query or the file name is
    wrong, or when a sheet cannot hold the rows; TransientError when the disk fails.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise MisconfiguredError(f"{out}: the file name must end in one of {', '.join(SUFFIXES)}, which selects the format.")
    if not out.parent.is_dir():
        raise MisconfiguredError(f"{out}: the folder {out.parent} does not exist. Create it, or correct the path.")
    part = out.with_name(f".{out.name}.part")
    with open_published(settings) as published:
        db = published.connection
        query, about = _query(db, what)
        try:
            rows = _write_parquet(db, query, part) if out.suffix.lower() == ".parquet" else _write_sheet(db, query, about, part, most_rows)
            atomic_files.put_in_place(part, out)
        except duckdb.IOException as error:
            raise TransientError(f"{out} could not be written: {str(error).splitlines()[0]}") from error
        except duckdb.Error as error:
            raise MisconfiguredError(f"{what}: the query fails: {str(error).strip().splitlines()[0]}") from error
        except (OSError, XlsxWriterException, zipfile.BadZipFile) as error:
            raise TransientError(f"{out} could not be written: {error}") from error
        finally:
            part.unlink(missing_ok=True)
    return rows


def _query(db: duckdb.DuckDBPyConnection, what: str) -> tuple[str, list[tuple[str, str]]]:
    """The query to export, and the descriptions of its columns where they are known."""
    if what.lower().endswith(".sql"):
        return _query_of_file(db, Path(what)), []
    views = dict(db.execute("select view_name, comment from duckdb_views() where not internal and schema_name = 'main'").fetchall())
    if what not in views:
        near = difflib.get_close_matches(what, views, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise MisconfiguredError(
            f"There is no view {what!r}.{hint} Views are {', '.join(sorted(views))}; put a custom query into a .sql file."
        )
    columns = db.execute(
        "select column_name, comment from duckdb_columns() where schema_name = 'main' and table_name = ? order by column_index", [what]
    ).fetchall()
    return f"select * from {what}", [(what, views[what]), *columns]


def _query_of_file(db: duckdb.DuckDBPyConnection, file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MisconfiguredError(f"The query {file} cannot be read: {error}") from error
    try:
        statements = db.extract_statements(text)
    except duckdb.Error as error:
        raise MisconfiguredError(f"{file}: {str(error).strip().splitlines()[0]}") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise MisconfiguredError(f"{file} must contain one query (select, from or with) and nothing else.")
    return statements[0].query.strip().rstrip(";")


def _write_parquet(db: duckdb.DuckDBPyConnection, query: str, part: Path) -> int:
    row = db.execute(f"copy (\n{query}\n) to {literal(part)} (format parquet, compression zstd)").fetchone()
    return int(row[0]) if row else 0


def _write_sheet(db: duckdb.DuckDBPyConnection, query: str, about: Sequence[tuple[str, str]], part: Path, most_rows: int) -> int:
    result = db.execute(_in_wall_clock_time(db, query))
    names = [column[0] for column in result.description or ()]
    workbook = xlsxwriter.Workbook(str(part), {"constant_memory": True, **AS_TEXT})
    try:
        sheet = workbook.add_worksheet("rows")
        put = cells(workbook, sheet)
        sheet.freeze_panes(1, 0)
        bold = workbook.add_format({"bold": True})
        for column, name in enumerate(names):
            sheet.set_column(column, column, min(max(len(name) + 2, 10), 40))
            sheet.write_string(0, column, name, bold)
        rows = 0
        while found := result.fetchmany(_AT_ONCE):
            if rows + len(found) > most_rows:
                raise MisconfiguredError(
                    f"The result has more than the {most_rows:,} rows that a sheet can hold. Narrow it by a query, or export to .parquet."
                )
            for row in found:
                rows += 1
                for column, value in enumerate(row):
                    put(rows, column, value)
        sheet.autofilter(0, 0, rows, max(len(names) - 1, 0))
        if about:
            meaning = workbook.add_worksheet("columns")
            meaning.set_column(0, 1, 30)
            for line, (name, comment) in enumerate(about):
                meaning.write_string(line, 0, name, bold)
                meaning.write_string(line, 1, comment or "")
    finally:
        workbook.close()
    return rows


def _in_wall_clock_time(db: duckdb.DuckDBPyConnection, query: str) -> str:
    """The query with each timestamp in the local time of the row's centre, named in the column header; UTC for rows without a centre."""
    columns = db.execute(f"describe (\n{query}\n)").fetchall()
    moments = [name for name, kind, *_ in columns if kind == "TIMESTAMP WITH TIME ZONE"]
    if not moments:
        return query
    names = {name for name, *_ in columns}
    core = core_schema(db)  # the copy may still be one that an earlier version published
    if "centre_id" in names:
        zone, joined = "z.timezone", f"left join {core}.centres as z on z.centre_id = q.centre_id"
    elif "call_id" in names:
        zone = "z.timezone"
        joined = f"left join calls as k on k.call_id = q.call_id left join {core}.centres as z on z.centre_id = k.centre_id"
    else:
        zone, joined = "null", ""
    shown = "local" if joined else "UTC"
    chosen = [
        f"timezone(coalesce({zone}, 'UTC'), q.{_quoted(name)}) as {_quoted(f'{name} ({shown})')}"
        if name in moments
        else f"q.{_quoted(name)}"
        for name, *_ in columns
    ]
    return f"select {', '.join(chosen)} from (\n{query}\n) as q {joined}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
