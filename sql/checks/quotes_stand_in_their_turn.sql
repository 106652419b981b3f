-- fail: a quote does not occur in its turn
select q.source, q.call_id, q.turn_no
from (
    select 'criterion_results' as source, call_id, turn_no, quote from criterion_results where quote is not null
    union all
    select 'findings', call_id, turn_no, quote from findings where quote is not null and turn_no is not null
    union all
    select 'speech_acts', call_id, turn_no, quote from speech_acts
) as q
left join turns as t on t.call_id = q.call_id and t.turn_no = q.turn_no
where not coalesce(contains(plain_text(t.text), plain_text(q.quote)), false)
