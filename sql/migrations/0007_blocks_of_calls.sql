-- Where words were said is kept by blocks of calls, not by calls: the blocks of which a call came, changed or went since the last publication.
create table store.touched_blocks (block bigint);

-- Whether rows were made of a call before was asked for its words alone.
alter table store.unpublished drop column was_known;

-- When a verdict was given is known of each: those from before it was kept were given with the first evaluation of their call.
create temp table first_evaluations as
select call_id, min(evaluated_at) as first_at
from (select call_id, evaluated_at from store.evaluations union all select call_id, evaluated_at from store.past_evaluations)
group by call_id;

update store.verdicts
set judged_at = f.first_at
from first_evaluations as f
where f.call_id = verdicts.call_id and verdicts.judged_at is null;

update store.past_verdicts
set judged_at = f.first_at
from first_evaluations as f
where f.call_id = past_verdicts.call_id and past_verdicts.judged_at is null;

drop table first_evaluations;
