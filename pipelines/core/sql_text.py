"""SQL literals for statements where DuckDB takes no parameter: paths of files and of databases."""

from __future__ import annotations


def literal(text: object) -> str:
    """The text as a quoted SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"
