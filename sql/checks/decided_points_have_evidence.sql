-- fail: a pass or fail has no place in the call
select call_id, criterion_id, judge, verdict, start_s, end_s
from criterion_results
where verdict in ('pass', 'fail') and (start_s is null or end_s is null)
