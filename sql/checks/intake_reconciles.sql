-- fail: something was received and is neither graded nor put aside nor unscoreable
select r.call_id, r.recording_sha256
from store.received as r
where not exists (
    select 1
    from store.calls as c
    where c.call_id in (r.call_id, r.call_id || '~' || r.recording_sha256[:8])
        and (r.recording_sha256 is null or c.recording_sha256 = r.recording_sha256)
) and not exists (
    select 1
    from store.calls as c
    where r.call_id like 'no-row:%' and c.status = 'graded' and c.recording_sha256 = r.recording_sha256
)
