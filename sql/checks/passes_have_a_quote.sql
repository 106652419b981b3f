-- warn: a pass has no quote
select call_id, criterion_id, start_s, end_s
from criterion_results
where verdict = 'pass' and quote is null
