"""Which calls each publication brought, changed or removed, for what is written anew only where something changed: clips and pages."""

from __future__ import annotations

from pipelines.core.published import Published

# The centre and month of a call; calls whose day nobody knows are a month of their own.
CENTRE_MONTH = "coalesce(centre_id, '') || coalesce(strftime({}, ' %Y-%m'), '')"


def last(published: Published) -> int:
    """The number of the last publication, 0 before the first."""
    return int(published.rows("select coalesce(max(publication), 0) as last from store.publications")[0]["last"])


def next_or_last(published: Published) -> int:
    """The number of the publication that is being prepared, or of the last one where nothing waits to be published."""
    return last(published) + (1 if published.rows("select 1 from store.unpublished limit 1") else 0)


def identity(published: Published) -> str | None:
    """What tells this warehouse from another one of the same name, whose publications are numbered anew."""
    digest: str | None = published.rows("select md5(min(call_id)) as first from store.publications where publication = 1")[0]["first"]
    return digest


def calls_since(published: Published, publication: int) -> set[str]:
    """The calls that came, changed or went after a publication."""
    rows = published.rows("select distinct call_id from store.publications where publication > ?", publication)
    return {row["call_id"] for row in rows}


def months_since(published: Published, publication: int) -> set[str]:
    """The centres' months (see CENTRE_MONTH) where calls stand or stood that are about to be published, or were since a publication."""
    rows = published.rows(
        f"""
        select {CENTRE_MONTH.format("month")} as centre_month from store.touched
        union
        select {CENTRE_MONTH.format("started_local")} from calls
        semi join (select call_id from store.publications where publication > ?) using (call_id)
        """,
        publication,
    )
    return {row["centre_month"] for row in rows}
