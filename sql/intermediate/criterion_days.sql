-- replaces, for t in touched_months: m.centre_id is not distinct from t.centre_id and m.month is not distinct from t.month
with taken as (
    select call_id, call_no, centre_id, month, operator_id, cast(started_local as date) as day
    from intermediate.calls as c
    where exists (
        from touched_months as t where t.centre_id is not distinct from c.centre_id and t.month is not distinct from c.month
    )
),
people as materialized (
    -- Human verdicts are few and have no call number.
    select v.call_id, v.scorecard_id, v.criterion_id, v.verdict, v.max_points, c.* exclude (call_id, call_no)
    from core.verdicts as v
    join taken as c on c.call_id = v.call_id
    where v.judge <> 'machine'
),
standing as (
    select centre_id, month, day, operator_id, criterion_id, verdict, max_points, true as is_by_people
    from people
    union all
    select c.centre_id, c.month, c.day, c.operator_id, v.criterion_id, v.verdict, v.max_points, false
    from core.verdicts as v
    join taken as c on c.call_no = v.call_no and c.call_id = v.call_id
    where v.judge = 'machine' and not exists (
        from people as p where p.call_id = v.call_id and p.scorecard_id = v.scorecard_id and p.criterion_id = v.criterion_id
    )
)
select
    centre_id,
    month,
    day,
    operator_id,
    criterion_id,
    count(*) filter (where verdict = 'pass') as passed,
    count(*) filter (where verdict = 'fail') as failed,
    count(*) filter (where verdict = 'unsure') as unsure,
    count(*) filter (where verdict = 'na') as not_applicable,
    count(*) filter (where is_by_people) as by_people,
    max(max_points) as max_points
from standing
group by centre_id, month, day, operator_id, criterion_id
