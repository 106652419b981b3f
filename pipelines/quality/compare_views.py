"""Compares every view of two warehouses: `python -m pipelines.quality.compare_views BEFORE.duckdb AFTER.duckdb [--ignore COLUMN ...]`.

For changes that must not alter results: grade the same calls before and after, then compare the published copies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.core.sql_text import literal

IGNORED = (
    "scored_by",
    "evaluated_at",
    "judged_at",
    "valid_from",
    "valid_to",
    "loaded_at",
    "published_at",
    "path",
    "expires_at",
)  # when and by which version a row was written


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of a view between two warehouses."""

    view: str
    rows: tuple[int, int]  # before, after
    only_before: int
    only_after: int
    columns: tuple[str, ...]  # those that differ when rows are matched by all others; empty where that is not a single column
    missing: tuple[str, ...]  # columns in only one warehouse

    @property
    def is_equal(self) -> bool:
        """Whether the rows are the same in the columns that both have."""
        return not (self.only_before or self.only_after)


def compare(before: Path, after: Path, ignored: Collection[str] = IGNORED) -> list[Difference]:
    """One entry for each view of either warehouse, by name."""
    with duckdb.connect() as db:
        db.execute(f"attach {literal(before)} as before (read_only)")
        db.execute(f"attach {literal(after)} as after (read_only)")
        columns = {name: _columns(db, name) for name in ("before", "after")}
        return [_difference(db, view, columns, ignored) for view in sorted(columns["before"].keys() | columns["after"].keys())]


def _columns(db: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    rows = db.execute(
        "select table_name, list(column_name order by column_index) from duckdb_columns() "
        "where database_name = ? and schema_name = 'main' and not internal group by all",
        [database],
    ).fetchall()
    return dict(rows)


def _difference(db: duckdb.DuckDBPyConnection, view: str, columns: dict[str, dict[str, list[str]]], ignored: Collection[str]) -> Difference:
    old, new = columns["before"].get(view, []), columns["after"].get(view, [])
    shared = [c for c in old if c in new and c not in ignored]
    missing = tuple(sorted(set(old) ^ set(new)))
    if not shared:
        return Difference(view, (0, 0), int(bool(old)), int(bool(new)), (), missing)
    rows = tuple(_count(db, f"from {name}.main.{view}") for name in ("before", "after"))
    only_before, only_after = _apart(db, view, shared)
    differing = (
        tuple(c for c in shared if not any(_apart(db, view, [x for x in shared if x != c]))) if only_before and len(shared) > 1 else ()
    )
    return Difference(view, (rows[0], rows[1]), only_before, only_after, differing, missing)


def _apart(db: duckdb.DuckDBPyConnection, view: str, columns: Sequence[str]) -> tuple[int, int]:
    names = ", ".join(f'"{column}"' for column in columns)
    old, new = (f"select {names} from {name}.main.{view}" for name in ("before", "after"))
    return _count(db, f"from ({old} except all {new})"), _count(db, f"from ({new} except all {old})")


def _count(db: duckdb.DuckDBPyConnection, source: str) -> int:
    row = db.execute(f"select count(*) {source}").fetchone()
    return int(row[0]) if row else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for each view; exit status 1 when one differs."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.quality.compare_views", description=__doc__)
    parser.add_argument("before", type=Path, help="a published copy")
    parser.add_argument("after", type=Path, help="another published copy, of the same calls")
    parser.add_argument("--ignore", nargs="*", default=[], metavar="COLUMN", help=f"columns that may differ, besides {', '.join(IGNORED)}")
    given = parser.parse_args(argv)
    found = compare(given.before, given.after, {*IGNORED, *given.ignore})
    for one in found:
        verdict = "equal" if one.is_equal else f"{one.only_before} rows only before, {one.only_after} only after"
        columns = f"; column {', '.join(one.columns)}" if one.columns else ""
        missing = f"; in one only: {', '.join(one.missing)}" if one.missing else ""
        print(f"{one.view}: {one.rows[0]} and {one.rows[1]} rows, {verdict}{columns}{missing}")
    return 0 if all(one.is_equal for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
