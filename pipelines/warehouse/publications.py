"""The calls that each publication added, changed or removed, for clips and pages that are rewritten only where needed."""

from __future__ import annotations

from pipelines.core.published import Published
from pipelines.warehouse.file import core_schema

# The centre and month of a call; calls of an unknown day form a month of their own.
CENTRE_MONTH = "coalesce(centre_id, '') || coalesce(strftime({}, ' %Y-%m'), '')"


def last(published: Published) -> int:
    """The number of the last publication, 0 before the first."""
    return int(
        published.rows(f"select coalesce(max(publication), 0) as last from {core_schema(published.connection)}.publications")[0]["last"]
    )


def next_or_last(published: Published) -> int:
    """The number of the publication in preparation, or of the last one when nothing is unpublished."""
    return last(published) + (1 if published.rows(f"select 1 from {core_schema(published.connection)}.unpublished limit 1") else 0)


def identity(published: Published) -> str | None:
    """A value that distinguishes this warehouse from another one of the same name, whose publications are numbered from 1 again."""
    sql = f"select md5(min(call_id)) as first from {core_schema(published.connection)}.publications where publication = 1"
    digest: str | None = published.rows(sql)[0]["first"]
    return digest


def calls_since(published: Published, publication: int) -> set[str]:
    """The calls that were added, changed or removed after a publication."""
    rows = published.rows(
        f"select distinct call_id from {core_schema(published.connection)}.publications where publication > ?", publication
    )
    return {row["call_id"] for row in rows}


def months_since(published: Published, publication: int) -> set[str]:
    """The centre months (see CENTRE_MONTH) with calls that are about to be published or have changed since a publication."""
    core = core_schema(published.connection)
    rows = published.rows(
        f"""
        select {CENTRE_MONTH.format("month")} as centre_month from {core}.touched
        union
        select {CENTRE_MONTH.format("started_local")} from calls
        semi join (select call_id from {core}.publications where publication > ?) using (call_id)
        """,
        publication,
    )
    return {row["centre_month"] for row in rows}
