-- grain: one row per call, scorecard, criterion, judge and stretch of time in which the verdict stood unchanged
create or replace view criterion_history as
with verdicts as (
    select v.*, cast(null as timestamptz) as replaced_at, cast(null as varchar) as replaced_by
    from store.verdicts as v
    union all by name
    select *
    from store.past_verdicts
)

select
    v.call_id,
    v.scorecard_id,
    v.scorecard_version,
    v.criterion_id,
    v.verdict,
    v.confidence,
    v.points,
    v.max_points,
    v.quote,
    v.turn_no,
    v.start_s,
    v.end_s,
    v.judge,
    v.explanation,
    v.judged_at as valid_from,
    v.replaced_at as valid_to,
    v.replaced_by
from verdicts as v;

-- The verdicts as they stood at a moment, each with since when.
create or replace macro criterion_results_as_of(moment) as table
    select * from criterion_history where valid_from <= moment and (valid_to is null or valid_to > moment);

comment on view criterion_history is 'Every verdict that a call has had; criterion_results_as_of(moment) picks those of a moment.';
comment on column criterion_history.call_id is 'The call.';
comment on column criterion_history.scorecard_id is 'The scorecard.';
comment on column criterion_history.scorecard_version is 'Version of the scorecard that was applied.';
comment on column criterion_history.criterion_id is 'The question: greeting, farewell, abuse_procedure, ...';
comment on column criterion_history.verdict is
    'pass, fail, na (does not apply to this call) or unsure (a person should listen; counts nowhere).';
comment on column criterion_history.confidence is 'How sure the judge was, 0 to 1.';
comment on column criterion_history.points is 'Points won.';
comment on column criterion_history.max_points is 'Points that could be won.';
comment on column criterion_history.quote is 'The words that decided it, as they stood in the turn then; empty for a fail by absence.';
comment on column criterion_history.turn_no is 'The turn of the quote, as it was numbered then.';
comment on column criterion_history.start_s is 'Start of the evidence in seconds.';
comment on column criterion_history.end_s is 'End of the evidence in seconds.';
comment on column criterion_history.judge is 'machine or human.';
comment on column criterion_history.explanation is 'Why, in one sentence.';
comment on column criterion_history.valid_from is 'Since when it stood.';
comment on column criterion_history.valid_to is 'When another took its place, or the question was asked no more; empty while it stands.';
comment on column criterion_history.replaced_by is
    'The verdict that took its place; empty while it stands, or where the question was asked no more.';
