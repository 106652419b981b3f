-- grain: one row per call, scorecard, criterion, judge and period in which the verdict was unchanged
create or replace view criterion_history as
with verdicts as (
    select v.*, cast(null as timestamptz) as replaced_at, cast(null as varchar) as replaced_by
    from core.verdicts as v
    union all by name
    select *
    from core.past_verdicts
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

-- The verdicts valid at a point in time, each with its valid_from.
create or replace macro criterion_results_as_of(moment) as table
    select * from criterion_history where valid_from <= moment and (valid_to is null or valid_to > moment);

comment on view criterion_history is
    'Every verdict that a call has had; criterion_results_as_of(moment) returns those valid at a point in time.';
comment on column criterion_history.call_id is 'The call.';
comment on column criterion_history.scorecard_id is 'The scorecard.';
comment on column criterion_history.scorecard_version is 'Version of the scorecard that was applied.';
comment on column criterion_history.criterion_id is 'The criterion: greeting, farewell, abuse_procedure, ...';
comment on column criterion_history.verdict is
    'pass, fail, na (does not apply to this call) or unsure (a person should decide; not counted).';
comment on column criterion_history.confidence is 'Confidence of the verdict, 0 to 1.';
comment on column criterion_history.points is 'Points won.';
comment on column criterion_history.max_points is 'Maximum of points.';
comment on column criterion_history.quote is
    'The words of the evidence, as in the turn at that time; empty for a fail by absence.';
comment on column criterion_history.turn_no is 'The turn of the quote, by its number at that time.';
comment on column criterion_history.start_s is 'Start of the evidence in seconds.';
comment on column criterion_history.end_s is 'End of the evidence in seconds.';
comment on column criterion_history.judge is 'machine or human.';
comment on column criterion_history.explanation is 'The explanation, in one sentence.';
comment on column criterion_history.valid_from is 'Start of the period in which it was valid.';
comment on column criterion_history.valid_to is
    'When it was replaced, or the criterion was removed; empty while it is valid.';
comment on column criterion_history.replaced_by is
    'The verdict that replaced it; empty while it is valid, or when the criterion was removed.';
