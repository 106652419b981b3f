-- grain: one row per centre, operator and shift
create or replace view operator_shifts as
select
    centre_id,
    operator_id,
    shift_start_local,
    shift_end_local,
    calls,
    unheard_calls,
    busy_s,
    busy_ratio,
    wait_s,
    abusive_calls,
    abuse_exposure_s,
    abusive_in_a_row,
    rest_due_local,
    calls_after_rest_due
from intermediate.operator_shifts;

comment on view operator_shifts is
    'The work and abuse of one operator between two long breaks, and when a rest was due.';
comment on column operator_shifts.centre_id is 'The contact centre.';
comment on column operator_shifts.operator_id is 'The operator.';
comment on column operator_shifts.shift_start_local is
    'Start of the first call, in the local time of the centre; a shift begins after six hours without a call.';
comment on column operator_shifts.shift_end_local is 'End of the last call, in the local time of the centre.';
comment on column operator_shifts.calls is 'All calls of the shift, including those without a score.';
comment on column operator_shifts.unheard_calls is
    'Those of them that were rejected; any abuse in them is not counted.';
comment on column operator_shifts.busy_s is 'Seconds of recordings.';
comment on column operator_shifts.busy_ratio is 'Share of the shift spent in calls, 0 to 1.';
comment on column operator_shifts.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column operator_shifts.abusive_calls is 'Calls in which the client was abusive.';
comment on column operator_shifts.abuse_exposure_s is 'Seconds of abuse that the operator was exposed to.';
comment on column operator_shifts.abusive_in_a_row is 'The longest run of consecutive abusive calls.';
comment on column operator_shifts.rest_due_local is
    'End of the call after which a rest was due by the centre''s rule (view rest_rules); empty when none was due.';
comment on column operator_shifts.calls_after_rest_due is
    'Calls that the operator answered in this shift after a rest was due.';
