-- fail: a row belongs to a call that is missing or was not graded
select o.view, o.call_id, count(*) as rows
from (
    select 'turns' as view, call_id from turns
    union all
    select 'holds', call_id from holds
    union all
    select 'findings', call_id from findings
    union all
    select 'speech_acts', call_id from speech_acts
    union all
    select 'abuse_procedures', call_id from abuse_procedures
    union all
    select 'criterion_results', call_id from criterion_results
    union all
    select 'evaluations', call_id from evaluations
    union all
    select 'conversation_metrics', call_id from conversation_metrics
    union all
    select 'personal_data', call_id from personal_data
    union all
    select 'coaching_clips', call_id from coaching_clips
) as o
anti join (select call_id from calls where status = 'graded') as c on c.call_id = o.call_id
group by o.view, o.call_id
