-- grain: one row per centre, local day, status and reason
create or replace view intake_ledger as
select
    centre_id,
    cast(started_local as date) as day,
    status,
    status_reason,
    count(*) as calls,
    cast(sum(count(*)) over (partition by centre_id, cast(started_local as date)) as bigint) as received
from intermediate.calls
group by centre_id, cast(started_local as date), status, status_reason;

comment on view intake_ledger is
    'Reconciliation of all received calls: received = graded + quarantined + unscoreable, per centre and day.';
comment on column intake_ledger.centre_id is 'The contact centre; empty where it is unknown.';
comment on column intake_ledger.day is 'Local day on which the calls began; empty where the log has none.';
comment on column intake_ledger.status is 'graded, quarantined or unscoreable.';
comment on column intake_ledger.status_reason is 'The reason why they are not graded; empty for graded calls.';
comment on column intake_ledger.calls is 'Calls with this status and reason.';
comment on column intake_ledger.received is 'All calls of this centre and day, whatever their status.';
