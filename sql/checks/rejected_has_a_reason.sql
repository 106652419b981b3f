-- fail: a call was rejected and nobody can say why, or a graded one has a reason for not being graded
select call_id, status, status_step, status_reason
from calls
where
    status not in ('graded', 'quarantined', 'unscoreable')
    or (status <> 'graded' and (coalesce(status_reason, '') = '' or status_step is null))
    or (status = 'graded' and status_reason is not null)
