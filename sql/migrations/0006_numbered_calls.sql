-- Calls are numbered as they are loaded. Rows that carry the number lie in its order, so that those of a few calls are found without reading
-- the others: a comparison of call ids, which are text, cannot tell where to look.
alter table store.calls add column call_no bigint;

update store.calls
set call_no = n.call_no
from (select call_id, row_number() over (order by loaded_at, call_id) as call_no from store.calls) as n
where n.call_id = calls.call_id;

alter table store.turns add column call_no bigint;

update store.turns
set call_no = c.call_no
from store.calls as c
where c.call_id = turns.call_id;

alter table store.verdicts add column call_no bigint;

update store.verdicts
set call_no = c.call_no
from store.calls as c
where c.call_id = verdicts.call_id and verdicts.judge = 'machine';

-- What is kept of the past has the columns of what stands.
alter table store.past_verdicts add column call_no bigint;

-- Which calls each publication brought or changed, so that pages and clips are made for these and not for all.
create table store.publications (publication bigint not null, call_id varchar not null);
