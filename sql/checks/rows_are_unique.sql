-- fail: a call has two rows where its view has one per call
select 'turns' as view, call_id, cast(turn_no as varchar) as row, count(*) as copies
from turns
group by call_id, turn_no
having count(*) > 1
union all
select 'findings', call_id, cast(finding_no as varchar), count(*)
from findings
group by call_id, finding_no
having count(*) > 1
union all
select 'speech_acts', call_id, concat_ws('/', turn_no, act), count(*)
from speech_acts
group by call_id, turn_no, act
having count(*) > 1
union all
select 'criterion_results', call_id, concat_ws('/', scorecard_id, criterion_id, judge), count(*)
from criterion_results
group by call_id, scorecard_id, criterion_id, judge
having count(*) > 1
union all
select 'evaluations', call_id, concat_ws('/', scorecard_id, judge), count(*)
from evaluations
group by call_id, scorecard_id, judge
having count(*) > 1
union all
select 'abuse_procedures', call_id, null, count(*)
from abuse_procedures
group by call_id
having count(*) > 1
union all
select 'conversation_metrics', call_id, null, count(*)
from conversation_metrics
group by call_id
having count(*) > 1
