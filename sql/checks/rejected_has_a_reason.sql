-- fail: a rejected call has no reason, or a graded call has a reason for rejection
select call_id, status, status_step, status_reason
from calls
where
    status not in ('graded', 'quarantined', 'unscoreable')
    or (status <> 'graded' and (coalesce(status_reason, '') = '' or status_step is null))
    or (status = 'graded' and status_reason is not null)
