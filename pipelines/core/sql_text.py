"""Text written into a statement of SQL, where DuckDB takes no parameter: paths of files and of databases."""

from __future__ import annotations


def literal(text: object) -> str:
    """The text as a string of SQL, in quotes."""
    return "'" + str(text).replace("'", "''") + "'"
