-- grain: one row per centre, local day, status and reason
create or replace view intake_ledger as
select
    centre_id,
    cast(started_local as date) as day,
    status,
    status_reason,
    count(*) as calls,
    cast(sum(count(*)) over (partition by centre_id, cast(started_local as date)) as bigint) as received
from calls
group by centre_id, cast(started_local as date), status, status_reason;

comment on view intake_ledger is 'What became of everything received: received = graded + quarantined + unscoreable, per centre and day.';
comment on column intake_ledger.centre_id is 'The contact centre; empty where not even that is known.';
comment on column intake_ledger.day is 'Local day on which the calls began; empty where the log does not say.';
comment on column intake_ledger.status is 'graded, quarantined or unscoreable.';
comment on column intake_ledger.status_reason is 'Why they are not graded; empty for graded calls.';
comment on column intake_ledger.calls is 'Calls with this status and reason.';
comment on column intake_ledger.received is 'All calls of this centre and day, whatever became of them.';
