-- What took the place of a verdict stands beside it: to find it again, all 29 million verdicts of 2 million calls were read.
alter table store.past_verdicts add column replaced_by varchar;

create temp table places_taken as
select v.call_id, v.scorecard_id, v.criterion_id, v.verdict, v.judged_at
from (
    select call_id, scorecard_id, criterion_id, verdict, judged_at from store.verdicts where judge = 'machine'
    union all
    select call_id, scorecard_id, criterion_id, verdict, judged_at from store.past_verdicts
) as v
semi join store.past_verdicts as p on p.call_id = v.call_id;

update store.past_verdicts
set replaced_by = t.verdict
from places_taken as t
where
    t.call_id = past_verdicts.call_id
    and t.scorecard_id = past_verdicts.scorecard_id
    and t.criterion_id = past_verdicts.criterion_id
    and t.judged_at = past_verdicts.replaced_at;

drop table places_taken;
