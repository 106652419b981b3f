-- grain: one row per centre, line, local day and hour with calls
create or replace view hourly_load as
select
    centre_id,
    coalesce(line, 'unknown') as line,
    cast(started_local as date) as day,
    cast(extract(hour from started_local) as int) as hour,
    count(*) as calls,
    count(*) filter (where status <> 'graded') as ungraded_calls,
    count(distinct operator_id) as operators,
    settled(count(*) / nullif(count(distinct operator_id), 0)) as calls_per_operator,
    settled(avg(wait_s) filter (where direction = 'inbound')) as wait_s,
    settled(max(wait_s) filter (where direction = 'inbound')) as longest_wait_s,
    count(*) filter (where is_abusive) as abusive_calls
from intermediate.calls
where started_local is not null
group by centre_id, coalesce(line, 'unknown'), cast(started_local as date), extract(hour from started_local);

comment on view hourly_load is 'Calls, operators and waiting times in each hour.';
comment on column hourly_load.centre_id is 'The contact centre.';
comment on column hourly_load.line is 'The line; unknown where the log has none.';
comment on column hourly_load.day is 'The local day.';
comment on column hourly_load.hour is 'The local hour, 0 to 23.';
comment on column hourly_load.calls is 'All calls that began in this hour.';
comment on column hourly_load.ungraded_calls is 'Those of them that were quarantined or unscoreable.';
comment on column hourly_load.operators is 'Number of operators who answered at least one of them.';
comment on column hourly_load.calls_per_operator is 'Calls per operator.';
comment on column hourly_load.wait_s is 'Mean waiting time of inbound calls in seconds.';
comment on column hourly_load.longest_wait_s is 'Longest waiting time of an inbound call in seconds.';
comment on column hourly_load.abusive_calls is 'Calls in which the client was abusive.';
