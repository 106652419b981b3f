-- fail: a row begins before the call, ends more than a second after it, or ends before it starts
select o.view, o.call_id, o.start_s, o.end_s, c.duration_s
from (
    select 'turns' as view, call_id, start_s, end_s from turns
    union all
    select 'holds', call_id, start_s, end_s from holds
    union all
    select 'findings', call_id, start_s, end_s from findings
    union all
    select 'speech_acts', call_id, start_s, end_s from speech_acts
    union all
    select 'criterion_results', call_id, start_s, end_s from criterion_results
    union all
    select 'personal_data', call_id, start_s, end_s from personal_data
    union all
    select 'coaching_clips', call_id, start_s, end_s from coaching_clips
    union all
    select 'abuse_procedures', call_id, warned_at_s as start_s, warned_at_s as end_s from abuse_procedures
    union all
    select 'abuse_procedures', call_id, ended_notice_at_s as start_s, ended_notice_at_s as end_s from abuse_procedures
) as o
join calls as c on c.call_id = o.call_id
where o.start_s < 0 or o.end_s < o.start_s or o.end_s > c.duration_s + 1.0
