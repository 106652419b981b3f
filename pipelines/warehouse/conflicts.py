"""Resolves conflicts over call ids and recordings between a batch and the warehouse.

    received                                     in the warehouse                        result
    graded call                                  the call graded from another recording  quarantined, id~sha256
    graded call                                  its recording, graded under another id  quarantined, own id
    graded call                                  its id, rejected earlier               graded; the earlier row goes, or moves to id~sha256 if it is
                                                                                         another recording
    rejected                                    its id, graded                          nothing, or id~sha256 if it is another recording
    rejected without a recording                its id, rejected with one              nothing
    rejected                                    its id, rejected, another recording    rejected, id~sha256
    recording without a row in the log           the same file, graded                   nothing: the row was found since

A graded call is never overwritten by another recording, nothing received is lost, and parts of a folder may be loaded in any order.
"""

from __future__ import annotations

import duckdb
import polars as pl

from pipelines.core.rejections import Key, Reason

_NO_ROW = "call_id like 'no-row:%'"  # the id that intake gives to a recording without a row in the log


def resolve(db: duckdb.DuckDBPyConnection) -> None:
    """Turn the temporary table `received` into `incoming`, with final call ids and statuses; `staged_id` is the id in the batch.

    Also creates the temporary tables `moved` (rows of core.calls that get a new id) and `superseded` (ids of rows to delete).
    """
    db.execute(_CONFLICTING)
    db.register("reasons", _reasons(db))
    db.execute(_INCOMING)
    db.unregister("reasons")
    db.execute(_SECOND_RECORDING)
    db.execute(_WEAKER)
    db.execute(_MOVED)
    db.execute(_SUPERSEDED)


def _reasons(db: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The reason why each conflicting recording is not graded."""
    found = db.execute(
        """select call_id, conflict, graded_as, graded_sha256[:8] from conflicting
           where is_sound and conflict is not null order by call_id"""
    ).fetchall()
    rows = []
    for call_id, conflict, graded_as, sha256 in found:
        is_other = conflict == "other recording"
        reason = Reason(Key.GRADED_FROM_ANOTHER, call=call_id, sha256=sha256) if is_other else Reason(Key.GRADED_BEFORE, call=graded_as)
        rows.append((call_id, reason.text(), reason.key.value, reason.values_json))
    return pl.DataFrame(rows, schema=dict.fromkeys(("call_id", "text", "key", "values"), pl.String()), orient="row")


_CONFLICTING = f"""
create or replace temp table conflicting as
with same_id as (
    select r.*, g.recording_sha256 as graded_sha256, r.status = 'graded' as is_sound
    from received as r
    left join core.calls as g on g.call_id = r.call_id and g.status = 'graded'
),
same_sound as (
    select
        s.*,
        coalesce(
            (select min(g.call_id) from core.calls as g
             where g.status = 'graded' and g.recording_sha256 = s.recording_sha256 and g.call_id <> s.call_id),
            -- Duplicate within this batch: the first id is graded.
            nullif(min(s.call_id) filter (where s.is_sound and s.graded_sha256 is null) over (partition by s.recording_sha256), s.call_id)
        ) as graded_as,
        {_NO_ROW} and (
            exists (select 1 from core.calls as g
                    where g.status = 'graded' and g.recording_sha256 = s.recording_sha256 and g.recording = s.recording)
            or count(*) filter (where s.is_sound) over (partition by s.recording_sha256, s.recording) > 0
        ) as is_found
    from same_id as s
)
select
    * exclude (is_found),
    case
        when is_sound and graded_sha256 <> recording_sha256 then 'other recording'
        when is_sound and graded_sha256 is null and graded_as is not null then 'other id'
        when not is_sound and is_found then 'known'
        when not is_sound and graded_sha256 is not null
            then if(coalesce(recording_sha256 = graded_sha256, true), 'known', 'other recording')
    end as conflict
from same_sound
"""

_INCOMING = """
create or replace temp table incoming as
select
    c.call_id as staged_id,
    c.* exclude (conflict, graded_as, graded_sha256, is_sound) replace (
        if(conflict = 'other recording', c.call_id || '~' || recording_sha256[:8], c.call_id) as call_id,
        if(r.call_id is null, status, 'quarantined') as status,
        if(r.call_id is null, status_step, 'load') as status_step,
        coalesce(r."text", status_reason) as status_reason,
        coalesce(r.key, status_reason_key) as status_reason_key,
        coalesce(r."values", status_reason_values) as status_reason_values
    )
from conflicting as c
left join reasons as r on r.call_id = c.call_id
where conflict is distinct from 'known'
"""

_SECOND_RECORDING = """
update incoming set call_id = incoming.call_id || '~' || incoming.recording_sha256[:8]
from core.calls as c
where c.call_id = incoming.call_id and incoming.status <> 'graded' and c.status <> 'graded'
    and c.recording_sha256 <> incoming.recording_sha256
"""

_WEAKER = """
delete from incoming
where status <> 'graded' and recording_sha256 is null
    and call_id in (select call_id from core.calls where recording_sha256 is not null)
"""

_MOVED = """
create or replace temp table moved as
select c.call_id, c.call_id || '~' || c.recording_sha256[:8] as new_id
from core.calls as c
join incoming as i on i.call_id = c.call_id and i.status = 'graded'
where c.status <> 'graded' and c.recording_sha256 <> i.recording_sha256
"""

_SUPERSEDED = f"""
create or replace temp table superseded as
select c.call_id
from core.calls as c
join incoming as i on i.status = 'graded' and i.recording_sha256 = c.recording_sha256 and i.recording = c.recording
where c.status <> 'graded' and c.{_NO_ROW}
union
select m.call_id
from moved as m
where m.new_id in (select call_id from core.calls union all select call_id from incoming)
"""
