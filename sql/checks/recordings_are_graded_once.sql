-- fail: one recording was graded under two call ids
-- of all calls: they are compared with each other
select recording_sha256, list(call_id) as call_ids
from calls
where status = 'graded'
group by recording_sha256
having count(*) > 1
