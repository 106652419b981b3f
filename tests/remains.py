"""Searches everything below a folder for words: the bytes of each file, and the compressed contents of databases and Parquet files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")


def holding(folder: Path, words: Sequence[str]) -> dict[str, set[str]]:
    """The places that hold any of the words, each with those that it holds."""
    found: dict[str, set[str]] = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        places = [(f"the name {name}", name)] if not file.is_file() else [(f"the name {name}", name), *_texts(file, name)]
        content = file.read_bytes() if file.is_file() else b""
        for word in words:
            if any(word.encode(encoding) in content for encoding in ENCODINGS):
                found.setdefault(name, set()).add(word)
            for place, text in places:
                if word in text:
                    found.setdefault(place, set()).add(word)
    return found


def _texts(file: Path, name: str) -> Iterator[tuple[str, str]]:
    """What a file of records holds, by table."""
    if file.suffix == ".parquet":
        yield name, str(pl.read_parquet(file).rows())
    elif file.suffix == ".duckdb":
        with duckdb.connect(str(file), read_only=True) as db:
            for (table,) in db.execute("select format('{}.{}', schema_name, table_name) from duckdb_tables()").fetchall():
                yield f"{name} {table}", str(db.execute(f"from {table}").fetchall())
    elif file.suffix == ".sqlite3":
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            for (table,) in db.execute("select name from sqlite_schema where type = 'table'").fetchall():
                yield f"{name} {table}", str(db.execute(f'select * from "{table}"').fetchall())
