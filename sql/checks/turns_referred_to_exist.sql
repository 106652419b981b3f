-- fail: a finding, verdict, speech act or piece of personal data names a turn that the call does not have
select r.source, r.call_id, r.turn_no
from (
    select 'findings' as source, call_id, turn_no from findings where turn_no is not null
    union all
    select 'criterion_results', call_id, turn_no from criterion_results where turn_no is not null
    union all
    select 'personal_data', call_id, turn_no from personal_data
    union all
    select 'speech_acts', call_id, turn_no from speech_acts
) as r
anti join turns as t on t.call_id = r.call_id and t.turn_no = r.turn_no
