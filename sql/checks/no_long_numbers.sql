-- warn: a masked text contains a run of twelve or more digits
select s.source, s.call_id, s.turn_no
from (
    select 'turns' as source, call_id, turn_no, text from turns
    union all
    select 'findings', call_id, turn_no, quote from findings
    union all
    select 'speech_acts', call_id, turn_no, quote from speech_acts
    union all
    select 'criterion_results', call_id, turn_no, quote from criterion_results
) as s
join calls as c on c.call_id = s.call_id and c.text_kept = 'redacted'
where regexp_matches(s.text, '\d(?:[ .\-]?\d){11,}')
