-- warn: a point was given without words that show why
select call_id, criterion_id, start_s, end_s
from criterion_results
where verdict = 'pass' and quote is null
