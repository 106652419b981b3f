"""Aggregates over calls for the pages of centres and operators, read from the views of the published copy.

Intervals are 90 % intervals; the formulas are the macros that the views operator_scorecards and centre_scorecards use.
"""

from __future__ import annotations

from operator import itemgetter

from pipelines.core.grouping import grouped
from pipelines.core.period import Period
from pipelines.core.published import Published, Row

_COUNTS = "cast(sum(passed) as bigint) as passed, cast(sum(failed) as bigint) as failed, cast(sum(unsure) as bigint) as unsure, max(max_points) as weight"
_DECIDED = "sum(passed + failed + unsure) > 0"

# The columns of a list of calls; calls that need a person's attention come first, newest first among them.
_LISTED = """
    select
        f.call_id, f.started_local, f.operator_id, f.topic, f.auto_fail, f.needs_review, f.score_pct, f.coverage_pct, f.duration_s,
        p.outcome, coalesce(p.outcome, 'not_needed') <> 'not_needed' as abusive
    from call_facts as f
    left join abuse_procedures as p using (call_id)
"""
_FIRST_LOOKED_AT = "f.auto_fail desc, f.needs_review desc, f.started_local desc nulls last, f.call_id"


def centres(published: Published) -> list[Row]:
    """One row per centre (and one for calls of an unknown centre) with its totals and the days of its first and last call."""
    return published.rows(
        """
        with sums as (
            select
                centre_id, count(*) as received, count(*) filter (where status = 'graded') as graded, count(score_pct) as scored,
                avg(score_pct) as score_pct, within_variance(var_pop(score_pct) * count(score_pct), count(score_pct), 1) as within_var,
                avg(coverage_pct) as coverage_pct, avg(handling_time_s) as aht_s, count(distinct operator_id) as operators,
                count(*) filter (where needs_review) as needs_review, count(*) filter (where auto_fail) as auto_fails,
                count(*) filter (where is_abusive) as abusive_calls,
                cast(min(started_local) as date) as first_day, cast(max(started_local) as date) as last_day
            from call_facts
            group by centre_id
        )
        select *, as_pct(score_pct - interval_90() * sqrt(within_var / scored)) as score_low_pct, as_pct(score_pct + interval_90() * sqrt(within_var / scored)) as score_high_pct
        from sums
        order by centre_id
        """
    )


def operators(published: Published) -> dict[str, list[Row]]:
    """One row per operator over all published calls, by centre and ordered by id: a list for look-ups, not a ranking.

    The score is that of the view operator_scores: adjusted for the call mix, and shrunk towards the peers' mean where calls are few. All
    centres are read at once, because the view computes all of them for any query.
    """
    rows = published.rows(
        """
        with work as (
            select
                centre_id, operator_id, max_by(operator_tenure, started_local) as operator_tenure, count(*) as calls,
                count(*) filter (where status = 'graded') as graded, count(*) filter (where needs_review) as needs_review,
                count(*) filter (where auto_fail) as auto_fails, count(*) filter (where is_abusive) as abusive_calls, avg(handling_time_s) as aht_s,
                cast(min(started_local) as date) as first_day, cast(max(started_local) as date) as last_day
            from call_facts
            where centre_id is not null and operator_id is not null
            group by centre_id, operator_id
        )
        select w.*, coalesce(s.scored_calls, 0) as scored, s.score_pct, s.score_low_pct, s.score_high_pct
        from work as w
        left join operator_scores as s on s.centre_id = w.centre_id and s.operator_id = w.operator_id and s.period = 'all'
        order by w.centre_id, w.operator_id
        """
    )
    return grouped(rows, itemgetter("centre_id"))


def criteria(published: Published, centre_id: str, period: Period | None = None) -> list[Row]:
    """Counts of passed, failed and undecided verdicts per criterion of a centre, by weight, over all days or in a period.

    A human verdict takes precedence.
    """
    first, last = (period.first, period.last) if period else (None, None)
    return published.rows(
        f"""
        select criterion_id, {_COUNTS}
        from criterion_days
        where centre_id = ? and (cast(? as date) is null or day between ? and ?)
        group by criterion_id
        having {_DECIDED}
        order by weight desc, criterion_id
        """,
        centre_id, first, first, last,
    )  # fmt: skip


def criteria_by_operator(published: Published, centre_id: str) -> dict[str, list[Row]]:
    """The same counts for each operator of a centre."""
    rows = published.rows(
        f"""
        select operator_id, criterion_id, {_COUNTS}
        from criterion_days
        where centre_id = ? and operator_id is not null
        group by operator_id, criterion_id
        having {_DECIDED}
        order by operator_id, weight desc, criterion_id
        """,
        centre_id,
    )
    return grouped(rows, itemgetter("operator_id"))


def topics(published: Published, centre_id: str) -> list[Row]:
    """The topics of a centre's graded calls, the most frequent first."""
    return published.rows(
        """
        select topic, count(*) as calls, avg(handling_time_s) as aht_s, avg(score_pct) as score_pct
        from call_facts
        where centre_id = ? and status = 'graded'
        group by topic
        order by calls desc, topic
        """,
        centre_id,
    )


def calls(published: Published, centre_id: str, operator_id: str | None = None, limit: int | None = None) -> list[Row]:
    """The graded calls of a centre (or one operator) for a list; calls that need attention come first, newest first among them."""
    return published.rows(
        f"""{_LISTED}
        where f.centre_id = ? and f.status = 'graded' and (cast(? as varchar) is null or f.operator_id = ?)
        order by {_FIRST_LOOKED_AT}
        limit ?
        """,
        centre_id, operator_id, operator_id, limit,
    )  # fmt: skip


def calls_by_operator(published: Published, centre_id: str, limit: int) -> dict[str, list[Row]]:
    """The first `limit` such calls of every operator of a centre."""
    rows = published.rows(
        f"""{_LISTED}
        where f.centre_id = ? and f.status = 'graded' and f.operator_id is not null
        qualify row_number() over (partition by f.operator_id order by {_FIRST_LOOKED_AT}) <= ?
        order by f.operator_id, {_FIRST_LOOKED_AT}
        """,
        centre_id, limit,
    )  # fmt: skip
    return grouped(rows, itemgetter("operator_id"))


def clips(published: Published, centre_id: str, operator_id: str | None = None, limit: int | None = None) -> list[Row]:
    """The coaching clips of a centre (or one operator), alternating between good examples and moments to improve."""
    return published.rows(
        """
        select k.*, c.operator_id
        from coaching_clips as k
        join calls as c using (call_id)
        where c.centre_id = ? and (cast(? as varchar) is null or c.operator_id = ?)
        order by row_number() over (partition by k.kind order by k.call_id, k.start_s), k.kind, k.clip_id
        limit ?
        """,
        centre_id, operator_id, operator_id, limit,
    )  # fmt: skip


def ledger(published: Published, centre_id: str | None, limit: int) -> list[Row]:
    """Received calls that could not be graded, with their reasons; for None, those of no known centre."""
    return published.rows(
        """select call_id, status, status_reason, status_reason_key, status_reason_values from calls
           where centre_id is not distinct from ? and status <> 'graded' order by call_id limit ?""",
        centre_id,
        limit,
    )
