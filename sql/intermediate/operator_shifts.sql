-- replaces, for t in touched_operators: m.centre_id is not distinct from t.centre_id and m.operator_id = t.operator_id and m.shift_start_local >= t.from_local
with work as (
    select
        centre_id,
        operator_id,
        call_id,
        started_local,
        status,
        started_local + to_microseconds(cast(coalesce(duration_s, 0) * 1000000 as bigint)) as ended_local,
        coalesce(duration_s, 0) as busy_s,
        wait_s,
        is_abusive,
        abuse_exposure_s
    from intermediate.calls as c
    where started_local is not null and exists (
        from touched_operators as t
        where t.centre_id is not distinct from c.centre_id and t.operator_id = c.operator_id and c.started_local >= t.from_local
    )
),
begun as (
    -- There is no roster: a shift begins after six hours without a call of the operator.
    select
        *,
        coalesce(started_local - max(ended_local) over earlier >= interval 6 hours, true) as begins
    from work
    window earlier as (partition by centre_id, operator_id order by started_local, call_id rows between unbounded preceding and 1 preceding)
),
shifts as (
    select *, sum(cast(begins as int)) over (partition by centre_id, operator_id order by started_local, call_id) as shift_no
    from begun
),
streaks as (
    -- A streak ends with a graded call without abuse; a call that could not be judged neither ends nor extends it.
    select
        *,
        count(*) filter (where status = 'graded' and not is_abusive) over so_far as streak_no,
        count(*) filter (where is_abusive) over so_far as abusive_so_far,
        sum(abuse_exposure_s) over so_far as abuse_so_far_s
    from shifts
    window so_far as (partition by centre_id, operator_id, shift_no order by started_local, call_id)
),
runs as (
    select
        *,
        count(*) filter (where is_abusive) over (
            partition by centre_id, operator_id, shift_no, streak_no order by started_local, call_id
        ) as in_a_row
    from streaks
),
due as (
    select
        r.*,
        min(ended_local) filter (
            where r.in_a_row >= u.abusive_in_a_row or r.abusive_so_far >= u.abusive_calls or r.abuse_so_far_s >= u.abuse_s
        ) over (partition by r.centre_id, r.operator_id, r.shift_no) as rest_due_local
    from runs as r
    left join core.centres as u on u.centre_id = r.centre_id
)
select
    centre_id,
    operator_id,
    min(started_local) as shift_start_local,
    max(ended_local) as shift_end_local,
    count(*) as calls,
    count(*) filter (where status <> 'graded') as unheard_calls,
    settled(sum(busy_s)) as busy_s,
    case
        when max(ended_local) > min(started_local) then settled(least(sum(busy_s) / epoch(max(ended_local) - min(started_local)), 1))
    end as busy_ratio,
    settled(avg(wait_s)) as wait_s,
    count(*) filter (where is_abusive) as abusive_calls,
    settled(sum(abuse_exposure_s)) as abuse_exposure_s,
    max(in_a_row) as abusive_in_a_row,
    any_value(rest_due_local) as rest_due_local,
    count(*) filter (where started_local > rest_due_local) as calls_after_rest_due
from due
group by centre_id, operator_id, shift_no
