"""Writes docs/dictionary.md and the end of docs/warehouse.md from the comments in sql/.

Run `python -m pipelines.warehouse.dictionary` after a change to a view, macro or check; a test fails while the pages are outdated.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from pipelines.core.settings import ROOT
from pipelines.warehouse.file import migrate
from pipelines.warehouse.marts import SQL

DOCS = ROOT / "docs"
_MARK = "<!-- From here on written by `python -m pipelines.warehouse.dictionary`; change the comments in sql/ instead. -->"


def pages() -> dict[Path, str]:
    """The expected text of each page: the dictionary of the views, and the warehouse page with its macros and checks."""
    about = DOCS / "warehouse.md"
    written = about.read_text(encoding="utf-8").partition(_MARK)[0]  # the hand-written part is preserved
    generated = [_MARK, "", "## Macros", "", *_macros(), "", "## Checks", "", *_checks()]
    return {about: written + "\n".join(generated) + "\n", DOCS / "dictionary.md": _dictionary()}


def _dictionary() -> str:
    db = duckdb.connect()
    try:
        migrate(db)
        views = [_view(db, file) for file in sorted((SQL / "marts").glob("*.sql"))]
    finally:
        db.close()
    title = [
        "# The views, column by column",
        "",
        _MARK,
        "",
        "How to open the file, and how its numbers are computed: [warehouse.md](warehouse.md).",
        "",
    ]
    return "\n".join([*title, *views])


def _view(db: duckdb.DuckDBPyConnection, file: Path) -> str:
    grain = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("-- grain: ")
    (comment,) = db.execute("select comment from duckdb_views() where view_name = ?", [file.stem]).fetchall()[0]
    columns = db.execute(
        "select column_name, data_type, comment from duckdb_columns() where schema_name = 'main' and table_name = ? order by column_index",
        [file.stem],
    ).fetchall()
    lines = [f"## {file.stem}", "", f"{comment} Grain: {grain}.", "", "| column | type | meaning |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {_type(kind)} | {meaning} |" for name, kind, meaning in columns), ""])


def _type(kind: str) -> str:
    return {"TIMESTAMP WITH TIME ZONE": "timestamptz"}.get(kind, kind.lower())


def _macros() -> list[str]:
    text = "\n".join(file.read_text(encoding="utf-8") for folder in ("macros", "marts") for file in sorted((SQL / folder).glob("*.sql")))
    rows = ["| macro | meaning |", "|---|---|"]
    for comment, name, parameters in re.findall(r"-- ([^\n]+(?:\n-- [^\n]+)*)\ncreate or replace macro (\w+)\(([^)]*)\)", text):
        meaning = comment.replace("\n-- ", " ")
        rows.append(f"| {name}({parameters}) | {meaning} |")
    return rows


def _checks() -> list[str]:
    rows = ["| check | level | what an offending row means |", "|---|---|---|"]
    for file in sorted((SQL / "checks").glob("*.sql")):
        level, _, meaning = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("-- ").partition(": ")
        rows.append(f"| {file.stem} | {level} | {meaning} |")
    return rows


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
