"""Settles who owns a call id and a recording when a batch meets what the warehouse holds.

    arrives                                      meets                                   becomes
    graded call                                  the call graded from another recording  quarantined, id~sha256
    graded call                                  its recording, graded under another id  quarantined, own id
    graded call                                  its id, put aside earlier               graded; the earlier row goes, or moves to id~sha256 if it is
                                                                                         another recording
    put aside                                    its id, graded                          nothing, or id~sha256 if it is another recording
    put aside without a recording                its id, put aside with one              nothing
    put aside                                    its id, put aside, another recording    put aside, id~sha256
    recording without a row in the log           the same file, graded                   nothing: the row was found since

So nothing that was graded is ever overwritten by another recording, nothing received is lost, and halves of a folder may come in any order.
"""

from __future__ import annotations

import duckdb

_NO_ROW = "call_id like 'no-row:%'"  # how intake names a recording that the log does not know


def settle(db: duckdb.DuckDBPyConnection) -> None:
    """Turn the temporary table `received` into `incoming`, with final call ids and statuses; `staged_id` is the id in the batch.

    Makes two more temporary tables: `moved` (rows of store.calls that get a new id) and `superseded` (ids of rows that go).
    """
    db.execute(_INCOMING)
    db.execute(_SECOND_RECORDING)
    db.execute(_WEAKER)
    db.execute(_MOVED)
    db.execute(_SUPERSEDED)


_INCOMING = f"""
create or replace temp table incoming as
with same_id as (
    select r.*, g.recording_sha256 as graded_sha256, r.status = 'graded' as is_sound
    from received as r
    left join store.calls as g on g.call_id = r.call_id and g.status = 'graded'
),
same_sound as (
    select
        s.*,
        coalesce(
            (select min(g.call_id) from store.calls as g
             where g.status = 'graded' and g.recording_sha256 = s.recording_sha256 and g.call_id <> s.call_id),
            -- Twice in this batch: the first id has it.
            nullif(min(s.call_id) filter (where s.is_sound and s.graded_sha256 is null) over (partition by s.recording_sha256), s.call_id)
        ) as graded_as,
        {_NO_ROW} and (
            exists (select 1 from store.calls as g
                    where g.status = 'graded' and g.recording_sha256 = s.recording_sha256 and g.recording = s.recording)
            or count(*) filter (where s.is_sound) over (partition by s.recording_sha256, s.recording) > 0
        ) as is_found
    from same_id as s
),
judged as (
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
)
select
    call_id as staged_id,
    * exclude (conflict, graded_as, graded_sha256, is_sound) replace (
        if(conflict = 'other recording', call_id || '~' || recording_sha256[:8], call_id) as call_id,
        if(conflict is not null and is_sound, 'quarantined', status) as status,
        if(conflict is not null and is_sound, 'load', status_step) as status_step,
        case
            when not is_sound then status_reason
            when conflict = 'other recording' then 'Call ' || call_id || ' was graded from another recording (sha256 ' || graded_sha256[:8]
                || ' ...); give each call its own id.'
            when conflict = 'other id' then 'The recording is the same as that of call ' || graded_as || '; name the right recording.'
            else status_reason
        end as status_reason
    )
from judged
where conflict is distinct from 'known'
"""

_SECOND_RECORDING = """
update incoming set call_id = incoming.call_id || '~' || incoming.recording_sha256[:8]
from store.calls as c
where c.call_id = incoming.call_id and incoming.status <> 'graded' and c.status <> 'graded'
    and c.recording_sha256 <> incoming.recording_sha256
"""

_WEAKER = """
delete from incoming
where status <> 'graded' and recording_sha256 is null
    and call_id in (select call_id from store.calls where recording_sha256 is not null)
"""

_MOVED = """
create or replace temp table moved as
select c.call_id, c.call_id || '~' || c.recording_sha256[:8] as new_id
from store.calls as c
join incoming as i on i.call_id = c.call_id and i.status = 'graded'
where c.status <> 'graded' and c.recording_sha256 <> i.recording_sha256
"""

_SUPERSEDED = f"""
create or replace temp table superseded as
select c.call_id
from store.calls as c
join incoming as i on i.status = 'graded' and i.recording_sha256 = c.recording_sha256 and i.recording = c.recording
where c.status <> 'graded' and c.{_NO_ROW}
union
select m.call_id
from moved as m
where m.new_id in (select call_id from store.calls union all select call_id from incoming)
"""
