-- Judgements of the machine that were replaced, so that every score can be seen as it stood at a moment. Only what changed is kept twice.
alter table store.verdicts add column judged_at timestamptz;

create table store.past_verdicts as
select *, cast(null as timestamptz) as replaced_at
from store.verdicts
limit 0;

create table store.past_evaluations as
select
    *,
    cast(null as varchar) as speech_model,
    cast(null as varchar) as scored_by,
    cast(null as timestamptz) as replaced_at
from store.evaluations
limit 0;
