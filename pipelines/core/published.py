"""The reader of the published DuckDB copy: opened read only, rows as dictionaries.

Coaching clips and web pages read only the views of the contract, and only through this module, so they never see a half-loaded batch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.settings import Settings

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]
T = TypeVar("T")

NUMBERED = ("calls", "turns", "words", "speech_acts", "criterion_results")  # views with the number of the call


class Published:
    """An open connection to the published copy."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._last: tuple[str, int | None] | None = None

    def rows(self, sql: str, *values: object) -> list[Row]:
        """The rows of one query as dictionaries, with time zone aware datetimes.

        Raises MisconfiguredError when the copy lacks a view or column because an older version published it.
        """
        with _fitting():
            answer = self.connection.execute(sql, list(values))
            names = [column[0] for column in answer.description or ()]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]  # for few rows a frame costs more than the query

    def frame(self, sql: str, *values: object) -> pl.DataFrame:
        """The rows of one query as a table, where there are many. Raises MisconfiguredError as `rows` does."""
        with _fitting():
            return self.connection.execute(sql, list(values)).pl()

    def of_calls(
        self, view: str, call_ids: Sequence[str], order: str, columns: str = "*", more: str = "true", values: Sequence[object] = ()
    ) -> list[Row]:
        """The rows of some calls in a view with one or more rows per call, ordered; `more` is an extra condition with its values."""
        if not call_ids:
            return []
        these, given = f"call_id in ({', '.join('?' * len(call_ids))})", list[object](call_ids)
        if view in NUMBERED:  # ordered by these numbers: DuckDB skips blocks that cannot match, while the ids of a centre share a prefix
            if len(call_ids) == 1:
                these, given = "call_no = ?", [self._number_of(call_ids[0])]
            else:
                these = f"call_no in (select call_no from calls where {these})"
        return self.rows(f"select {columns} from {view} where {these} and {more} order by {order}", *given, *values)

    def _number_of(self, call_id: str) -> int | None:
        """The number of a call; the last one is cached, as a page queries several views of the same call."""
        if self._last is None or self._last[0] != call_id:
            found = self.rows("select call_no from calls where call_id = ?", call_id)
            self._last = call_id, found[0]["call_no"] if found else None
        return self._last[1]

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of `make`, cached for as long as this object is kept."""
        return make()

    def has_view(self, name: str) -> bool:
        """Whether the copy has a view (or table) of this name."""
        sql = "select 1 from information_schema.tables where table_schema = 'main' and table_name = ?"
        return self.connection.execute(sql, [name]).fetchone() is not None


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise MisconfiguredError(
            f"The published copy does not fit this version of Callgrade ({str(error).splitlines()[0]}). Grade or publish again with this version."
        ) from error


@contextmanager
def open_published(settings: Settings) -> Iterator[Published]:
    """The published copy, open for reading inside the block.

    Raises MisconfiguredError when nothing was published yet, TransientError when the file is being replaced or locked.
    """
    if not settings.snapshot.exists():
        raise MisconfiguredError(
            f"Nothing is published yet: {settings.snapshot} is missing. Run `callgrade grade FOLDER --warehouse FILE` first."
        )
    try:
        connection = duckdb.connect(str(settings.snapshot), read_only=True)
    except duckdb.IOException as error:
        raise TransientError(f"The published copy {settings.snapshot} cannot be opened now: {error}") from error
    try:
        connection.execute("set timezone = 'UTC'")
        yield Published(connection)
    finally:
        connection.close()
