-- fail: a graded call has no evaluation, no metrics, no procedure outcome or no duration
select c.call_id
from calls as c
left join evaluations as e on e.call_id = c.call_id and e.judge = 'machine'
left join conversation_metrics as m on m.call_id = c.call_id
left join abuse_procedures as p on p.call_id = c.call_id
where c.status = 'graded' and (e.call_id is null or m.call_id is null or p.call_id is null or c.duration_s is null)
