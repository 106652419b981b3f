-- fail: something was received and is neither graded nor rejected nor unscoreable
-- of all calls: a received row without a call belongs to none of them
with kept as (
    select call_id, recording_sha256, status from core.calls
)
select r.call_id, r.recording_sha256
from core.received as r
where not exists (
    from kept as c where c.call_id = r.call_id and (r.recording_sha256 is null or c.recording_sha256 = r.recording_sha256)
) and not exists (
    from kept as c where c.call_id = r.call_id || '~' || r.recording_sha256[:8] and c.recording_sha256 = r.recording_sha256
) and not exists (
    from kept as c where r.call_id like 'no-row:%' and c.status = 'graded' and c.recording_sha256 = r.recording_sha256
)
