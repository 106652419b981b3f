-- grain: one row per graded call
create or replace view abuse_procedures as
select
    call_id,
    coalesce(x.outcome, p.outcome) as outcome,
    warned_at_s,
    ended_notice_at_s,
    if(x.outcome = 'not_needed', 1, confidence) as confidence,
    case
        when x.outcome is null then explanation
        when x.outcome = 'not_needed' then 'The abuse that was found in this call was marked as not correct by a person.'
        else 'A part of the abuse that was found in this call was marked as not correct by a person.'
    end as explanation,
    case
        when x.outcome is null then explanation_json
        when x.outcome = 'not_needed' then '{"key":"abuse_refuted"}'
        else '{"key":"abuse_partly_refuted"}'
    end as explanation_json,
    if(x.outcome is null, 'machine', 'human') as judge,
    p.outcome as machine_outcome
from core.procedures as p
left join core.corrected_calls as x using (call_id);

comment on view abuse_procedures is
    'The outcome of the abuse procedure (warn, announce the end, hang up) in each call.';
comment on column abuse_procedures.call_id is 'The call.';
comment on column abuse_procedures.outcome is
    'not_needed, calmed, ended_after_warning, ended_without_warning, '
    'ended_without_notice, tolerated, client_hung_up, operator_at_fault or cannot_tell.';
comment on column abuse_procedures.warned_at_s is
    'When the operator warned the client, in seconds; empty without a warning.';
comment on column abuse_procedures.ended_notice_at_s is
    'When the operator announced the end of the call, in seconds; empty without an announcement.';
comment on column abuse_procedures.confidence is 'Confidence, 0 to 1.';
comment on column abuse_procedures.explanation is 'The explanation, in one or two English sentences.';
comment on column abuse_procedures.explanation_json is
    'The same as JSON: the key of a sentence in pipelines/i18n/strings and the values in it.';
comment on column abuse_procedures.judge is
    'human where a person refuted abuse on which the automatic outcome rests, else machine.';
comment on column abuse_procedures.machine_outcome is 'The automatic outcome, whatever people refuted.';
